"""helpers.bench: what it counts and prints; never how fast this machine is."""

import re

import pytest
import torch

from helpers.cli import bench, bench_texts, command_line
from helpers.cli.bench import mean_loss, row, take_turns
from helpers.gpt2 import GPT2
from helpers.models import ModelError
from helpers.options import UsageError
from tests.random_models import random_model

LINES = [
    *[f"batch {b}, {kind}" for b in (1, 8) for kind in bench.BYTES],
    *["4 beams", "8 beams", "after 50 tokens", "after 500 tokens"],
]


def test_turns_alternate_and_give_seconds_per_step():
    ran = []

    def task(name, *seconds):
        left = iter(seconds)
        return lambda: ran.append(name) or next(left)

    tasks = [task("a", 99.0, 1.0, 8.0, 2.0), task("b", 99.0, 4.0, 5.0, 60.0)]
    times = take_turns(tasks, repeats=3, steps=2)  # 99: to warm up
    assert times == [[0.5, 4.0, 1.0], [2.0, 2.5, 30.0]]
    assert ran == ["a", "b"] * 4


def test_a_row_shows_speeds_and_their_ratio():
    found = row([0.02, 0.04, 1.0], [0.02, 0.01, 0.9], 8, "50 %", "note")
    assert [*found.values()] == ["200 (400)", "400 (800)", "2.00x", "50 %", "note"]


def test_mean_loss_is_the_library_s(pocket):
    model, tokenizer = pocket
    text, end = "Once upon a time", tokenizer.eos_token_id
    ids = torch.tensor([[end, *tokenizer(text)["input_ids"], end]])
    with torch.no_grad():
        wanted = model(ids, labels=ids).loss.item()
    found = mean_loss(GPT2.from_hf(model), tokenizer, [text, text])
    assert found == pytest.approx(wanted, rel=1e-5)


def test_bench_prints_one_table_for_the_pocket_model(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_NO_VENV", "1")
    tiny = ["--repeats", "1", "--tokens", "3", "--texts", "1"]
    assert command_line.main(["bench", "--quick", *tiny]) == 0
    shown, complaints = capsys.readouterr()
    assert complaints == ""
    assert re.search(r"instructions: float32 \w+, bfloat16 \w+, int8 \w+\n", shown)
    for what in LINES:
        line = next(line for line in shown.splitlines() if line.startswith(what))
        assert re.search(r" \d+ \(\d+\) +\d+ \(\d+\) +\d+\.\d\dx", line), line
    assert shown.count("perplexity") == 4
    assert "random weights" not in shown


def test_learning_is_timed_beside_two_others(monkeypatch, capsys):
    monkeypatch.setattr(bench_texts, "TEXTS", 8)
    monkeypatch.setattr(bench_texts, "BATCH", 2)
    bench.main(["--part", "learning", "--repeats", "1", "--quick"])
    shown = capsys.readouterr().out
    for what in ("usual recipe", "bare loop"):
        line = next(line for line in shown.splitlines() if f"learning, {what}" in line)
        assert re.search(r" \d+ \(\d+\) +\d+ \(\d+\) +\d+\.\d\dx", line), line
    assert "batch 1" not in shown


def test_reading_gives_the_perplexity_of_the_usual_snippet(pocket, world):
    model, tokenizer = pocket
    text = "\n\n".join(map(world.sample, range(20)))
    ids = torch.tensor([tokenizer(text, verbose=False)["input_ids"]])
    usual = bench_texts.one_window_at_a_time(model, ids, 256)
    found = bench_texts.perplexity(model, ids, stride=256)
    assert found.ppl == pytest.approx(usual, rel=1e-5)


def test_reading_is_timed_at_the_size_of_gpt2(monkeypatch, capsys):
    monkeypatch.setattr(bench_texts, "READ", 2)
    bench.main(["--part", "reading", "--repeats", "1", "--quick"])
    shown = capsys.readouterr().out
    assert re.search(r"stride 512 .+\dx +perplexity", shown)


def test_a_short_context_has_rows_for_what_fits():
    model, how = random_model(), bench.read_options(["--repeats", "1", "--tokens", "2"])
    rows = bench.length_rows(model, GPT2.from_hf(model), how)
    assert [name for name, _ in rows] == ["after 50 tokens"]


@pytest.mark.parametrize(
    ("words", "variable", "titles"),
    [
        (["--model", "gpt2"], "mine", ["pocket", "gpt2"]),
        ([], "mine", ["pocket", "mine"]),
        ([], "pocket", ["pocket", "size of gpt2, random weights"]),
        (["--quick"], "mine", ["pocket"]),
    ],
)
def test_which_models_are_measured(monkeypatch, words, variable, titles):
    asked, pair = [], (random_model(), "tokenizer")
    monkeypatch.setattr(bench, "measure", lambda *given: asked.append(given) or "")
    monkeypatch.setattr(bench, "GPT2LMHeadModel", lambda config: pair[0])
    monkeypatch.setattr(bench, "load_model", lambda name, device: pair)
    monkeypatch.setenv("COURSE_MODEL", variable)
    bench.main([*words, "--tokens", "9", "--part", "writing"])
    assert [given[0] for given in asked] == titles
    assert [given[2] is None for given in asked] == ["random" in t for t in titles]
    assert bench.notes(dict.fromkeys(bench.BYTES), None, 1)["int8"] == "random weights"


WRONG = [
    (["--tokens", "-3"], "expected --repeats, --tokens and --texts from 1"),
    (["--texts", "x"], "argument --texts: invalid int value: 'x'"),
    (["--quick", "--model", "x"], "--quick is for the pocket model: leave out --quick"),
    (["--quick", "--tokens", "512"], "--tokens must be at most 504, not 512"),
    (["--model", "/no/such"], "there is no folder and no model on the hub named '/no/"),
]


@pytest.mark.parametrize(("arguments", "line"), WRONG)
def test_mistakes_are_one_line_before_anything_is_measured(
    arguments, line, monkeypatch
):
    monkeypatch.setattr(bench, "measure", None)
    with pytest.raises((UsageError, ModelError)) as error:
        bench.main(arguments)
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
