"""What a user types, what a user gets: one line and status 2 for each mistake."""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from helpers.cli import command_line, lab
from helpers.cli.command_line import main
from helpers.cli.packages import SetupError

OWN_PYTHON = {**os.environ, "COURSE_NO_VENV": "1"}


def run(root, *argv, cwd=None):
    command = [sys.executable, str(root / "helpers"), *argv]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env=OWN_PYTHON, timeout=120
    )


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["begin"], "there is no command 'begin': expected one of start, test, "),
        (["start", "--port", "x"], "argument --port: invalid int value: 'x'"),
        (["start", "--port", "99999"], "--port must lie in 1 … 65535, not 99999"),
        (["start", "here"], "unrecognized arguments: here"),
        (["doctor", "--all"], "unrecognized arguments: --all"),
    ],
)
def test_mistake_is_one_line_and_status_2(argv, line, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "enter", None)  # found before anything is made
    assert main(argv) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"python -m helpers: {line}")
    assert said.err.count("\n") == 1


def test_no_command_shows_them_all(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert all(re.search(rf"^  {name} ", said, re.M) for name in command_line.MODULES)


def test_own_python_without_the_packages_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_NO_VENV", "1")
    monkeypatch.setattr(command_line, "NEEDED", ("no_such_package",))
    assert main(["start"]) == 2
    assert "this Python lacks no_such_package" in capsys.readouterr().err


def test_control_c_is_one_line_and_status_130(capsys, monkeypatch):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run", interrupted)
    assert main(["start"]) == 130
    assert capsys.readouterr().err == "\nStopped. The same command starts again.\n"


def test_options_of_other_modules_are_handed_over(monkeypatch):
    class Module:
        @staticmethod
        def main(argv):
            return argv

    monkeypatch.setattr(command_line, "enter", lambda argv, gpu: None)
    monkeypatch.setattr(command_line.importlib, "import_module", lambda name: Module)
    assert command_line.run(["pretrain", "--steps", "3"]) == ["--steps", "3"]


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_what_an_old_python_reads_first_it_can_read(root, name):
    source = (root / "helpers" / name).read_bytes()
    assert source.isascii()  # Python 2 asks for no coding line then
    tree = ast.parse(source, feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree))


def test_old_python_is_one_line(root):
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0);"
        f"runpy.run_path({str(root / 'helpers' / '__main__.py')!r})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert answer.returncode == 2
    line = r"Python 3\.9 is too old: 3\.11 or newer is needed; (try|get it from) .+\n"
    assert re.fullmatch(line, answer.stderr)


def test_folder_runs_from_anywhere(root, tmp_path):
    answer = run(root, "begin", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("python -m helpers: there is no command 'begin'")


def test_doctor_reports_and_says_how_many_are_wrong(root):
    answer = run(root, "doctor")
    lines = answer.stdout.splitlines()
    wrong = sum(line.startswith("WRONG") for line in lines)
    assert answer.returncode == bool(wrong), answer.stdout + answer.stderr
    assert lines[0].split()[:2] == ["ok", "Python"]
    assert any(line.startswith("ok     pocket model") for line in lines)


def test_port_that_is_taken_is_refused_by_name_and_passed_over_by_default():
    with socket.socket() as server:
        server.bind((lab.HOST, 0))
        server.listen()
        port = server.getsockname()[1]
        with pytest.raises(SetupError, match=f"^port {port} is taken: choose another"):
            lab.free_port(port)
    free = lab.free_port(None)
    with socket.create_server((lab.HOST, free)):
        assert lab.free_port(None) > free


def test_start_serves_this_computer_only_and_asks_for_no_news(root):
    port = lab.free_port(None)
    command = [sys.executable, str(root / "helpers"), "start", "--no-browser"]
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=OWN_PYTHON,
    )
    try:
        address = server.stdout.readline().removeprefix("JupyterLab: ").strip()
        assert address.startswith(f"http://127.0.0.1:{port}/lab")
        page = urllib.request.urlopen(address, timeout=20).read().decode()
        assert '"news": {"disabled": true}' in page
        token = address.partition("token=")[2]
        updates = f"http://127.0.0.1:{port}/lab/api/update?token={token}"
        answer = urllib.request.urlopen(updates, timeout=20).read()
        assert answer == b'{"notification": null}'
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=20) == 0
        assert server.stderr.read() == "\nJupyterLab has stopped.\n"
    finally:
        server.kill()
        server.communicate()
