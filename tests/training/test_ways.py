"""The comparison that day 10 draws: which weights learn, and what is kept."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.training.sweep import stanzas
from helpers.training.ways import WAYS, compare_ways, learning, lesson
from helpers.worlds import load_world


@pytest.fixture
def small(tokenizer):
    """Return an untrained model of three blocks."""
    torch.manual_seed(0)
    size = {"n_embd": 16, "n_layer": 3, "n_head": 2, "n_positions": 512}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.eos_token_id)
    return GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **size, **ends))


def weights(model):
    return {name: p.detach().clone() for name, p in model.named_parameters()}


@pytest.mark.parametrize("way", WAYS)
def test_only_what_should_learn_learns(way, small, tokenizer):
    model = learning(small, way)
    before = weights(model)
    lesson(model, tokenizer, ["a hen", "a fox sat", "a hen sat"] * 4, rate=1e-2)
    after = weights(model)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    lora = {name for name in before if name.endswith((".A", ".B"))}
    everything = {name for name in before if "wpe" not in name}
    expected = {
        "all weights": everything,
        "one story in 11": everything,
        "top two blocks": {n for n in before if ".h.1." in n or ".h.2." in n},
        "LoRA": lora,
        "LoRA, embeddings": lora | {"transformer.wte.weight"},
    }
    assert moved - {"transformer.wpe.weight"} == expected[way]


def test_each_way_starts_anew_and_one_story_in_eleven_keeps_stories(
    small, tokenizer, tmp_path
):
    small.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    ways = {"all weights": (1e-9, 1e-2), "one story in 11": (1e-2,), "LoRA": (1e-2,)}
    how = {"ways": ways, "steps": 6, "model": str(tmp_path)}
    rows = compare_ways(stanzas(), load_world("stories"), **how)
    first = [row for row in rows if row["lesson"] == 0]
    assert [row["way"] for row in first] == [w for w in ways for _ in ways[w]]
    still, taught, mixed, _ = (row["old"].value for row in first)
    assert mixed < taught
    assert first[1]["new"].value < first[0]["new"].value
    again = [row for row in rows if row["lesson"] == 1]
    assert again[0]["old"].value == pytest.approx(still)  # 1e-9 changes nothing
