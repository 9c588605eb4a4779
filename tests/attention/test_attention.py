"""Looking inside: patterns, head scores, ablation, patching, the lens."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.attention import (
    ablate,
    attention_weights,
    attentions,
    gathered,
    head_scores,
    heads,
    line_effects,
    logit_lens,
    patch,
    projections,
    repeated_ids,
)
from helpers.gpt2 import GPT2
from helpers.gpt2.fast import replace_matrices
from tests.random_models import random_ids, random_model

TEXT = 'Tom had a red kite. "</script>", he said.\n'


@pytest.fixture(scope="module", params=[None, GPT2.from_hf], ids=["library", "engine"])
def small(request, library):
    """A random GPT-2, the library's and the engine."""
    return request.param(library) if request.param else library


@pytest.fixture
def ids(library):
    return random_ids(library, 2, 11, seed=1)


def logits_of(model, ids):
    with torch.no_grad():
        output = model(ids)
    return getattr(output, "logits", output)


def test_rows_sum_to_1_and_never_look_ahead(pocket):
    model, tokenizer = pocket
    tokens, weights = attentions(model, tokenizer, TEXT)
    assert tokens[:4] == ["<|endoftext|>", "Tom", "·had", "·a"]
    assert weights.shape == (5, 8, len(tokens), len(tokens))
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert (weights.triu(1) == 0).all() and (weights >= 0).all()


def test_the_implementation_is_set_back_even_after_an_error(pocket):
    model, tokenizer = pocket
    before = model.config._attn_implementation
    assert before != "eager"
    input_ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    assert not any(model(input_ids, output_attentions=True).attentions)
    assert len(attention_weights(model, input_ids)) == 5
    assert model.config._attn_implementation == before
    with pytest.raises(ValueError, match="600 tokens, but the model reads at most 512"):
        attention_weights(model, torch.zeros(1, 600, dtype=torch.long))
    assert model.config._attn_implementation == before


def test_weights_are_what_queries_and_keys_give(pocket):
    model, tokenizer = pocket
    input_ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    query, key, value = projections(model, input_ids)
    scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
    ahead = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
    by_hand = scores.masked_fill(ahead, -math.inf).softmax(-1)
    torch.testing.assert_close(by_hand, attention_weights(model, input_ids))
    assert value.shape == query.shape


def test_each_kind_of_head_has_its_own_score(library, monkeypatch):
    length = 8
    ids = repeated_ids(library.config, length=length, batch=1, seed=0)
    weights = torch.zeros(1, 1, 4, 1 + 2 * length, 1 + 2 * length)
    for query in range(length + 1, 1 + 2 * length):
        keys = (query - 1, 0, query - length, query - length + 1)
        for head, key in enumerate(keys):
            assert head < 2 or ids[0, key - (head == 3)] == ids[0, query]
            weights[..., head, query, key] = 1
    monkeypatch.setattr(heads, "attention_weights", lambda model, input_ids: weights)
    scores = head_scores(library, ids)
    for head, kind in enumerate(heads.KINDS):
        assert getattr(scores, kind)[0].tolist() == [float(head == i) for i in range(4)]
        assert scores.strongest(kind) == [(0, head)]


def test_scores_on_texts_of_ones_own_count_the_places_asked_for(pocket):
    model, _ = pocket
    ids = repeated_ids(model.config, length=6, batch=3, seed=0)
    scores = head_scores(model, ids, places=[1, 4])
    weights = attention_weights(model, ids).mean(1)
    by_hand = (weights[..., 8, 3] + weights[..., 11, 6]) / 2
    torch.testing.assert_close(scores.induction, by_hand)
    assert scores.chance["induction"] == pytest.approx((1 / 9 + 1 / 12) / 2)


def test_repeated_ids_repeat_and_nothing_comes_twice(pocket):
    config = pocket[0].config
    ids = repeated_ids(config, length=20, batch=5, seed=3)
    assert ids.shape == (5, 41) and (ids[:, 0] == config.eos_token_id).all()
    assert torch.equal(ids[:, 1:21], ids[:, 21:])
    assert all(len(set(row[:21])) == 21 for row in ids.tolist())
    assert torch.equal(ids, repeated_ids(config, length=20, batch=5, seed=3))
    assert not torch.equal(ids, repeated_ids(config, length=20, batch=5, seed=4))


def silenced(model, ids, heads=((0, 0),), **options):
    with ablate(model, heads, **options):
        return logits_of(model, ids)


@settings(max_examples=20, deadline=None)
@given(layer=st.integers(0, 2), head=st.integers(0, 3))
def test_ablating_a_head_is_zeroing_its_rows_of_the_projection(small, layer, head):
    ids = torch.randint(96, (2, 9), generator=torch.Generator().manual_seed(head))
    without = copy.deepcopy(small)
    projection = getattr(without, "transformer", without).h[layer].attn.c_proj
    rows = slice(8 * head, 8 * head + 8)  # (in, out): 8 inputs come from this head
    projection.weight.data[rows] = 0
    wanted = logits_of(without, ids)
    torch.testing.assert_close(silenced(small, ids, [(layer, head)]), wanted)
    assert not torch.allclose(logits_of(small, ids), wanted, atol=1e-3)


def test_several_heads_go_at_once_and_all_come_back(small, ids):
    before = logits_of(small, ids)
    with ablate(small, [(0, 1), (0, 3), (2, 0)]):
        four = silenced(small, ids, [(1, 2)])
        three = logits_of(small, ids)
    assert torch.equal(before, logits_of(small, ids))
    once = silenced(small, ids, [(2, 0), (1, 2), (0, 3), (0, 1)])
    torch.testing.assert_close(once, four)
    assert not torch.allclose(three, four, atol=1e-3)
    with pytest.raises(RuntimeError), ablate(small, [(0, 0)]):
        raise RuntimeError
    assert torch.equal(before, logits_of(small, ids))


@pytest.mark.parametrize("how", ["mean", "resample"])
def test_what_was_gathered_elsewhere_comes_from_the_reference(small, ids, how):
    same = ids[:1, :1].expand(3, 1)  # one token alone: its mean is itself
    found = silenced(small, same, [(1, 0), (2, 3)], how=how, reference=same)
    torch.testing.assert_close(found, logits_of(small, same))
    found = silenced(small, ids, how=how, reference=ids)
    assert torch.equal(found, silenced(small, ids, how=how, reference=ids))
    other = silenced(small, ids, how=how, reference=ids, seed=1)
    assert torch.equal(found, other) == (how == "mean")
    assert not torch.allclose(found, silenced(small, ids), atol=1e-3)
    known = gathered(small, ids)  # once for many times
    assert torch.equal(found, silenced(small, ids, how=how, reference=known))


def test_patching_everything_makes_the_other_text(small, ids):
    source = ids.flip(1)
    whole = patch(small, ids, source, layer=2)
    torch.testing.assert_close(whole, logits_of(small, source))
    for where in ({}, {"part": "attention"}, {"part": "mlp"}, {"head": 2}):
        same = patch(small, ids, ids, layer=1, **where)
        torch.testing.assert_close(same, logits_of(small, ids))


@pytest.mark.parametrize("where", [{"part": "mlp"}, {"part": "attention"}, {"head": 1}])
def test_a_patch_is_felt_from_its_position_on(small, ids, where):
    source = ids.flip(1)
    before = logits_of(small, ids)
    after = patch(small, ids, source, layer=0, positions=[4], **where)
    torch.testing.assert_close(after[:, :4], before[:, :4])
    assert not torch.allclose(after[:, 4], before[:, 4], atol=1e-3)


def test_patching_the_only_head_is_patching_the_attention(ids):
    model = random_model(n_head=1)
    where = {"layer": 1, "positions": [3, 5]}
    one = patch(model, ids, ids.flip(1), head=0, **where)
    whole = patch(model, ids, ids.flip(1), part="attention", **where)
    torch.testing.assert_close(one, whole)
    assert not torch.allclose(one, logits_of(model, ids), atol=1e-3)


def test_the_lens_ends_in_the_models_own_output(small, ids):
    lens = logit_lens(small, ids)
    assert lens.shape == (4, 2, 11, 97) and lens.dtype == torch.float32
    torch.testing.assert_close(lens[-1], logits_of(small, ids))
    if not isinstance(small, GPT2):
        hidden = small(ids, output_hidden_states=True).hidden_states
        parts = small.transformer
        for depth in range(3):
            wanted = small.lm_head(parts.ln_f(hidden[depth]))
            torch.testing.assert_close(lens[depth], wanted)
        twice = small.lm_head(parts.ln_f(hidden[-1]))  # the mistake
        assert not torch.allclose(twice, lens[-1], atol=1e-3)


def patched(model, ids, source=None, layer=0, **options):
    return patch(model, ids, ids if source is None else source, layer=layer, **options)


def drawn(model, ids, length=8, batch=2, seed=0):
    return repeated_ids(model.config, length=length, batch=batch, seed=seed)


def scored(model, ids, **options):
    return head_scores(model, drawn(model, ids), **options)


def strongest(model, ids, kind="first", n=1):
    return scored(model, ids).strongest(kind, n)


@pytest.mark.parametrize(
    ("call", "options", "message"),
    [
        (drawn, {"length": 1000}, "length is 1000, expected 3 to 31 for this model"),
        (drawn, {"length": 3.5}, "length is 3.5, expected 3 to 31"),
        (drawn, {"batch": 10**9}, "batch is 1000000000, expected a whole number up"),
        (drawn, {"seed": 0.5}, "seed is 0.5, expected a whole number"),
        (scored, {"places": 3}, "places are 3, expected some of 0 … 7"),
        (scored, {"places": [8]}, r"places are \[8\], expected some of 0"),
        (scored, {"places": []}, r"places are \[\], expected some of 0 …"),
        (head_scores, {}, "do not repeat themselves: give one token"),
        (strongest, {"kind": "last"}, "there is no score 'last': choose one of"),
        (strongest, {"n": -1}, "n is -1, expected a whole number from 1"),
        (silenced, {"heads": [(3, 0)]}, "layer is 3, expected a layer from 0 to 2"),
        (silenced, {"heads": [(0, 0.5)]}, "head is 0.5, expected a head from 0 to 3"),
        (silenced, {"heads": (0, 1)}, r"expected heads as a list of \(layer, head\), "),
        (silenced, {"how": "half"}, "how is 'half', expected one of zero, mean"),
        (silenced, {"how": "mean"}, "mean needs texts to draw from: give reference"),
        (patched, {"source": torch.zeros(2, 5, dtype=int)}, "source_ids has another s"),
        (patched, {"part": "norm"}, "part is 'norm', expected one of block"),
        (patched, {"head": 0, "part": "mlp"}, "part is 'mlp', but a head belongs to t"),
        (patched, {"layer": 1.5}, "layer is 1.5, expected a layer from 0 to 2"),
        (patched, {"positions": [True]}, r"positions are \[True\], expected some of 0"),
    ],
)
def test_what_cannot_be_looked_at_is_told(library, ids, call, options, message):
    with pytest.raises(ValueError, match=message):
        call(library, ids, **options)


@pytest.mark.parametrize(
    ("look", "make", "message"),
    [
        (logit_lens, lambda engine: torch.nn.Linear(2, 2), "with blocks is needed, no"),
        (logit_lens, lambda engine: replace_matrices(engine, lambda *w: len), "packed"),
        (head_scores, lambda engine: engine, "model of transformers is needed, not GP"),
    ],
)
def test_models_without_an_inside_are_refused(library, ids, look, make, message):
    with pytest.raises(ValueError, match=message):
        look(make(GPT2.from_hf(library)), ids)


@pytest.mark.parametrize(
    "ids",
    [None, [[1, 2, 3]], torch.zeros(1, 3), torch.arange(5), torch.full((1, 3), 97)],
)
@pytest.mark.parametrize(
    "call", [patched, line_effects, projections, logit_lens, attention_weights]
)
def test_ids_that_cannot_be_read_are_told(library, call, ids):
    with pytest.raises(ValueError, match="expected input_ids|token id 97 is outside"):
        call(library, ids)
