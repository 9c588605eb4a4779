"""A toy course is really installed: by pip, without network, with its own backend."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers.cli import environment, packages
from helpers.cli.environment import ensure, is_complete, python_of
from helpers.cli.packages import CutOff, SetupError, is_reachable, pip_news, pip_problem

BACKEND = '''
import pathlib, time, zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    """Build a wheel that holds one .pth file, slowly when asked to."""
    pathlib.Path("building").touch()
    while pathlib.Path("slow").exists():
        time.sleep(0.05)
    name = "toy-1.0-py3-none-any.whl"
    about = "toy-1.0.dist-info/"
    files = {
        "toy.pth": str(pathlib.Path.cwd()),
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
CODE = """
import sys; from pathlib import Path
from helpers.cli.command_line import main
from helpers.cli import environment
from helpers.cli import command_line
environment.ROOT = Path(sys.argv[1])
environment.ensure.__defaults__ = (environment.ROOT,)
command_line.become = lambda *_: print("moved in") or 0
sys.exit(main(["start"]))
"""


def use_no_index(monkeypatch):
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setattr(packages, "NEEDED", {"cpu": 10**7, "cuda": 10**7})
    monkeypatch.setattr(environment, "NEEDED", {"cpu": 10**7, "cuda": 10**7})


@pytest.fixture(autouse=True)
def no_index(monkeypatch):
    use_no_index(monkeypatch)


def toy_course(folder: Path, requirements: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "b.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "requirements.txt").write_text(requirements)
    (folder / "toy_module.py").write_text("ANSWER = 42\n")
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A toy course that is installed already; tests work on copies."""
    root = toy_course(tmp_path_factory.mktemp("installed") / "course")
    with pytest.MonkeyPatch.context() as patch:
        use_no_index(patch)
        steps = Steps()
        assert ensure(root, report=steps)
    assert steps[0].startswith("Making .venv: this happens once")
    return root


@pytest.fixture
def course(installed, tmp_path):
    """A copy of the toy course, which to `.venv` is a folder that has moved."""
    copy = Path(shutil.copytree(installed, tmp_path / "copy", symlinks=True))
    (copy / "building").unlink()
    return copy


class Steps(list):
    """Reports, remembered."""

    def __call__(self, text, *, passing=False):
        self.append(text)


def start(root: Path) -> subprocess.Popen:
    """Run `python -m helpers start` for a toy course in a process of its own."""
    path = str(Path(__file__).parent.parent.parent)
    return subprocess.Popen(
        [sys.executable, "-c", CODE, str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "COURSE_NO_VENV": "0"},
        start_new_session=True,
    )


def wait_for(path: Path, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def test_installed_environment_imports_the_course(installed):
    code = "import toy_module; print(toy_module.ANSWER)"
    command = [python_of(installed / ".venv"), "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert answer.stdout == "42\n"


def test_second_time_there_is_nothing_to_do(installed):
    steps, begun = Steps(), time.monotonic()
    assert ensure(installed, report=steps) is False
    assert steps == []
    assert time.monotonic() - begun < 1


def test_moved_folder_is_put_right_without_any_index(course):
    assert not is_complete(course)
    steps = Steps()
    ensure(course, report=steps)
    assert steps[0] == "The course's folder has moved: putting .venv right"
    assert is_complete(course)
    script = (course / ".venv" / "bin" / "pip").read_text()
    assert script.startswith(f"#!{course}/.venv/bin/python")
    test_installed_environment_imports_the_course(course)


def test_changed_requirements_are_installed(course):
    ensure(course, report=Steps())
    (course / "requirements.txt").write_text("pip\n")
    assert not is_complete(course)
    steps = Steps()
    ensure(course, report=steps)
    assert "Installing the other packages" in steps
    assert not any("Making" in step for step in steps)
    assert is_complete(course)


def test_next_start_recovers_from_one_that_was_killed(course):
    (course / "slow").touch()
    first = start(course)
    wait_for(course / "building")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate(timeout=20)
    (course / "slow").unlink()
    steps = Steps()
    ensure(course, report=steps)
    assert "Making .venv again, as its last installation was cut off" in steps[0]
    assert is_complete(course)


def test_control_c_is_one_line_and_is_remembered(course):
    (course / "slow").touch()
    first = start(course)
    wait_for(course / "building")
    os.kill(first.pid, signal.SIGINT)  # pip is ended too
    said = first.communicate(timeout=20)[1]
    assert first.returncode == 130
    assert said.endswith("\n\nStopped. The same command starts again.\n")
    assert "Traceback" not in said
    assert (course / ".venv" / "unfinished").exists()


def test_environment_without_a_python_is_made_again(course, monkeypatch):
    def make(venv):
        raise SetupError("far enough")

    monkeypatch.setattr(environment, "make", make)
    python_of(course / ".venv").unlink()
    steps = Steps()
    with pytest.raises(SetupError, match="far enough"):
        ensure(course, report=steps)
    assert "Making .venv again, as the one that is there does not run" in steps[0]


def test_two_starts_at_once_install_once(course):
    (course / "slow").touch()
    both = [start(course), start(course)]
    wait_for(course / "building")
    time.sleep(0.7)
    (course / "slow").unlink()
    said = [one.communicate(timeout=30) for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert [out for out, _ in said] == ["moved in\n", "moved in\n"]
    errors = sorted((error for _, error in said), key=len)
    assert errors[0] == "Another start is installing here: waiting for it\n"
    assert "Installing the course itself" in errors[1]


def test_lock_lasts_as_long_as_pip_does(course):
    (course / "slow").touch()
    first = start(course)
    wait_for(course / "building")
    os.kill(first.pid, signal.SIGKILL)  # pip goes on without it
    first.wait()
    with open(course / ".venv.lock", "a+b") as file:
        assert not environment.try_lock(file.fileno())
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()


def test_unreachable_index_is_one_line(course, monkeypatch):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(packages, "RETRIES", "1")
    (course / "requirements.txt").write_text("no-such-package==1.0\n")
    with pytest.raises(SetupError, match="^the package index cannot be reached: check"):
        ensure(course, report=Steps())
    assert not (course / ".venv" / "unfinished").exists()  # nothing to throw away


def test_what_pip_refuses_is_one_line(course):
    (course / "requirements.txt").write_text("no-such-package==1.0\n")
    with pytest.raises(SetupError) as problem:
        ensure(course, report=Steps())
    assert str(problem.value) == (
        "pip failed: No matching distribution found for no-such-package==1.0; "
        "the same command tries again"
    )


def test_pip_that_dies_while_installing_leaves_its_mark(course):
    code = (
        "import os; print('Installing collected packages: a', flush=True); os.abort()"
    )
    broken = course / ".venv" / "lib"
    broken = next(broken.glob("python3*")) / "site-packages" / "pip" / "__main__.py"
    broken.write_text(code)
    with pytest.raises(CutOff, match="^pip failed: pip was ended by signal 6;"):
        ensure(course, report=Steps())
    assert (course / ".venv" / "unfinished").exists()


def test_too_little_disk_is_told_before_anything_is_made(tmp_path, monkeypatch):
    root = toy_course(tmp_path / "course")
    monkeypatch.setattr(environment, "NEEDED", {"cpu": 10**17, "cuda": 10**17})
    with pytest.raises(SetupError, match=r"GB are free .*, and 100000000\.0 GB are"):
        ensure(root, report=Steps())
    assert not (root / ".venv").exists()


def test_missing_venv_module_names_the_package(tmp_path, monkeypatch):
    root = toy_course(tmp_path / "course")
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    version = "{}.{}".format(*sys.version_info)
    with pytest.raises(SetupError, match=f"sudo apt install python{version}-venv"):
        ensure(root, report=Steps())


def test_folder_that_cannot_be_written_is_one_line(tmp_path):
    root = toy_course(tmp_path / "course")
    (root / ".venv").write_text("in the way")
    with pytest.raises(SetupError, match=r"\.venv cannot be made: .*Errno"):
        ensure(root, report=Steps())


def test_cuda_is_not_taken_for_want_of_room(monkeypatch):
    def pip(python, wanted, *, report, keep_open=None):
        report("collecting nvidia-cublas", passing=True)

    monkeypatch.setattr(packages, "pip", pip)
    monkeypatch.setattr(packages, "is_reachable", lambda url: False)
    monkeypatch.setattr(packages.sys, "platform", "linux")
    monkeypatch.setitem(packages.NEEDED, "cuda", 10**17)
    with pytest.raises(SetupError, match="are needed: make room"):
        packages.install_torch(Path(sys.executable), ["torch==1"], report=Steps())


def test_torch_without_cuda_comes_from_its_own_index(monkeypatch):
    taken = []
    monkeypatch.setattr(
        packages, "pip", lambda python, wanted, **_: taken.append(wanted)
    )
    monkeypatch.setattr(packages, "is_reachable", lambda url: True)
    monkeypatch.setattr(packages.sys, "platform", "linux")
    python = Path(sys.executable)
    packages.install_torch(python, ["torch==1"], report=Steps())
    packages.install_torch(python, ["torch==1"], report=Steps(), gpu=True)
    assert taken == [
        ["torch==1", "--extra-index-url", packages.CPU_WHEELS],
        ["torch==1"],
    ]


def test_host_that_never_answers_is_given_up(monkeypatch):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        begun = time.monotonic()
        assert not is_reachable(url, seconds=0.5)
        assert time.monotonic() - begun < 1.5


def test_news_of_pip():
    line = "  Downloading https://host/torch-2.13.0-cp311.whl (191.8 MB)\n"
    assert pip_news(line) == "downloading torch-2.13.0-cp311.whl (191.8 MB)"
    assert pip_news("Collecting numpy==2.4.6 (from -r x)") == "collecting numpy==2.4.6"
    line = "Installing collected packages: a, b, c"
    assert pip_news(line) == "installing 3 packages, a minute or two"
    assert pip_news("Requirement already satisfied: pip") is None


def test_full_disk_in_the_middle_is_one_line():
    line = "ERROR: Could not install packages: [Errno 28] No space left on device"
    assert pip_problem([line]).startswith("the disk is full: make room")


def test_lock_is_free_again_when_its_holder_ends(tmp_path):
    with environment.locked(tmp_path, report=Steps()):
        with open(tmp_path / ".venv.lock", "a+b") as file:
            assert not environment.try_lock(file.fileno())
    waited = threading.Event()
    with environment.locked(tmp_path, report=lambda text: waited.set()):
        assert not waited.is_set()
