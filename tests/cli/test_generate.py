"""`generate`: the text that is printed, and one line for each mistake."""

import os
import re
import subprocess
import sys

import pytest

from helpers.cli import command_line, generate
from helpers.cli.command_line import main
from helpers.decoding import engine, generate_text
from helpers.options import UsageError, taken
from helpers.worlds import load_world
from tests.cli.waiting import COURSE, run

GENERATE = [*COURSE, "generate"]
DASH = "; put -- before a prompt that begins with - (see python -m helpers "


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ([], "the following arguments are required: prompt" + DASH),
        (["-hello"], "argument -h/--help: ignored explicit argument 'ello'" + DASH),
        (["--max"], "argument --max-new-tokens: expected one argument" + DASH),
        (["A", "--strategy", "best"], "argument --strategy: invalid choice: 'best' ("),
        (["A", "--k", "2.5"], "argument --k: invalid int value: '2.5' (see "),
        (["A", "--temperature", "1e-38"], "--temperature is 1e-38, expected a numb"),
        (["A", "--length-penalty", "-1e3"], "--length-penalty is -1000.0, expected a"),
        (["A", "--top-p", "nan"], "--top-p is nan, expected a number from 0.0001 to 1"),
        (["A", "--top-k", "5"], "--top-k does nothing with --strategy top_p: leave o"),
        (["A", "--strategy", "beam", "--stop", "."], "--stop does nothing with --str"),
        (["A", "--seed", "4294967296"], "--seed is '4294967296', expected `random` or"),
        (["A", "--seed", "-1"], "--seed is '-1', expected `random` or a whole number"),
        ([" "], "the prompt is empty\n"),
        (["A", "--stop", ""], "--stop is empty\n"),
        (["A", "--model", ""], "--model is empty\n"),
        (["caf\udce9"], r"the prompt is not UTF-8: 'caf\udce9'"),
        (["A", "--stop", "\udce9"], r"--stop is not UTF-8: '\udce9'"),
    ],
)
def test_mistake_is_one_line_and_status_2(words, line, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "enter", None)  # found before anything is made
    assert main(["generate", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"python -m helpers: {line}")


def options(*words):
    return command_line.parse("generate", ["--model", "pocket", *words])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("generate", ["A", "--top-p", "0.5"]),
        ("perplexity", ["--corpus", "verse"]),
        ("finetune", ["--corpus", "verse"]),
    ],
)
def test_options_are_read_without_torch(command, words, root):
    code = (
        "import sys; from helpers.cli.command_line import parse; "
        f"parse({command!r}, {words!r}); print('torch' in sys.modules)"
    )
    answer = run(sys.executable, "-c", code, PYTHONPATH=str(root))
    assert answer.stdout == b"False\n", answer.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--strategy", "greedy", "--no-repeat-ngram", "3"],
        ["--strategy", "sample", "--temperature", "1.5", "--seed", "4"],
        ["--strategy", "top_k", "--top-k", "5", "--repetition-penalty", "1.2"],
        ["--top-p", "0.7", "--temperature", "1", "--stop", "."],
        ["--strategy", "beam", "--num-beams", "2", "--length-penalty", "-1"],
        ["--strategy", "contrastive", "--k", "3", "--alpha", "0.2"],
        ["--", "-5 degrees"],
    ],
)
def test_what_is_printed_is_what_generate_text_returns(words, capsys):
    prompt = [] if "--" in words else ["A"]
    said = options("--max-new-tokens", "12", *prompt, *words)
    given = {name: getattr(said, name) for name in taken(said.strategy)}
    how = {"model": engine("pocket"), "strategy": said.strategy, "seed": int(said.seed)}
    generate.run(said)
    text = generate_text(said.prompt, **how, **given)
    assert capsys.readouterr().out == text + "\n"
    assert len(text) > len(said.prompt)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--strategy", "top_k", "--top-k", "9999"], "k is 9999, expected at most the"),
        (["--strategy", "beam", "--num-beams", "9999"], "num_beams is 9999, expected"),
        (["--max-new-tokens", "512"], "2 tokens of prompt and 512 new ones, but th"),
        (["--model", "no/such/model"], "there is no folder and no model on the hub n"),
        (["--model", "~nouser/x"], "'~nouser/x' cannot be read or stored ("),
    ],
)
def test_what_only_the_model_knows_is_refused_before_printing(words, line, capsys):
    with pytest.raises(UsageError) as error:
        generate.run(command_line.parse("generate", ["A", *words]))
    assert str(error.value).startswith(line)
    assert capsys.readouterr().out == ""


def test_a_broken_model_is_one_line(monkeypatch, capsys):
    def broken(*_, **__):
        yield " and"
        raise ValueError("NaN among the logits in row 0")

    monkeypatch.setattr("helpers.decoding.stream_text", broken)
    with pytest.raises(UsageError, match="^NaN among the logits in row 0$"):
        generate.run(options("A"))
    assert capsys.readouterr().out == "A and"


def test_random_seed_is_told(capsys):
    generate.run(options("A", "--seed", "random", "--max-new-tokens", "9"))
    said = capsys.readouterr()
    seed = re.fullmatch(r"--seed (\d+)\n", said.err)[1]
    generate.run(options("A", "--seed", seed, "--max-new-tokens", "9"))
    assert capsys.readouterr().out == said.out


def test_control_characters_never_reach_a_terminal(capsys):
    generate.show("\x1b[31m\tred\n\x9b0m\x1e\x7f naïve 🦊")
    assert capsys.readouterr().out == "\\x1b[31m\tred\n\\x9b0m\\x1e\\x7f naïve 🦊"


def test_text_appears_while_it_is_made_and_is_a_story(monkeypatch):
    monkeypatch.setenv("COURSE_NO_VENV", "1")
    words = [*GENERATE, "Once upon a time", "--model", "pocket"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        pieces = list(iter(lambda: os.read(process.stdout.fileno(), 1000), b""))
    assert len(pieces) > 10 and pieces[0].startswith(b"Once upon a time")
    assert load_world("stories").first_error(b"".join(pieces).decode().strip()) is None


@pytest.mark.parametrize(
    ("code", "out"),
    [("cp1252", b"na\xefve ? fox"), ("utf-8", "naïve 🦊 fox".encode())],
)
def test_what_a_pipe_cannot_show_is_replaced(code, out):
    words = [*GENERATE, "naïve 🦊 fox", "--max-new-tokens", "1"]
    answer = run(*words, PYTHONIOENCODING=code)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.startswith(out)
