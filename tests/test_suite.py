"""The run of all tests: its arguments, and the network that it blocks."""

import subprocess
import sys

import nbformat
import pytest
from jupyter_client.manager import start_new_kernel

from helpers import suite

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
    some = suite.arguments(["tests/test_suite.py::test_name", "-x"])
    assert some[-2:] == [f"{root}/tests/test_suite.py::test_name", "-x"]


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
