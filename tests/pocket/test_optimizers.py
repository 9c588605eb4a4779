"""Which weight is trained by which optimizer, and at which rate."""

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.gpt2 import precision
from helpers.pocket.optimizers import Muon, learning_rate, optimizers, orthogonal


@pytest.fixture
def model():
    return GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2))


def test_muon_gets_the_matrices_and_adamw_the_rest(model):
    muon, adamw = optimizers(model, muon=1e-3, adamw=1e-3, precision=torch.float32)
    plain, joint = (group["params"] for group in muon.param_groups)
    assert {p.ndim for p in [*plain, *joint]} == {2}
    assert (len(plain), len(joint)) == (3 * model.config.n_layer, model.config.n_layer)
    rest = adamw.param_groups[0]["params"]
    count = sum(p.numel() for p in [*plain, *joint, *rest])
    assert count == model.num_parameters()


def test_the_parts_of_a_weight_move_as_if_they_were_alone():
    torch.manual_seed(0)
    start, gradient = torch.randn(2, 8, 24)
    joint = torch.nn.Parameter(start.clone())
    alone = [torch.nn.Parameter(part.clone()) for part in start.chunk(3, dim=1)]
    joint.grad = gradient
    for part, share in zip(alone, gradient.chunk(3, dim=1), strict=True):
        part.grad = share
    for weights in ([{"params": [joint], "parts": 3}], alone):
        Muon(weights, lr=0.1, precision=torch.float32).step()
    torch.testing.assert_close(joint, torch.cat(alone, dim=1))
    assert not joint.equal(start)


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
