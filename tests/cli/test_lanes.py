"""The run of all tests: its lanes, and the network that it blocks."""

import os
import re
import subprocess
import sys

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from helpers.cli import test
from helpers.cli.command_line import parse
from tests.cli.waiting import is_running, until

PROBE = """
import os, socket, urllib.request
for reach in (
    lambda: socket.create_connection(("192.0.2.1", 80), 2),
    lambda: socket.getaddrinfo("huggingface.co", 443),
    lambda: urllib.request.urlopen("http://huggingface.co", timeout=2),
):
    try:
        print(reach())
    except OSError as error:
        print("blocked" if "blocked in tests" in str(error) else type(error).__name__)
print(os.environ.get("COURSE_STRICT"), os.environ.get("HF_HUB_OFFLINE"))
"""


@pytest.mark.parametrize(
    ("folder", "strict"), [("notebooks", ""), ("notebooks/solutions", "1")]
)
def test_notebook_kernels_reach_nothing(tmp_path, folder, strict):
    place = tmp_path / folder
    place.mkdir(parents=True)
    manager, client = start_new_kernel(cwd=str(place), env=test.variables())
    said = []
    try:
        hook = lambda message: said.append(message["content"].get("text", ""))  # noqa: E731
        client.execute_interactive(PROBE, output_hook=hook, timeout=30)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    lines = "".join(said).split("\n")
    assert lines[:2] == ["blocked", "blocked"]
    assert lines[2] == "URLError"  # the proxy that is set does not exist
    assert lines[3] == f"{strict} 1"


@pytest.mark.parametrize(
    ("words", "lanes"),
    [
        ([], {"oldest": ["--nbval", "notebooks"], "own": []}),
        (["-k", "tests"], {"oldest": ["notebooks", "-k", "tests"], "own": ["-k"]}),
        (["notebooks"], {"oldest": ["--nbval", "notebooks"], "own": ["notebooks"]}),
        (["tests/cli/test_lanes.py::a", "-x"], {"own": ["cli/test_lanes.py::a", "-x"]}),
        (["--lane", "own"], {"own": []}),
    ],
)
def test_lanes_of_a_run(words, lanes, root, monkeypatch):
    calls = []
    monkeypatch.chdir(root)
    monkeypatch.setattr(test.sys, "platform", "linux")
    monkeypatch.setattr(test.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(
        test.subprocess, "call", lambda words, **more: calls.append((words, more)) or 0
    )
    assert test.run(parse("test", words)) == 0
    assert len(calls) == len(lanes)
    for (command, more), (lane, expected) in zip(calls, lanes.items(), strict=True):
        assert ("ATEN_CPU_CAPABILITY" in more["env"]) == (lane == "oldest")
        assert ("--nbval" in command) == (lane == "oldest")
        for word in expected:
            assert any(part.endswith(word) for part in command), word


@pytest.mark.parametrize(
    ("machine", "statuses", "status", "line"),
    [
        (
            "x86_64",
            [0, 0],
            0,
            "oldest arithmetic: passed in 0 s; own",
        ),
        ("AMD64", [1, 0], 1, "oldest arithmetic: FAILED in 0 s; own"),
        (
            "AMD64",
            [5, 0],
            0,
            "oldest arithmetic: no tests in 0 s; own",
        ),
        ("AMD64", [5, 5], 5, "oldest arithmetic: no tests in 0 s; own"),
        ("AMD64", [4], 4, "oldest arithmetic: FAILED in 0 s"),
        ("aarch64", [0], 0, "own arithmetic: passed in 0 s"),
    ],
)
def test_worst_lane_decides(machine, statuses, status, line, monkeypatch, capsys):
    left = iter(statuses)
    monkeypatch.setattr(test, "pytest", lambda *_: next(left))
    monkeypatch.setattr(test.sys, "platform", "linux")
    monkeypatch.setattr(test.platform, "machine", lambda: machine)
    assert test.run(parse("test", [])) == status
    assert capsys.readouterr().out.startswith(line)


@pytest.fixture(scope="module")
def notebooks(tmp_path_factory):
    """A folder with three notebooks."""
    folder = tmp_path_factory.mktemp("course") / "notebooks"
    folder.mkdir()
    cells = {"right": ("1 + 1", "2"), "other": ("1 + 1", "3"), "wrong": ("1 / 0", "2")}
    for name, (source, output) in cells.items():
        cell = nbformat.v4.new_code_cell(source, execution_count=1)
        shown = nbformat.v4.new_output("execute_result", {"text/plain": output})
        cell.outputs = [shown]
        notebook = nbformat.v4.new_notebook(cells=[cell])
        nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


def run_pytest(root, *words, **more):
    """Run bare pytest on the course, in a process of its own."""
    command = [sys.executable, "-m", "pytest", "-c", root / "pyproject.toml"]
    command += ["--rootdir", root, "-n", "0", *words]
    env = {key: value for key, value in os.environ.items() if key not in test.OLDEST}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=root, env={**env, **more}
    )


@pytest.mark.parametrize(
    ("words", "result"),
    [([], "1 failed, 2 passed"), (["--nbval"], "2 failed, 1 passed")],
)
def test_notebooks_run_and_strictly_show_the_same(words, result, notebooks, root):
    answer = run_pytest(root, "-p", "conftest", *words, notebooks)
    assert f" {result} in " in answer.stdout, answer.stdout


LANE = """
import os, pytest, socket, torch
def test_lane():
    assert torch.get_num_threads() == int(os.environ["OMP_NUM_THREADS"])
    assert os.environ["PYTHONHASHSEED"] == "0" and os.environ["COLUMNS"] == "80"
    assert os.environ.get("MKL_CBWR", "own") == {mkl!r}
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1]), 2).close()
    with pytest.raises(OSError, match="the network is blocked in tests: example.org"):
        socket.create_connection(("example.org", 80), 2)
"""


@pytest.mark.parametrize(("words", "mkl"), [([], "own"), (["--nbval"], "COMPATIBLE")])
def test_bare_pytest_chooses_threads_and_lane_and_is_offline(
    words, mkl, root, tmp_path
):
    (tmp_path / "test_lane.py").write_text(LANE.format(mkl=mkl))
    answer = run_pytest(root, "-p", "conftest", *words, tmp_path, COLUMNS="40")
    assert answer.returncode == 0, answer.stdout


def test_run_ends_with_whoever_started_it(root, tmp_path):
    sleeping = tmp_path / "test_sleep.py"
    sleeping.write_text(
        "import os, pathlib, time\n"
        "pathlib.Path(__file__).with_name('pid').write_text(str(os.getpid()))\n"
        "def test_sleep():\n    time.sleep(600)\n"
    )
    command = [sys.executable, root / "helpers", "test", "--lane", "own", "-n", "0"]
    env = {**os.environ, "COURSE_NO_VENV": "1"}
    command += ["-p", "conftest", sleeping]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=env) as run:
        pid = tmp_path / "pid"
        until(lambda: pid.exists() and pid.read_text())
        run.kill()
    until(lambda: not is_running(int(pid.read_text())))


def test_browser_is_the_one_named_or_the_first_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(test, "BROWSERS", ["chromium", "google-chrome", "%Any%/x.exe"])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COURSE_CHROMIUM", raising=False)
    assert test.chromium() is None
    for name in ("google-chrome", "chromium", "my-own"):
        path = tmp_path / (name + ".exe" * (os.name == "nt"))
        path.write_text("")
        path.chmod(0o755)
        assert test.chromium().endswith(name if name != "my-own" else "chromium")
    monkeypatch.setenv("COURSE_CHROMIUM", "my-own")
    assert test.chromium().endswith("my-own")
    monkeypatch.setenv("COURSE_CHROMIUM", "gone")
    assert test.chromium() == "gone"  # and its tests fail, rather than be left out


def test_run_without_a_browser_says_so_in_a_line_of_its_own(tmp_path, root):
    code = "from helpers.cli import test\n\ntest.BROWSERS.clear()\n"
    (tmp_path / "hidden.py").write_text(code)
    answer = run_pytest(
        root, "-p", "hidden", root / "tests" / "browser", PYTHONPATH=str(tmp_path)
    )
    lines = answer.stdout.splitlines()
    assert answer.returncode == 0, answer.stdout
    assert re.fullmatch(r"=+ \d+ skipped in .*", lines[-1])
    assert lines.count(test.NO_BROWSER) == 1


@pytest.mark.skipif(os.name == "nt", reason=".ci/run is for machines with bash")
def test_ci_goes_on_where_chromium_cannot_be_installed(tmp_path, root):
    python = 'case "$*" in *chromium*) exit 1;; *helpers*) echo "$*";; esac'
    fakes = {"id": "echo 0", "apt-get": "echo E: no >&2; exit 1", "python3.11": python}
    for name, script in fakes.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    answer = subprocess.run(
        ["bash", str(root / ".ci" / "run"), "-k", "tokens"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )
    assert answer.stdout == "-m helpers test -k tokens\n"
    assert answer.stderr == "Chromium could not be installed: E: no\n"
