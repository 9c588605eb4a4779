"""The run of all tests: its lanes, and the network that it blocks."""

import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

from helpers.cli import test
from helpers.cli.command_line import parse
from tests import lanes
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
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PROBE)])
    where = {"metadata": {"path": str(place)}}
    client = NotebookClient(notebook, resources=where, kernel_name="python3")
    client.execute(env=lanes.variables())
    # The proxy that is set does not exist: URLError.
    wanted = f"blocked\nblocked\nURLError\n{strict} 1\n"
    assert notebook.cells[0].outputs[0].text == wanted


NBVAL, OWN = ["--nbval", "notebooks"], []  # the end of words that each lane has


@pytest.mark.parametrize(
    ("words", "lanes"),
    [
        ([], [NBVAL, OWN]),
        (["-k", "tests"], [[*NBVAL, "-k", "tests"], ["-k", "tests"]]),
        (["notebooks"], [NBVAL, ["notebooks"]]),
        (["tests/cli/test_lanes.py::a", "-x"], [["cli/test_lanes.py::a", "-x"]]),
        (["--lane", "own"], [OWN]),
    ],
)
def test_lanes_of_a_run(words, lanes, root, monkeypatch):
    calls = []
    call = lambda words, **_: calls.append(words) or 0  # noqa: E731
    monkeypatch.chdir(root)
    monkeypatch.setattr(test.sys, "platform", "linux")
    monkeypatch.setattr(test.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(test.subprocess, "call", call)
    assert test.run(parse("test", words)) == 0
    for command, expected in zip(calls, lanes, strict=True):
        assert ("--nbval" in command) == ("--nbval" in expected)
        for word in expected:
            assert any(part.endswith(word) for part in command), word


@pytest.mark.parametrize(
    ("machine", "statuses", "status", "line"),
    [
        ("x86_64", [0, 0], 0, "oldest arithmetic: passed in 0 s; own"),
        ("AMD64", [1, 0], 1, "oldest arithmetic: FAILED in 0 s; own"),
        ("AMD64", [5, 0], 0, "oldest arithmetic: no tests in 0 s; own"),
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
    env = {key: value for key, value in os.environ.items() if key not in lanes.OLDEST}
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


def test_run_without_a_browser_says_so_in_a_line_of_its_own(tmp_path, root):
    nowhere = {"PATH": str(tmp_path), "COURSE_CHROMIUM": ""}
    lines = run_pytest(root, "tests/browser", **nowhere).stdout.splitlines()
    assert re.fullmatch(r"=+ \d+ skipped in .*", lines[-1])
    assert sum(line.startswith("No Chromium is on the PATH:") for line in lines) == 1
