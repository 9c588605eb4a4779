"""`finetune`: what is told, what is made, and one line for each mistake."""

import json

import pytest

from helpers import training
from helpers.cli import command_line
from helpers.cli.command_line import main, parse
from helpers.training import TrainingError

VERSE = ["finetune", "--corpus", "verse"]
WRONG = [
    (["finetune"], "the following arguments are required: --corpus (see "),
    ([*VERSE, "--epochs", "x"], "argument --epochs: invalid float value: 'x' (see "),
    ([*VERSE, "--form", "rows"], "argument --form: invalid choice: 'rows' ("),
    ([*VERSE, "--output", ""], "--output is empty\n"),
    ([*VERSE, "--epochs", "0"], "epochs is 0.0, expected a number above 0\n"),
    ([*VERSE, "--seed", "-1"], "seed is -1, expected a whole number from 0"),
    ([*VERSE, "--warmup", "1"], "warmup is 1.0, expected a share from 0, less than 1"),
    ([*VERSE, "--block-size", "1"], "size is 1, expected a whole number from 2"),
    ([*VERSE, "--model", "/no"], "there is no folder and no model on the hub named"),
    (["finetune", "--corpus", "prose"], "there is no corpus named 'prose': expected"),
]


@pytest.mark.parametrize(("words", "line"), WRONG)
def test_mistake_is_one_line_and_status_2(words, line, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "enter", lambda *_, **__: None)
    monkeypatch.setattr(training.finetuning, "HELD_OUT", 3)
    assert main([*words, *["--limit", "9"][: 2 * (words[-1] != "finetune")]]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    assert said.err.startswith(f"python -m helpers: {line}")
    assert not list(tmp_path.glob("runs/*/model*"))


def test_options_reach_the_training(monkeypatch, capsys, tmp_path):
    asked = []

    def finetune(corpus, **how):
        asked.append((corpus, how))
        return how["output"]

    monkeypatch.setattr(training, "finetune", finetune)
    words = ["--epochs", "2", "--checkpointing", "--limit", "5", "--prompt", "A"]
    command = [*VERSE[1:], *words, "--output", str(tmp_path)]
    for state in ("is finished", "was finished before: nothing was done"):
        from helpers.cli.finetune import run

        run(parse("finetune", command))
        said = capsys.readouterr().out
        use = f'python -m helpers generate --model {tmp_path} "…"'
        assert said == f"{tmp_path} {state}. {use}\n"
        (tmp_path / "history.json").write_text("[]")
    (corpus, how), _ = asked
    assert (corpus.name, corpus.limit) == ("verse", 5)
    wanted = {"epochs": 2.0, "checkpointing": True, "model": "pocket", "prompt": "A"}
    assert how == {**wanted, "output": str(tmp_path)}


def test_what_is_asked_for_is_told_and_made(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "enter", lambda *_, **__: None)
    monkeypatch.setattr(training.finetuning, "HELD_OUT", 3)
    words = ["--limit", "8", "--epochs", "1", "--evaluations", "1", "--prompt", "A"]
    assert main([*VERSE, *words]) == 0
    first, last, end = capsys.readouterr().out.splitlines()
    assert first.startswith("step 0 of 1: held-out perplexity ")
    assert last.startswith("step 1 of 1: ") and "; it writes 'A" in last
    assert end.startswith("runs/verse is finished. python -m helpers generate --model")
    rows = json.loads((tmp_path / "runs" / "verse" / "history.json").read_text())
    assert [row["step"] for row in rows] == [0, 1, 1]
    assert main(["generate", "--model", "runs/verse", "A", "--max", "3"]) == 0
    with pytest.raises(TrainingError):
        training.finetune(["a", "b"], output=tmp_path / "runs" / "verse")
    monkeypatch.setattr(training.finetuning, "texts_of", None)  # nothing is read again
    assert main([*VERSE, *words]) == 0
    assert "was finished before: nothing was done" in capsys.readouterr().out


def test_ctrl_c_says_that_the_same_command_goes_on(monkeypatch, capsys):
    def finetune(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "finetune", finetune)
    monkeypatch.setattr(command_line, "enter", lambda *_, **__: None)
    assert main(VERSE) == 130
    assert "the same command goes on from there.\n" in capsys.readouterr().err
