"""helpers.gpt2: the library's logits and gradients, however the input is cut up."""

import re
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.gpt2 import GPT2, Cache, FastCache, position_ids
from tests import random_models
from tests.random_models import random_ids

SIZES = [
    {"n_layer": 1, "n_head": 1, "n_embd": 8},
    {"n_layer": 2, "n_head": 4, "n_embd": 24, "n_inner": 50},
    {"n_layer": 3, "n_head": 2, "n_embd": 32, "layer_norm_epsilon": 1e-3},
]


random_model = partial(random_models.random_model, n_positions=40, vocab_size=61)


def logits_of(model, input_ids, **options):
    with torch.inference_mode():
        found = model(input_ids, **options)
    return found if isinstance(found, torch.Tensor) else found.logits


def read(engine, cache, *pieces, **options):
    """The logits at every position, read piece by piece."""
    found = [logits_of(engine, piece, cache=cache, **options) for piece in pieces]
    return torch.cat(found, dim=1)


def close(found, wanted, within=1e-4):
    torch.testing.assert_close(found, wanted, rtol=0, atol=within)


@pytest.fixture(scope="module", params=["pocket", *range(len(SIZES))])
def model(request):
    if request.param == "pocket":
        return request.getfixturevalue("pocket")[0]
    return random_model(**SIZES[request.param])


@pytest.fixture(scope="module")
def engine(model):
    return GPT2.from_hf(model)


@pytest.fixture(scope="module")
def small():
    return random_model(**SIZES[1])


def test_logits_are_those_of_the_library_in_a_full_context(model, engine):
    ids = random_ids(model, 2, model.config.n_positions)
    found = logits_of(engine, ids)
    assert found.shape == (*ids.shape, model.config.vocab_size)
    close(found, logits_of(model, ids))


def test_logits_at_the_real_size():
    torch.manual_seed(0)
    model = GPT2LMHeadModel(GPT2Config()).eval()
    engine, ids = GPT2.from_hf(model), random_ids(model, 2, 12)
    pieces = ids[:, :7], *ids[:, 7:].split(1, dim=1)
    wanted = logits_of(model, ids)
    assert sum(weight.numel() for weight in engine.parameters()) == 124_439_808
    close(logits_of(engine, ids), wanted)
    close(read(engine, Cache(engine, 2, 12), *pieces), wanted)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_any_split_into_chunks_gives_the_same_logits(data):
    model = random_model(**SIZES[data.draw(st.integers(0, 2))])
    sizes = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=8))
    sizes = [n for i, n in enumerate(sizes) if sum(sizes[: i + 1]) <= 40]
    batch, spare = data.draw(st.integers(1, 3)), data.draw(st.integers(0, 3))
    engine, ids = GPT2.from_hf(model), random_ids(model, batch, sum(sizes))
    kind = data.draw(st.sampled_from([Cache, FastCache]))
    cache = kind(engine, batch, min(40, sum(sizes) + spare))
    found = read(engine, cache, *ids.split(sizes, dim=1))
    assert cache.length == sum(sizes)
    close(found, logits_of(model, ids))


@pytest.mark.parametrize("sizes", [[20], [12, 8], [9, 1, 4, 6], [8, *[1] * 12]])
def test_padded_rows_read_as_if_alone(model, engine, sizes):
    lengths, total = [20, 13, 9, 1], 20
    texts = [random_ids(model, 1, n, seed=n) for n in lengths]
    ids = torch.zeros(len(lengths), total, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, total - text.shape[1] :] = text
        mask[row, total - text.shape[1] :] = 1
    cache, found = Cache(engine, len(lengths), total), []
    for piece in ids.split(sizes, dim=1):
        so_far = mask[:, : cache.length + piece.shape[1]]
        found.append(logits_of(engine, piece, cache=cache, attention_mask=so_far))
    found = torch.cat(found, dim=1)
    assert found.isfinite().all()  # at the pads too
    for row, text in enumerate(texts):
        close(found[row, total - text.shape[1] :], logits_of(model, text)[0])


@pytest.mark.parametrize("kept", [1, 3, 10])
def test_logits_to_keep_are_the_last_ones_and_a_mask_of_ones_is_none(engine, kept):
    ids = random_ids(engine, 2, 10)
    ones = torch.ones_like(ids)
    found = logits_of(engine, ids, logits_to_keep=kept, attention_mask=ones)
    assert found.shape[1] == kept
    close(found, logits_of(engine, ids)[:, -kept:], within=1e-5)


def test_the_head_reads_the_hidden_states(model, engine):
    ids = random_ids(model, 2, 10)
    with torch.inference_mode():
        hidden = engine.hidden_states(ids, cache=None)
        last = model(ids, output_hidden_states=True).hidden_states[-1]
        logits = engine.head(hidden)
    close(hidden, last)
    close(logits, logits_of(engine, ids), within=0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=10))
def test_any_order_of_reading_and_selecting(selections):
    model = random_model(**SIZES[1])
    engine, batch = GPT2.from_hf(model), 2
    texts = random_ids(model, batch, 3)
    room = 3 + 2 * len(selections) + 2
    caches = Cache(engine, batch, room), FastCache(engine, batch, room)
    for cache in caches:
        read(engine, cache, texts)
    for i, rows in enumerate(selections):
        rows = torch.tensor(rows) % len(texts)
        more = random_ids(model, len(rows), i % 3, seed=i)  # sometimes none
        texts = torch.cat([texts[rows], more], dim=1)
        for cache in caches:
            cache.select(rows)
            if more.numel():
                read(engine, cache, more)
    plain, fast = (cache.memory[..., : cache.length, :] for cache in caches)
    assert torch.equal(plain, fast)
    more = random_ids(model, len(texts), 2)
    wanted = logits_of(model, torch.cat([texts, more], dim=1))[:, -2:]
    for cache in caches:
        close(read(engine, cache, more), wanted)


def test_selecting_copies_only_what_differs(small):
    """What two rows have in common stays where it is: a mark there survives."""
    engine = GPT2.from_hf(small)
    cache = FastCache(engine, 1, 20)
    read(engine, cache, random_ids(small, 1, 8))
    cache.select(torch.tensor([0, 0]))
    read(engine, cache, random_ids(small, 2, 3, seed=1))
    cache.memory[:, :, 1, :, :8] = 7.0  # in common with row 0
    cache.memory[:, :, 1, :, 8:11] = 5.0  # its own
    cache.select(torch.tensor([1, 1]))
    assert not (cache.memory[:, :, 0, :, :8] == 7.0).any()
    assert (cache.memory[:, :, 0, :, 8:11] == 5.0).all()


def test_weights_are_shared_in_float32(model, engine):
    theirs = model.transformer.state_dict()
    for name, weight in engine.state_dict().items():
        assert weight.data_ptr() == theirs[name].data_ptr(), name
    assert len(engine.state_dict()) == len(theirs)
    assert not engine.training and engine.device == torch.device("cpu")


def test_training_has_the_gradients_of_the_library(model):
    theirs = type(model)(model.config)
    theirs.load_state_dict(model.state_dict())
    ids = random_ids(model, 3, 12)
    theirs.eval()(ids, labels=ids).loss.backward()
    engine = GPT2.from_hf(model).train()
    logits = engine(ids)[:, :-1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
    loss.backward()
    gradients = {n: w.grad for n, w in theirs.transformer.named_parameters()}
    for name, weight in engine.named_parameters():
        close(weight.grad, gradients[name])


def test_bfloat16_is_as_close_as_the_library_s(model):
    ids = random_ids(model, 4, 30)
    wanted = logits_of(model, ids)
    half = type(model)(model.config).bfloat16().eval()
    half.load_state_dict(model.state_dict())
    theirs = (logits_of(half, ids).float() - wanted).square().mean()
    engine = GPT2.from_hf(model, dtype=torch.bfloat16)
    found = logits_of(engine, ids)
    assert engine.wte.weight.dtype == torch.bfloat16
    assert found.dtype == torch.float32
    assert (found - wanted).square().mean() < 2 * theirs
    cache = Cache(engine, 4, 30)
    steps = read(engine, cache, ids[:, :9], *ids[:, 9:].split(1, dim=1))
    assert (steps - wanted).square().mean() < 2 * theirs


def test_positions_are_those_of_the_text_alone():
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    assert position_ids(mask).tolist() == [[0, 0, 0, 1], [0, 1, 2, 3]]


def expected(error):
    return pytest.raises(ValueError, match=f"^{re.escape(error)}")


def test_more_than_the_context_is_refused(small):
    engine = GPT2.from_hf(small)
    with expected("41 tokens, but the model reads at most 40"):
        engine(random_ids(small, 1, 41))
    with expected("41 tokens, but the model reads at most 40"):  # whatever its cache
        read(engine, Cache(engine, 1, 50), *random_ids(small, 1, 41).split(1, dim=1))


@pytest.mark.parametrize("kind", [Cache, FastCache])
def test_what_does_not_fit_in_the_cache_is_refused(small, kind):
    engine = GPT2.from_hf(small)
    cache = kind(engine, 2, 6)
    read(engine, cache, random_ids(small, 2, 4))
    with expected("2 rows of 7 tokens, but the cache has room for 2 rows of 6"):
        read(engine, cache, random_ids(small, 2, 3))
    with expected("1 rows of 5 tokens, but the cache has room for 2 rows of 6"):
        read(engine, cache, random_ids(small, 1, 1))
    with expected("row 2 is outside the batch, 0 … 1"):
        cache.select(torch.tensor([0, 2]))
    assert cache.length == 4  # nothing was written
    read(engine, cache, random_ids(small, 2, 2))
    with expected("room is -1, expected a whole number of tokens from 1"):
        kind(engine, 2, -1)


ONES = torch.ones(1, 5, dtype=torch.long)
WRONG = [
    (ONES[0], "expected input_ids (batch, seq), got (5,)"),
    (ONES / 2, "expected input_ids as a tensor of token ids, got torch.float32"),
    ([[1, 2]], "expected input_ids as a tensor of token ids, got list"),
    (-ONES, "token id -1 is outside the vocabulary, 0 … 60"),
]


@pytest.mark.parametrize(("ids", "line"), WRONG)
def test_what_are_no_ids_is_refused(small, ids, line):
    with expected(line):
        GPT2.from_hf(small)(ids)


@pytest.mark.parametrize("kept", [-1, 1.0])
def test_logits_to_keep_are_a_number(small, kept):
    with expected(f"logits_to_keep is {kept}, expected 0, for all, or more"):
        GPT2.from_hf(small)(ONES, logits_to_keep=kept)


UNKNOWN = [
    ("activation_function", "relu", "gelu_new"),
    ("scale_attn_weights", False, True),
    ("scale_attn_by_inverse_layer_idx", True, False),
    ("add_cross_attention", True, False),
    ("tie_word_embeddings", False, True),
]


@pytest.mark.parametrize(("name", "value", "known"), UNKNOWN)
def test_options_the_engine_does_not_have_are_refused(name, value, known):
    model = random_model(**SIZES[0], **{name: value})
    with expected(f"the engine knows {name} {known}, not {value}"):
        GPT2.from_hf(model)
