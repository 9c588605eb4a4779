"""What is counted by hand is what the library has, and what torch counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.gpt2 import GPT2
from helpers.gpt2.counting import flops, parameters
from helpers.models import sizes

SHAPES = [
    {"n_layer": 1, "n_head": 1, "n_embd": 8},
    {"n_layer": 3, "n_head": 2, "n_embd": 12, "n_inner": 20},
    {"n_layer": 2, "n_head": 6, "n_embd": 24, "vocab_size": 31},
]
PARTS = {
    "embeddings": ("wte", "wpe"),
    "attention, projections": ("attn",),
    "feed-forward": ("mlp",),
    "layer norms": ("ln_1", "ln_2", "ln_f"),
    "head": ("lm_head",),
}


def tiny(**shape):
    """A library's GPT-2 with no memory: its shapes are enough to count."""
    end = {"bos_token_id": 0, "eos_token_id": 0}
    config = GPT2Config(**{"vocab_size": 50, "n_positions": 16} | shape, **end)
    config._attn_implementation = "eager"  # two products; a fused kernel may count less
    with torch.device("meta"):
        return GPT2LMHeadModel(config).eval()


def counted(model):
    """The library's parameters, sorted into parts by their names."""
    found = dict.fromkeys(parameters(model.config), 0)
    for name, weight in model.named_parameters():
        part = next(p for p, marks in PARTS.items() if {*marks} & {*name.split(".")})
        found[part] += weight.numel()
    return found


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_parameters_are_the_librarys_part_by_part(shape, tied):
    model = tiny(**shape, tie_word_embeddings=tied)
    assert parameters(model.config) == counted(model)


def test_parameters_of_the_pocket_model(pocket):
    model, _ = pocket
    assert parameters(model.config) == counted(model)


@pytest.mark.parametrize("size", sizes(), ids=lambda size: size.name)
def test_parameters_of_the_published_models(size):
    shape = {"n_layer": size.layers, "n_head": size.heads, "n_embd": size.d_model}
    config = GPT2Config(**shape)
    with torch.device("meta"):
        model = GPT2LMHeadModel(config)
    assert parameters(config) == counted(model)
    assert sum(parameters(config).values()) == size.parameters


@pytest.mark.parametrize("seq", [1, 7, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_flops_are_what_torch_counts(shape, seq):
    model = tiny(**shape)
    ids = torch.zeros(1, seq, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(ids)
    mine = flops(model.config, seq)
    assert sum(mine.values()) == counter.get_total_flops()
    kinds = {str(op): n for op, n in counter.get_flop_counts()["Global"].items()}
    assert mine["attention, scores and sums"] == kinds["aten.bmm"]
    assert mine["head"] == kinds["aten.mm"]
    projected = mine["attention, projections"] + mine["feed-forward"]
    assert projected == kinds["aten.addmm"]


def test_flops_of_the_engine_but_for_its_fused_attention(pocket):
    model, _ = pocket
    ids = torch.zeros(1, 9, dtype=torch.long)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        GPT2.from_hf(model)(ids)
    mine = flops(model.config, 9)
    fused = mine["attention, scores and sums"]
    assert counter.get_total_flops() in (sum(mine.values()), sum(mine.values()) - fused)


def test_what_cannot_be_read_is_not_counted():
    for seq in (0, 17):
        with pytest.raises(
            ValueError, match=f"seq is {seq}, expected from 1 to 16 tok"
        ):
            flops(GPT2Config(n_positions=16), seq)
    with pytest.raises(ValueError, match="the engine knows add_cross_attention"):
        flops(GPT2Config(add_cross_attention=True), 4)
