"""Which weight is trained by which optimizer, and at which rate."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.pocket.optimizers import block_matrices, learning_rate, optimizers


@pytest.fixture
def model():
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2))


def test_muon_gets_the_matrices_and_adamw_the_rest(model):
    matrices = block_matrices(model)
    muon, adamw = optimizers(model, matrices, muon=1e-3, adamw=1e-3)
    parts = muon.param_groups[0]["params"]
    assert {p.ndim for p in parts} == {2} and len(parts) == 6 * model.config.n_layer
    rest = adamw.param_groups[0]["params"]
    count = sum(p.numel() for p in [*parts, *rest])
    assert count == model.num_parameters()


def test_a_part_of_a_weight_shares_its_memory_and_its_gradient(model):
    query, key, value, *_ = block_matrices(model)
    weight = model.transformer.h[0].attn.c_attn.weight
    assert query.weight is key.weight is value.weight is weight
    weight.grad = torch.arange(weight.numel()).view_as(weight).float()
    value.take_gradient()
    assert value.part.grad.equal(weight.grad[:, 2 * model.config.n_embd :])
    with torch.no_grad():
        key.part.fill_(7)
    assert (weight[:, model.config.n_embd : 2 * model.config.n_embd] == 7).all()
    assert not (weight[:, : model.config.n_embd] == 7).any()


def test_the_rate_rises_to_one_and_falls_to_zero():
    assert learning_rate(0.01, 0.02) == pytest.approx(0.5)
    assert learning_rate(0.02, 0.02) == pytest.approx(1.0)
    assert learning_rate(1.0, 0.02) == pytest.approx(0.0)
