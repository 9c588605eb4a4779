"""The run of all tests: its arguments, and the network that it blocks."""

import os
import re
import subprocess
import sys

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from helpers.cli import suite

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
    ("folder", "strict"), [("notebooks", "None"), ("notebooks/solutions", "1")]
)
def test_notebook_kernels_reach_nothing(tmp_path, folder, strict):
    place = tmp_path / folder
    place.mkdir(parents=True)
    manager, client = start_new_kernel(cwd=str(place), env=suite.variables())
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
        env=suite.variables(),
    )
    line = "OSError: the network is blocked in tests: example.org"
    assert answer.stderr.splitlines()[-1] == line


def test_arguments_name_everything_unless_a_path_is_given(root, monkeypatch):
    monkeypatch.chdir(root)
    everything = suite.arguments(["-k", "tests"])
    assert everything[-4:-2] == ["-k", "tests"]
    assert everything[-2:] == [str(root / "tests"), str(root / "notebooks")]
    some = suite.arguments(["tests/cli/test_suite.py::test_name", "-x"])
    assert some[-2:] == [f"{root}/tests/cli/test_suite.py::test_name", "-x"]


def test_notebooks_pass_only_with_the_outputs_they_show(tmp_path, root):
    (tmp_path / "notebooks").mkdir()
    for name, output in [("right", "2"), ("wrong", "3")]:
        cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
        shown = nbformat.v4.new_output("execute_result", {"text/plain": output})
        cell.outputs = [shown]
        notebook = nbformat.v4.new_notebook(cells=[cell])
        nbformat.write(notebook, tmp_path / "notebooks" / f"{name}.ipynb")
    arguments = suite.arguments(["-n", "0", str(tmp_path / "notebooks")])
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        capture_output=True,
        text=True,
        cwd=root,
        env=suite.variables(),
    )
    assert answer.returncode == 1
    assert " 1 failed, 1 passed in " in answer.stdout
    assert "wrong.ipynb::Cell 0" in answer.stdout


def test_browser_is_the_one_named_or_the_first_that_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(suite, "APPLICATIONS", [r"%ProgramFiles%\none.exe"])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COURSE_CHROMIUM", raising=False)
    assert suite.chromium() is None
    paths = {}
    for name in ("google-chrome", "chromium", "my-own"):
        paths[name] = tmp_path / (name + ".exe" * (os.name == "nt"))
        paths[name].write_text("")
        paths[name].chmod(0o755)
        assert suite.chromium() == str(
            paths["chromium"] if "chromium" in paths else paths[name]
        )
    monkeypatch.setenv("COURSE_CHROMIUM", "my-own")
    assert suite.chromium() == str(paths["my-own"])
    monkeypatch.setenv("COURSE_CHROMIUM", "gone")
    assert suite.chromium() == "gone"  # and its tests fail, rather than be left out


def test_run_without_a_browser_says_so_in_a_line_of_its_own(tmp_path, root):
    hidden = "suite.BROWSERS.clear(), suite.APPLICATIONS.clear()"
    (tmp_path / "hidden.py").write_text(f"from helpers.cli import suite\n\n{hidden}\n")
    environment = suite.variables()
    environment.pop("COURSE_CHROMIUM", None)
    environment["PYTHONPATH"] += os.pathsep + str(tmp_path)
    arguments = suite.arguments(
        ["-n", "1", "-p", "hidden", str(root / "tests" / "browser")]
    )
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
    )
    lines = answer.stdout.splitlines()
    assert answer.returncode == 0, answer.stdout
    assert re.fullmatch(r"=+ \d+ skipped in .*", lines[-1])
    assert lines.count(suite.NO_BROWSER) == 1


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
