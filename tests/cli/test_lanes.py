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


def test_other_pythons_reach_this_computer_only():
    code = """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname(), 2).close()
    socket.create_connection(("localhost", server.getsockname()[1]), 2).close()
socket.create_connection(("example.org", 80), 2)
"""
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=test.variables(),
    )
    line = "OSError: the network is blocked in tests: example.org"
    assert answer.stderr.splitlines()[-1] == line


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
    ("statuses", "status", "line"),
    [
        ([0, 0], 0, "oldest arithmetic: passed in 0 s; own arithmetic: passed in 0 s"),
        ([1, 0], 1, "oldest arithmetic: FAILED in 0 s; own arithmetic: passed in 0 s"),
        (
            [5, 0],
            0,
            "oldest arithmetic: no tests in 0 s; own arithmetic: passed",
        ),
        ([5, 5], 5, "oldest arithmetic: no tests in 0 s; own arithmetic: no tests in"),
        ([4], 4, "oldest arithmetic: FAILED in 0 s"),
    ],
)
def test_worst_lane_decides(statuses, status, line, monkeypatch, capsys):
    left = iter(statuses)
    monkeypatch.setattr(test, "pytest", lambda *_: next(left))
    monkeypatch.setattr(test.sys, "platform", "linux")
    monkeypatch.setattr(test.platform, "machine", lambda: "AMD64")
    assert test.run(parse("test", [])) == status
    assert capsys.readouterr().out.startswith(line)


def test_arm_has_its_own_arithmetic_only(monkeypatch, capsys):
    monkeypatch.setattr(test, "pytest", lambda *_: 0)
    monkeypatch.setattr(test.platform, "machine", lambda: "aarch64")
    test.run(parse("test", []))
    assert capsys.readouterr().out == "own arithmetic: passed in 0 s\n"


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


PROBE_OF_LANE = """
import os, socket
def test_probe():
    import torch
    assert torch.get_num_threads() == {threads}
    assert torch.backends.cpu.get_cpu_capability() {is_default} "DEFAULT"
    assert socket.socket.__name__ == "OfflineSocket"
    assert os.environ["PYTHONHASHSEED"] == "0" and os.environ["COLUMNS"] == "80"
"""


@pytest.mark.parametrize(
    ("words", "threads", "is_default"),
    [([], 1, "!="), (["--nbval"], 1, "==")],
)
def test_bare_pytest_has_the_threads_and_the_silence(
    words, threads, is_default, root, tmp_path
):
    probe = PROBE_OF_LANE.format(threads=threads, is_default=is_default)
    (tmp_path / "test_probe.py").write_text(probe)
    answer = run_pytest(root, "-p", "conftest", *words, tmp_path, COLUMNS="40")
    assert answer.returncode == 0, answer.stdout


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
    (tmp_path / "hidden.py").write_text(
        "from helpers.cli import test\n\ntest.BROWSERS.clear()\n"
    )
    answer = run_pytest(
        root, "-p", "hidden", root / "tests" / "browser", PYTHONPATH=str(tmp_path)
    )
    lines = answer.stdout.splitlines()
    assert answer.returncode == 0, answer.stdout
    assert re.fullmatch(r"=+ \d+ skipped in .*", lines[-1])
    assert lines.count(test.NO_BROWSER) == 1


SYSTEM = {  # stands for the system's own commands
    "id": "echo 0",
    "apt-get": 'echo "apt-get $*" >> "$ASKED"; echo E: no network >&2; exit 100',
    "python3.11": """case "$*" in
  *chromium*) exit 1;;
  *helpers*) echo "$*";;
esac""",
}


@pytest.mark.skipif(os.name == "nt", reason=".ci/run is for machines with bash")
def test_ci_goes_on_where_chromium_cannot_be_installed(tmp_path, root):
    for name, script in SYSTEM.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    answer = subprocess.run(
        ["bash", str(root / ".ci" / "run"), "-k", "tokens"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "ASKED": str(tmp_path / "asked")},
    )
    assert answer.stdout == "-m helpers test -k tokens\n"
    assert answer.stderr == "Chromium could not be installed: E: no network\n"
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("apt-get -qq ") and asked.endswith(" update\n")
