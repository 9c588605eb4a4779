"""helpers.gpt2.fast: the engine's logits, nearly or exactly."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.cli.bench import mean_loss
from helpers.decoding import beam_search, generate
from helpers.gpt2 import GPT2, Cache, pack, quantize
from helpers.gpt2.fast import Int8Matrix, to_int8
from helpers.worlds import FRESH
from tests.random_models import random_model

ids = torch.randint(61, (3, 20), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def engine():
    model = random_model(n_layer=2, n_embd=24, n_positions=40, vocab_size=61)
    return GPT2.from_hf(model)


@torch.inference_mode()
def stepwise(engine, input_ids):
    cache = Cache(engine, *input_ids.shape)
    pieces = input_ids[:, :5], *input_ids[:, 5:].split(1, dim=1)
    return torch.cat([engine(piece, cache=cache) for piece in pieces], dim=1)


def close(found, wanted, within):
    torch.testing.assert_close(found, wanted, rtol=0, atol=within)


@pytest.mark.parametrize("rows", [1, 3])
def test_packed_logits_are_the_engine_s(engine, rows):
    wanted = engine(ids[:rows]).detach()
    packed = pack(engine)
    close(packed(ids[:rows]), wanted, within=1e-4)
    close(stepwise(packed, ids[:rows]), wanted, within=1e-4)


def test_packed_bfloat16_is_as_close_as_bfloat16(engine):
    wanted = engine(ids).detach()
    half = engine_of(engine, torch.bfloat16)
    plain = (half(ids) - wanted).square().mean()
    assert (pack(half)(ids) - wanted).square().mean() < 2 * plain


def engine_of(engine, dtype):
    other = GPT2(engine.config).to(dtype).eval()
    other.load_state_dict(engine.state_dict())
    return other


def test_packed_pocket_writes_and_searches_the_same(pocket):
    engine, tokenizer = GPT2.from_hf(pocket[0]), pocket[1]
    prompt = torch.tensor([[tokenizer.eos_token_id, *tokenizer("Once")["input_ids"]]])
    packed = pack(engine)
    found, wanted = (generate(e, prompt, max_new_tokens=60) for e in (packed, engine))
    assert found.equal(wanted)
    how = {"num_beams": 4, "max_new_tokens": 30}
    found, wanted = (beam_search(e, prompt, **how)[0] for e in (packed, engine))
    assert found.ids.equal(wanted.ids)
    assert found.score == pytest.approx(wanted.score, abs=1e-4)


def test_embeddings_and_norms_are_shared(engine):
    for other in (pack(engine), quantize(engine)):
        assert other.wte.weight.data_ptr() == engine.wte.weight.data_ptr()
        norm = other.ln_f.keywords["weight"]
        assert norm.data_ptr() == engine.ln_f.weight.data_ptr()
        assert not any(weight.requires_grad for weight in other.parameters())
        assert not other.training
    assert all(weight.requires_grad for weight in engine.parameters())


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(-20, 20), st.integers(0, 99))
def test_rounding_is_off_by_half_a_scale_at_most(rows, columns, power, seed):
    luck = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, columns, generator=luck) * 2.0**power
    numbers, scale = to_int8(x)
    assert (numbers.dtype, numbers.shape) == (torch.int8, x.shape)
    assert scale.shape == (rows, 1)
    off = (numbers.double() * scale.double() - x.double()).abs()
    assert (off <= 0.501 * scale.double()).all()
    assert (numbers.abs().amax(dim=1) == 127).all()


def test_rows_of_zeros_are_zeros():
    matrix = Int8Matrix(torch.zeros(3, 5), torch.arange(5.0))
    assert matrix(torch.zeros(1, 2, 3)).equal(torch.arange(5.0).expand(1, 2, 5))


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 7), (3, 4)])
def test_int8_matrix_is_that_of_the_rounded_numbers(shape):
    torch.manual_seed(0)
    weight, bias = torch.randn(24, 40), torch.randn(40)
    x = torch.randn(*shape, 24)
    rows, scales = to_int8(weight.t().contiguous())
    numbers, scale = to_int8(x.flatten(0, 1))
    slow = (numbers.double() * scale) @ (rows.double() * scales).t() + bias
    found = Int8Matrix(weight, bias)(x)
    assert found.dtype == torch.float32
    close(found, slow.float().view(*shape, 40), within=1e-4)
    error = (found - (x @ weight + bias)).square().mean().sqrt()
    assert error < 0.02 * (x @ weight).square().mean().sqrt()


def test_int8_rows_do_not_depend_on_the_batch(engine):
    other = quantize(engine)
    alone = torch.cat([stepwise(other, ids[i : i + 1]) for i in range(3)])
    same = (other(ids) - alone).abs() < 1e-3  # but where a number was close to x.5
    assert same.double().mean() > 0.9


def test_int8_costs_the_pocket_model_little(pocket, world):
    engine, tokenizer = GPT2.from_hf(pocket[0]), pocket[1]
    texts = [world.sample(FRESH + i) for i in range(10)]
    change = mean_loss(quantize(engine), tokenizer, texts)
    change -= mean_loss(engine, tokenizer, texts)
    assert abs(change) < 0.01  # nats per token


def test_other_weights_are_refused(engine):
    line = "^quantize takes float32 weights on the CPU, got torch.bfloat16 on cpu$"
    with pytest.raises(ValueError, match=line):
        quantize(engine_of(engine, torch.bfloat16))
    broken = engine_of(engine, torch.float32)
    broken.h[0].mlp.c_fc.weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match="^quantize takes finite weights"):
        quantize(broken)


@pytest.mark.parametrize("make", [pack, quantize])
def test_only_plain_engines_are_made_fast(engine, make):
    for other in (random_model(), quantize(engine)):
        kind = type(other).__name__
        line = rf"^{make.__name__} takes what GPT2.from_hf.* returns, got {kind}"
        with pytest.raises(TypeError, match=line):
            make(other)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_so_in_int8(value):
    x = torch.ones(1, 1, 3)
    x[0, 0, 1] = value
    assert not Int8Matrix(torch.ones(3, 5), None)(x).isfinite().any()


def test_without_onednn_the_engine_comes_back_as_it_is(engine, monkeypatch):
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert pack(engine) is engine
