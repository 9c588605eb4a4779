"""What a user types, what a user gets: one line and status 2 for each mistake."""

import ast
import importlib
import os
import re
import sys

import pytest

from helpers.cli import command_line, doctor, environment
from helpers.cli.command_line import main
from helpers.models import ModelError
from helpers.pocket import training
from tests.cli.waiting import COURSE, run


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["begin"], "there is no command 'begin': expected one of start, test, "),
        (["start", "--port", "x"], "argument --port: invalid int value: 'x'"),
        (["test", "tests/nope.py"], "there is no file or folder 'tests/nope.py'"),
        (["start", "--port", "99999"], "port 99999 cannot be had: choose another with"),
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
    assert all(re.search(rf"^  {name} ", said, re.M) for name in command_line.COMMANDS)


def test_own_python_without_the_packages_is_one_line(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_NO_VENV", "1")
    names = {command_line.LEARNERS: ["no_such_package"]}
    monkeypatch.setattr(command_line, "IMPORTED", names)
    assert main(["start"]) == 2
    assert "this Python lacks no_such_package" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, "\nStopped. The same command starts again.\n"),
        (ModelError("no such model"), 2, "python -m helpers: no such model\n"),
    ],
)
def test_what_ends_a_command_is_one_line(error, status, line, capsys, monkeypatch):
    def fail(argv):
        raise error

    monkeypatch.setattr(command_line, "run", fail)
    assert main(["start"]) == status
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_has_its_module(name):
    module = importlib.import_module(command_line.COMMANDS[name][1])
    assert hasattr(module, "main" if name in command_line.LATE else "run")


def test_options_of_late_modules_are_handed_over(monkeypatch):
    handed = []
    monkeypatch.setattr(command_line, "enter", lambda argv, gpu: None)
    monkeypatch.setattr(training, "main", handed.append)
    command_line.run(["pretrain", "--steps", "3"])
    assert handed == [["--steps", "3"]]


@pytest.mark.parametrize(
    ("shell", "status", "line"),
    [
        ("doctor >/dev/full", 2, "[Errno 28] No space left on device"),
        ("test --help >/dev/full", 2, "[Errno 28] No space left on device"),
        ("generate A >/dev/full", 2, "[Errno 28] No space left on device"),
        ("doctor | head -1 >/dev/null", 0, None),
        ("--help >&-", 0, None),
    ],
)
def test_streams_that_are_closed_or_full(shell, status, line):
    answer = run("sh", "-c", " ".join(map(repr, COURSE)) + " " + shell)
    assert (answer.returncode, answer.stdout) == (status, b"")
    assert answer.stderr.decode() == (f"python -m helpers: {line}\n" if line else "")


def test_python_without_assertions_is_refused():
    answer = run(COURSE[0], "-OO", COURSE[1], "doctor")
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"python -m helpers: -O and PYTHONOPTIMIZE take")


@pytest.mark.parametrize(("word", "own"), [("1", 1), ("true", 1), ("0", 0), ("No", 0)])
def test_course_no_venv_is_a_yes_or_a_no(word, own, monkeypatch):
    monkeypatch.setenv("COURSE_NO_VENV", word)
    assert environment.is_own() == bool(own)


@pytest.mark.parametrize("model", ["mine", "gpt2", "no/such"])
def test_folder_in_course_model_means_the_same_everywhere(model, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "gpt2").mkdir()  # the hub's all the same
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_MODEL", model)
    monkeypatch.setattr(doctor, "run", lambda options: 0)
    main(["doctor"])
    settled = str(tmp_path / "mine") if model == "mine" else model
    assert os.environ["COURSE_MODEL"] == settled


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_what_an_old_python_reads_first_it_can_read(root, name):
    source = (root / "helpers" / name).read_bytes()
    assert source.isascii()  # Python 2 asks for no coding line then
    tree = ast.parse(source, feature_version=(3, 4))
    assert not any(isinstance(node, ast.JoinedStr) for node in ast.walk(tree))


def test_old_python_is_one_line_that_names_one_that_runs(root, tmp_path):
    for name, status in {"python3.13": 127, "python3.12": 0}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {status}\n")
        (tmp_path / name).chmod(0o755)
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0);"
        f"runpy.run_path({str(root / 'helpers' / '__main__.py')!r})"
    )
    answer = run(sys.executable, "-c", code, PATH=str(tmp_path))
    assert answer.returncode == 2
    line = (
        b"Python 3.9 is too old: 3.11 or newer is needed; try python3.12 -m helpers\n"
    )
    assert answer.stderr == line


def test_folder_runs_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = run(*COURSE, "begin")
    assert answer.returncode == 2
    assert answer.stderr.startswith(b"python -m helpers: there is no command 'begin'")
