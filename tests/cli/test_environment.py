"""A toy course is really installed by pip, offline, in a folder of a difficult name."""

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.cli import environment, pip
from helpers.cli.environment import BARE, LEARNERS, TESTS, is_complete, python_of
from helpers.options import UsageError
from tests.cli.waiting import PATIENCE, is_running, until

BACKEND = '''
import os, pathlib, time, zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    """Build a wheel of one module, slowly (but not for ever) when asked to."""
    pathlib.Path("building").write_text(str(os.getpid()))
    end = time.monotonic() + 300
    while pathlib.Path("slow").exists() and time.monotonic() < end:
        time.sleep(0.05)
    about, name = "toy-1.0.dist-info/", "toy-1.0-py3-none-any.whl"
    files = {
        "toy_module.py": "ANSWER = 42",
        about + "METADATA": "Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n",
        about + "WHEEL": "Wheel-Version: 1.0\\nTag: py3-none-any\\n",
        about + "RECORD": "",
    }
    with zipfile.ZipFile(pathlib.Path(folder) / name, "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
'''
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
START = """
import functools, pathlib, sys
from helpers.cli import command_line, environment
root = command_line.ROOT = pathlib.Path(sys.argv[1])
environment.NEEDED = dict.fromkeys(environment.NEEDED, 0.01)
command_line.ensure = functools.partial(environment.ensure, root=root)
command_line.become = lambda *_: print("moved in") or 0
sys.exit(command_line.main(["start"]))
"""


@pytest.fixture(scope="module", autouse=True)
def no_index():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL"):
            patch.delenv(name, raising=False)
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_NO_INDEX", "1")
        patch.setenv("COURSE_NO_VENV", "no")
        patch.setattr(environment, "NEEDED", dict.fromkeys(environment.NEEDED, 0.01))
        yield


def ensure(root: Path, *names: str) -> list[str]:
    """Make the environment complete; return the steps that were reported."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.chdir(root):  # for ./toy
        changed = environment.ensure(names or [LEARNERS], root=root)
    assert changed == bool(said.getvalue())
    return said.getvalue().splitlines()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A toy course with a .venv in which nothing is installed; tests work on copies."""
    root = tmp_path_factory.mktemp("made") / "a $b é 'course'"
    (root / "toy").mkdir(parents=True)
    (root / "toy" / "b.py").write_text(BACKEND)
    (root / "toy" / "pyproject.toml").write_text(PROJECT)
    (root / "course_module.py").write_text("HERE = True\n")
    for name in (LEARNERS, TESTS):
        (root / name).write_text("pip\n")
    assert ensure(root)[0].startswith("Making .venv: this happens once")
    (root / ".venv" / "notes.txt").write_text("the learner's")
    (root / LEARNERS).write_text("./toy\n")
    return root


@pytest.fixture
def course(made, tmp_path):
    """A copy of the toy course."""
    return Path(shutil.copytree(made, tmp_path / "ü $x", symlinks=True))


@pytest.fixture
def bare(tmp_path):
    """A course without a .venv."""
    (tmp_path / LEARNERS).write_text("pip\n")
    return tmp_path


@pytest.fixture
def start(course):
    """A function that starts the course in a process; all end with the test."""
    processes = []

    def start() -> subprocess.Popen:
        heard = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        env = {**os.environ, "PYTHONPATH": str(environment.ROOT)}
        command = [sys.executable, "-c", START, str(course)]
        heard |= {"cwd": course, "env": env, "start_new_session": True}
        processes.append(subprocess.Popen(command, **heard))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def builder(course: Path) -> int:
    """Return the process that builds a wheel slowly, started by pip."""
    file = course / "toy" / "building"
    until(lambda: file.exists() and file.read_text())
    return int(file.read_text())


def answers(root: Path) -> bool:
    code = "import course_module as a, toy_module as b; print(a.HERE, b.ANSWER)"
    command = [python_of(root / ".venv"), "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, cwd="/").stdout
    return said == "True 42\n"


def test_what_is_installed_is_imported_and_not_installed_again(course):
    assert not is_complete(course, [LEARNERS])
    assert ensure(course) == [
        f"Installing the packages of {LEARNERS}",
        "The environment is complete",
    ]
    assert answers(course)
    assert ensure(course) == []


def test_tests_bring_their_own_packages_and_start_then_has_nothing_to_do(course):
    assert f"Installing the packages of {TESTS}" in ensure(course, LEARNERS, TESTS)
    (course / TESTS).write_text("pip # newer\n")
    assert ensure(course) == []
    assert not is_complete(course, [TESTS])


def test_bare_packages_bring_none_along(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(environment, "pip", lambda python, *words: said.append(words))
    for name in (TESTS, BARE):
        (tmp_path / name).write_text("toy==1.0\n")
        environment.install_file(Path(sys.executable), tmp_path / name, gpu=False)
    files = [str(tmp_path / name) for name in (TESTS, BARE)]
    assert said == [("-r", files[0]), ("--no-deps", "-r", files[1])]


def test_folder_may_be_moved(course, tmp_path):
    ensure(course)
    moved = course.rename(tmp_path / "moved")
    assert ensure(moved) == []
    assert answers(moved)


def test_start_that_is_killed_takes_pip_along_and_the_next_goes_on(course, start):
    (course / "toy" / "slow").touch()
    first = start()
    number = builder(course)
    first.kill()
    until(lambda: not is_running(number))
    (course / "toy" / "slow").unlink()
    assert not any("Making" in step for step in ensure(course))
    assert answers(course)
    assert (course / ".venv" / "notes.txt").read_text() == "the learner's"


def test_control_c_is_one_line_and_ends_what_pip_started(course, start):
    (course / "toy" / "slow").touch()
    first = start()
    number = builder(course)
    os.killpg(first.pid, signal.SIGINT)
    said = first.communicate(timeout=PATIENCE)[1]
    assert first.returncode == 130
    assert said.endswith("\n\nStopped. The same command starts again.\n")
    assert "Traceback" not in said
    until(lambda: not is_running(number))


def test_two_starts_at_once_install_once(course, start):
    (course / "toy" / "slow").touch()
    both = [start(), start()]
    builder(course)
    time.sleep(1)
    (course / "toy" / "slow").unlink()
    said = [one.communicate(timeout=PATIENCE) for one in both]
    assert [out for out, _ in said] == ["moved in\n", "moved in\n"]
    errors = sorted((error for _, error in said), key=len)
    assert errors[0] == "Another start is installing here: waiting for it\n"
    assert f"Installing the packages of {LEARNERS}" in errors[1]


def test_environment_of_the_learner_s_own_is_left_alone(bare):
    (bare / ".venv").mkdir()
    (bare / ".venv" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not made by this course and stays as it is"):
        ensure(bare)
    assert os.listdir(bare / ".venv") == ["notes.txt"]


def test_environment_whose_python_is_gone_is_put_aside(course):
    for number in (1, 2):
        python_of(course / ".venv").unlink()
        assert ensure(course)[0].endswith(f" is now in .venv-old-{number}")
        assert answers(course)
    assert (course / ".venv-old-1" / "notes.txt").read_text() == "the learner's"


@pytest.mark.parametrize(
    ("script", "mode", "said"),
    [
        ("#!/bin/sh\nexec sleep 60", 0o755, "cannot be started now: .* timed out"),
        ("#!/bin/sh\nkill -9 $$", 0o755, "was ended by signal 9"),
        ("#!/bin/sh\nexit 1", 0o755, None),
        ("not a program", 0o755, None),
        ("", 0o644, "cannot be started now: .*Permission denied"),
    ],
)
def test_only_a_definite_answer_counts(script, mode, said, tmp_path):
    python = tmp_path / "python"
    assert environment.version_of(python) is None
    python.write_text(script)
    python.chmod(mode)
    if said is None:
        assert environment.version_of(python) is None
    else:
        with pytest.raises(UsageError, match=f"^{python} {said}"):
            environment.version_of(python, seconds=0.5)


@pytest.mark.parametrize("no_index", "01")
def test_what_pip_refuses_is_one_line(no_index, course, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", no_index)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")  # answers nothing
    (course / LEARNERS).write_text("no-such==1.0\n")
    with pytest.raises(UsageError) as problem:
        ensure(course)
    assert str(problem.value) == (
        "pip failed: No matching distribution found for no-such==1.0; check the "
        "network, the disk and pip's settings, then try again"
    )


def test_too_little_disk_is_told_before_anything_is_made(bare, monkeypatch):
    monkeypatch.setattr(environment, "NEEDED", {"cpu": 1e8, "cuda": 1e8})
    with pytest.raises(UsageError, match=r"disk are free, 100000000\.0 GB needed: mak"):
        ensure(bare)
    assert not (bare / ".venv").exists()


def test_missing_venv_module_names_the_package(bare, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    version = "{}.{}".format(*sys.version_info)
    with pytest.raises(UsageError, match=f"sudo apt install python{version}-venv"):
        ensure(bare)


def test_what_cannot_be_written_is_one_line(bare):
    (bare / ".venv").write_text("in the way")
    with pytest.raises(UsageError, match=r"\.venv cannot be made: .*Errno"):
        ensure(bare)


@pytest.mark.parametrize(
    ("gpu", "reachable", "more"),
    [
        (False, True, ["--extra-index-url", environment.CPU_WHEELS]),
        (False, False, []),
        (True, True, []),
    ],
)
def test_torch_without_cuda_comes_from_its_own_index(
    gpu, reachable, more, tmp_path, monkeypatch
):
    (tmp_path / LEARNERS).write_text("numpy==2\ntorch==1\n")
    orders = []
    monkeypatch.setattr(environment, "pip", lambda _, *words: orders.append([*words]))
    monkeypatch.setattr(environment, "is_reachable", lambda url: reachable)
    monkeypatch.setattr(environment.sys, "platform", "linux")
    environment.install_file(Path("python"), tmp_path / LEARNERS, gpu=gpu)
    assert orders == [["torch==1", *more], ["-r", str(tmp_path / LEARNERS)]]


def test_host_that_never_answers_is_given_up():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert not pip.is_reachable(url, seconds=0.5)


def test_news_of_pip():
    line = "  Downloading https://host/torch-2.whl (191.8 MB)\n"
    assert pip.pip_news(line) == "  downloading torch-2.whl (191.8 MB)"
    line = "Installing collected packages: a, b, c"
    assert pip.pip_news(line) == "  installing 3 packages, a minute or two"
    assert pip.pip_news("  Downloading small-1.whl (9.8 kB)") is None
