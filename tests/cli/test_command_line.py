"""What a user types, what a user gets: one line and status 2 for each mistake."""

import ast
import importlib
import os
import re
import subprocess
import sys

import pytest

from helpers.cli import command_line, doctor, environment
from helpers.cli import generate as generation
from helpers.cli.command_line import main
from helpers.cli.generate import NUMBERS, TAKES, flag, room, taken
from helpers.decoding import strategies
from helpers.models import ModelError
from helpers.pocket import training
from helpers.worlds.world import load_world

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
        (["test", "tests/nope.py"], "there is no file or folder 'tests/nope.py'"),
        (["start", "--port", "99999"], "--port must lie in 1 … 65535, not 99999"),
        (["start", "here"], "unrecognized arguments: here"),
        (["doctor", "--all"], "unrecognized arguments: --all"),
        (["generate"], "the following arguments are required: prompt"),
        (["generate", " "], "the prompt is empty: give the text to continue"),
        (
            ["generate", "A", "--strategy", "best"],
            "argument --strategy: invalid choice",
        ),
        (["generate", "A", "--k", "2.5"], "argument --k: invalid int value: '2.5'"),
        (
            ["generate", "A", "--strategy", "min_p", "--min-p", "1.5"],
            "--min-p must lie in (0, 1], not 1.5",
        ),
        (
            ["generate", "A", "--strategy", "typical", "--typical-p", "1"],
            "--typical-p must lie in (0, 1), not 1.0",
        ),
        (
            ["generate", "A", "--strategy", "beam", "--num-beams", "0"],
            "--num-beams must be at least 1, not 0",
        ),
        (
            ["generate", "A", "--strategy", "beam", "--length-penalty", "inf"],
            "--length-penalty must be a finite number, not inf",
        ),
        (
            ["generate", "A", "--strategy", "contrastive", "--k", "0"],
            "--k must be at least 1, not 0",
        ),
        (
            ["generate", "A", "--strategy", "contrastive", "--alpha", "-0.5"],
            "--alpha must lie in [0, 1], not -0.5",
        ),
        (
            ["generate", "A", "--repetition-penalty", "0"],
            "--repetition-penalty must be above 0, not 0.0",
        ),
        (
            ["generate", "A", "--no-repeat-ngram", "0"],
            "--no-repeat-ngram must be at least 1, not 0",
        ),
        (["generate", "A", "--stop", ""], "--stop is empty: give the text to stop at"),
        (
            ["generate", "A", "--strategy", "beam", "--stop", "."],
            "--stop does nothing with --strategy beam: leave one out",
        ),
        (
            ["generate", "A", "--strategy", "contrastive", "--repetition-penalty", "2"],
            "--repetition-penalty does nothing with --strategy contrastive",
        ),
        (
            ["generate", "A", "--seed", "9" * 20],
            "--seed must be a number from 0 or `random`",
        ),
        (["generate", "A", "--top-p", "0"], "--top-p must lie in (0, 1], not 0.0"),
        (["generate", "A", "--top-p", "nan"], "--top-p must lie in (0, 1], not nan"),
        (["generate", "A", "--temperature", "0"], "--temperature must be above 0, not"),
        (["generate", "A", "--max-new-tokens", "0"], "--max-new-tokens must be at lea"),
        (["generate", "A", "--seed", "-1"], "--seed must be a number from 0 or `rando"),
        (
            ["generate", "A", "--strategy", "top_k", "--top-k", "0"],
            "--top-k must be at least 1, not 0",
        ),
        (
            ["generate", "A", "--strategy", "greedy", "--temperature", "1"],
            "--temperature does nothing with --strategy greedy: leave one out",
        ),
        (
            ["generate", "A", "--top-k", "5"],
            "--top-k does nothing with --strategy top_p",
        ),
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


def test_control_c_is_one_line_and_status_130(capsys, monkeypatch):
    def interrupted(argv):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run", interrupted)
    assert main(["start"]) == 130
    assert capsys.readouterr().err == "\nStopped. The same command starts again.\n"


def test_model_that_cannot_be_had_is_one_line(capsys, monkeypatch):
    def fail(argv):
        raise ModelError("no such model")

    monkeypatch.setattr(command_line, "run", fail)
    assert main([]) == 2
    assert capsys.readouterr().err == "python -m helpers: no such model\n"


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
        ("doctor | head -1 >/dev/null", 0, None),
        ("begin 2>&-", 2, None),
        ("begin <&- >&- 2>/dev/null", 2, None),
    ],
)
def test_streams_that_are_closed_or_full(root, shell, status, line):
    command = f"'{sys.executable}' '{root / 'helpers'}' {shell}"
    answer = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, env=OWN_PYTHON
    )
    assert (answer.returncode, answer.stdout) == (status, "")
    assert answer.stderr == (f"python -m helpers: {line}\n" if line else "")


def test_character_that_the_output_lacks_is_a_question_mark(root):
    code = "from helpers.cli.command_line import mend_streams as m; m(); print('é😀')"
    env = {**OWN_PYTHON, "PYTHONIOENCODING": "cp1252"}
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=env, cwd=root
    )
    assert answer.stdout == b"\xe9?\n"


def test_python_without_assertions_is_refused(root):
    command = [sys.executable, "-OO", str(root / "helpers"), "doctor"]
    answer = subprocess.run(command, capture_output=True, text=True, env=OWN_PYTHON)
    assert answer.returncode == 2
    assert answer.stderr.startswith("python -m helpers: -O and PYTHONOPTIMIZE take out")


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
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": str(tmp_path)},
    )
    assert answer.returncode == 2
    line = "Python 3.9 is too old: 3.11 or newer is needed; try python3.12 -m helpers\n"
    assert answer.stderr == line


def test_folder_runs_from_anywhere(root, tmp_path):
    answer = run(root, "begin", cwd=tmp_path)
    assert answer.returncode == 2
    assert answer.stderr.startswith("python -m helpers: there is no command 'begin'")


def options(*words):
    return command_line.parse("generate", ["A", *words])


@pytest.mark.parametrize("strategy", strategies.DEFAULTS)
def test_options_are_those_of_the_strategies(strategy):
    assert list(TAKES) == list(strategies.DEFAULTS)
    assert TAKES[strategy] == tuple(strategies.DEFAULTS[strategy])
    every = dict.fromkeys(taken(strategy))
    assert strategies.strategy_options(strategy, every) == strategies.DEFAULTS[strategy]
    for name in {*NUMBERS, "stop"} - set(every):
        with pytest.raises(TypeError, match=f"not {name}$"):
            strategies.strategy_options(strategy, {name: 1})
    said = command_line.parse("generate", ["A", "--strategy", strategy])
    assert all(getattr(said, name) is None for name in taken(strategy))


@pytest.mark.parametrize("name", [name for values in TAKES.values() for name in values])
def test_help_tells_each_default(name):
    (default,) = {d[name] for d in strategies.DEFAULTS.values() if name in d}
    assert f"({default})" in NUMBERS[name][1]
    assert flag(name) == "--" + name.replace("_", "-")


def test_options_are_read_without_torch(root):
    code = (
        "import sys; from helpers.cli.command_line import parse; "
        "parse('generate', ['A', '--top-p', '0.5']); print('torch' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root
    )
    assert answer.stdout == "False\n", answer.stderr


@pytest.fixture(scope="module")
def pocket():
    return strategies.engine("pocket")


@pytest.mark.parametrize(
    "words",
    [
        ("--strategy", "greedy", "--no-repeat-ngram", "3"),
        ("--strategy", "sample", "--temperature", "1.5", "--seed", "4"),
        ("--strategy", "top_k", "--top-k", "5", "--repetition-penalty", "1.2"),
        ("--top-p", "0.7", "--temperature", "1", "--stop", "."),
        ("--strategy", "min_p", "--min-p", "0.3"),
        ("--strategy", "typical", "--typical-p", "0.5"),
        ("--strategy", "beam", "--num-beams", "2", "--length-penalty", "-1"),
        ("--strategy", "contrastive", "--k", "3", "--alpha", "0.2"),
    ],
)
def test_what_is_printed_is_what_generate_text_returns(words, pocket, capsys):
    said = options(*words, "--max-new-tokens", "12", "--model", "pocket")
    generation.run(said)
    given = {name: getattr(said, name) for name in taken(said.strategy)}
    seed = int(said.seed)
    text = strategies.generate_text(
        "A", model=pocket, strategy=said.strategy, seed=seed, **given
    )
    assert capsys.readouterr().out == text + "\n"
    assert len(text) > 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--strategy", "top_k", "--top-k", "4097"), "--top-k must be at most 4096"),
        (("--strategy", "contrastive", "--k", "4097"), "--k must be at most 4096, not"),
        (
            ("--strategy", "beam", "--num-beams", "2049"),
            "--num-beams must be at most 2",
        ),
        (
            ("--max-new-tokens", "512"),
            "the prompt takes 2 of the model's 512 positions",
        ),
    ],
)
def test_what_only_the_model_knows_is_refused_before_printing(words, line, capsys):
    with pytest.raises(command_line.UsageError, match=f"^{line}"):
        generation.run(options(*words, "--model", "pocket"))
    assert capsys.readouterr().out == ""


def test_random_seed_is_told(pocket, capsys):
    generation.run(options("--seed", "random", "--max-new-tokens", "9"))
    said = capsys.readouterr()
    seed = re.fullmatch(r"--seed (\d+)\n", said.err)[1]
    generation.run(options("--seed", seed, "--max-new-tokens", "9"))
    assert capsys.readouterr().out == said.out


def test_room_left_in_the_context():
    assert room(5, 512, None) == 250
    assert room(500, 512, None) == 12
    assert room(500, 512, 12) == 12
    line = "the prompt takes 500 of the model's 512 positions, so 12 new tokens fit"
    with pytest.raises(command_line.UsageError, match=line):
        room(500, 512, 13)
    with pytest.raises(command_line.UsageError, match="so 0 new tokens fit"):
        room(600, 512, None)


def test_generated_story_is_one_the_world_accepts(root):
    answer = run(root, "generate", "Once upon a time", "--model", "pocket")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert answer.stdout.startswith("Once upon a time")
    assert load_world("stories").first_error(answer.stdout.strip()) is None


def test_generate_says_which_model_it_does_not_find(root):
    answer = run(root, "generate", "A", "--model", "no/such/folder")
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1


def test_text_appears_while_it_is_made(root):
    command = [sys.executable, str(root / "helpers"), "generate", "Once upon a time"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=OWN_PYTHON) as process:
        assert os.read(process.stdout.fileno(), 100) == b"Once upon a time"
        pieces = list(iter(lambda: os.read(process.stdout.fileno(), 1000), b""))
    assert len(pieces) > 10
