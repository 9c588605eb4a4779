"""What a user types, what a user gets: one line and status 2 for each mistake."""

import ast
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from helpers.cli.packages import SetupError

from helpers.cli import command_line, lab
from helpers.cli import generate as generation
from helpers.cli.command_line import main
from helpers.cli.generate import NUMBERS, TAKES, flag, room, taken
from helpers.decoding import strategies
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
        begun = time.monotonic()
        pieces = list(iter(lambda: os.read(process.stdout.fileno(), 1000), b""))
    assert len(pieces) > 10
    assert time.monotonic() - begun < 30
