"""The sweeps that day 10 draws: each training starts anew."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.training.sweep import readings, stanzas, sweep
from helpers.worlds import load_world


@pytest.fixture
def tiny(tmp_path, tokenizer):
    """Return the folder of an untrained model of one block."""
    torch.manual_seed(0)
    size = {"n_embd": 8, "n_layer": 1, "n_head": 2, "n_positions": 64}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.eos_token_id)
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **size, **ends))
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


def test_each_pair_is_trained_from_the_start(tiny, tokenizer):
    texts = ["a hen", "a fox sat"] * 8
    rows = sweep(texts, ["a hen sat"], rates=(1e-6, 3e-2), epochs=(1, 4), model=tiny)
    pairs = [(row["learning_rate"], row["epochs"]) for row in rows]
    assert pairs == [(1e-6, 1), (1e-6, 4), (3e-2, 1), (3e-2, 4)]
    slow, _, fast, longer = (row["nll"] for row in rows)
    assert abs(slow - torch.tensor(float(len(tokenizer))).log()) < 0.5  # as untrained
    assert slow > fast > longer and rows[3]["loss"] < rows[2]["loss"]


def test_more_stanzas_teach_more_and_what_is_written_is_judged(tiny, monkeypatch):
    monkeypatch.setattr("helpers.training.sweep.JUDGED", 20)
    world = stanzas()
    few, more = readings(
        world, [world.sample(1000)], counts=[(8, 1), (40, 2)], model=tiny
    )
    assert (more["texts"], more["epochs"]) == (40, 2) and few["nll"] > more["nll"]
    for name in ("rhyme", "metre", "whole"):  # eight weights write no verse
        assert few[name].value < 0.05


def test_a_stanza_is_a_poem_of_the_verse_world():
    texts = [stanzas().sample(seed) for seed in range(20)]
    assert all(text.count("\n") == 3 for text in texts)
    assert not any(map(load_world("verse").first_error, texts))
