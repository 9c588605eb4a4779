"""Which weight is trained by which optimizer, and at which rate."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.pocket import precision
from helpers.pocket.optimizers import (
    Muon,
    block_matrices,
    learning_rate,
    optimizers,
    orthogonal,
)


@pytest.fixture
def model():
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2))


def test_muon_gets_the_matrices_and_adamw_the_rest(model):
    matrices = block_matrices(model)
    rates = {"muon": 1e-3, "adamw": 1e-3}
    muon, adamw = optimizers(model, matrices, **rates, precision=torch.float32)
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


@pytest.mark.parametrize("shape", [(8, 8), (6, 20), (20, 6)])
def test_in_bfloat16_muon_is_torch_s(shape):
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), torch.randn(3, *shape)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    library = {"weight_decay": 0.0, "adjust_lr_fn": "match_rms_adamw"}
    steppers = [
        (ours, Muon([ours], lr=0.1, precision=torch.bfloat16)),
        (theirs, torch.optim.Muon([theirs], lr=0.1, **library)),
    ]
    for gradient in gradients:
        for matrix, optimizer in steppers:
            matrix.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
    assert not ours.equal(start)


def test_an_orthogonal_update_has_singular_values_near_1_in_float32():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(20, 60)))
    assert 0.6 < values.min() and values.max() < 1.3


@pytest.mark.parametrize(
    ("single", "half", "chosen"),
    [(2e-3, 1e-3, "bfloat16"), (1e-3, 2e-3, "float32"), (1e-3, 0.9e-3, "float32")],
)
def test_the_faster_precision_is_chosen_and_told(monkeypatch, single, half, chosen):
    seconds = {torch.float32: single, torch.bfloat16: half}
    monkeypatch.setattr(precision, "product_seconds", lambda kind, on: seconds[kind])
    kind, line = precision.choose_precision("cpu")
    assert kind == getattr(torch, chosen) and line.startswith(f"training in {chosen}:")


@pytest.mark.parametrize(
    ("has", "known"),
    [({"amx_bf16": True, "avx512_bf16": True}, "amx_bf16"), ({"avx2": True}, None)],
)
def test_instructions_are_the_processor_s_fastest(monkeypatch, has, known):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)
    assert precision.instructions("bfloat16") == known
    assert precision.product_seconds(torch.bfloat16, "cpu") > 0
