"""helpers.bench: what it counts and prints; never how fast this machine is."""

import re

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.cli import bench, command_line
from helpers.cli.bench import Row, interleave, matrix_weights, mean_loss, table
from helpers.cli.command_line import UsageError
from helpers.gpt2 import GPT2
from helpers.models import load_model

TINY = ["--repeats", "1", "--tokens", "3", "--texts", "1"]
LINES = [
    *[f"batch {b}, {kind}" for b in (1, 8) for kind in bench.KINDS],
    *["4 beams", "8 beams", "after 50 tokens", "after 500 tokens"],
]


class Clock:
    """Each look at it moves it on by what was run since."""

    def __init__(self, monkeypatch):
        self.now, self.ran = 0.0, []
        monkeypatch.setattr(bench.time, "perf_counter", lambda: self.now)

    def task(self, name, *seconds):
        left = iter(seconds)

        def run():
            self.ran.append(name)
            self.now += next(left)

        return run


def test_interleave_takes_turns_and_returns_medians(monkeypatch):
    clock = Clock(monkeypatch)
    a, b = clock.task("a", 99, 1, 8, 2), clock.task("b", 99, 4, 5, 60)
    assert interleave({"a": a, "b": b}, repeats=3) == {"a": 2, "b": 5}  # 99: warm-up
    assert clock.ran == ["a", "b"] * 4


def test_matrix_weights_are_all_but_the_positions():
    config = GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=32, vocab_size=60)
    model = GPT2LMHeadModel(config)
    every = sum(weight.numel() for weight in model.parameters())
    assert matrix_weights(config) == every - model.transformer.wpe.weight.numel()


def test_table_shows_speed_ratio_and_share():
    rows = [
        Row("batch 8, int8", 0.04, 0.02, 8, limit=0.005, note="perplexity +0.10 %"),
        Row("4 beams", 0.5, 0.2, 1),
    ]
    title, _, first, second = table("pocket", rows).splitlines()
    assert title == "pocket"
    assert (
        first.split() == "batch 8, int8 200 400 2.00x 25 % perplexity +0.10 %".split()
    )
    assert second.split() == "4 beams 2 5 2.50x".split()


def test_mean_loss_is_the_library_s():
    model, tokenizer = load_model("pocket", device="cpu")
    text, end = "Once upon a time", tokenizer.eos_token_id
    ids = torch.tensor([[end, *tokenizer(text)["input_ids"], end]])
    with torch.no_grad():
        wanted = model(ids, labels=ids).loss.item()
    found = mean_loss(GPT2.from_hf(model), tokenizer, [text, text])
    assert found == pytest.approx(wanted, abs=1e-5)


def test_bench_prints_one_table_for_the_pocket_model(monkeypatch, capsys):
    monkeypatch.setenv("COURSE_NO_VENV", "1")
    assert command_line.main(["bench", "--quick", *TINY]) == 0
    shown, complaints = capsys.readouterr()
    assert complaints == ""
    for what in LINES:
        line = next(line for line in shown.splitlines() if line.startswith(what))
        assert re.search(r" \d+ +\d+ +\d+\.\d\dx", line), line
    assert shown.count("perplexity") == 4
    assert "random weights" not in shown


def test_bench_measures_a_named_model_too(monkeypatch, capsys, tmp_path):
    asked = []

    def measure(title, model, tokenizer, options):
        asked.append((title, type(model).__name__, tokenizer))
        return f"table of {title}"

    monkeypatch.setattr(bench, "measure", measure)
    monkeypatch.setattr(bench, "load_model", lambda name, device: (f"{name}!", name))
    monkeypatch.delenv("COURSE_MODEL", raising=False)
    bench.main(["--model", "gpt2"])
    assert asked == [("pocket", "str", "pocket"), ("gpt2", "str", "gpt2")]
    assert capsys.readouterr().out.count("table of") == 2
    monkeypatch.setenv("COURSE_MODEL", "mine")
    asked.clear()
    bench.main([])
    assert [title for title, *_ in asked] == ["pocket", "mine"]


def test_random_weights_of_gpt2_s_size_are_called_so(monkeypatch):
    asked = []
    monkeypatch.setattr(bench, "measure", lambda *given: asked.append(given) or "")
    monkeypatch.setattr(bench, "GPT2LMHeadModel", lambda config: torch.nn.Identity())
    monkeypatch.setenv("COURSE_MODEL", "pocket")
    bench.main([])
    assert [given[0] for given in asked] == ["pocket", "size of gpt2, random weights"]
    assert asked[1][2] is None
    assert bench.notes({}, None, 1)["int8"] == "random weights"


WRONG = [
    (["--repeats", "0"], "--repeats must be at least 1, not 0"),
    (["--tokens", "-3"], "--tokens must be at least 1, not -3"),
    (["--peers"], "ctranslate2 is not installed: pip install ctranslate2"),
]


@pytest.mark.parametrize(("arguments", "complaint"), WRONG)
def test_wrong_options_are_told_in_one_line(arguments, complaint, monkeypatch):
    monkeypatch.setattr(bench, "installed", lambda: False)
    error = f"{complaint} (see python -m helpers bench --help)"
    with pytest.raises(UsageError, match=f"^{re.escape(error)}$"):
        bench.main(arguments)


def test_a_model_that_is_not_there_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "measure", lambda *given: "")
    with pytest.raises(UsageError, match=re.escape(str(tmp_path / "none"))):
        bench.main(["--model", str(tmp_path / "none")])
