"""helpers.rules: equal to the library's processors, number for number."""

import math
import re

import numpy as np
import pytest
import torch
from transformers.generation import logits_process as library

from helpers.decoding import generate
from helpers.decoding.rules import (
    apply,
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    temperature,
    top_k,
    top_p,
    typical_p,
)
from helpers.inputs import check_choice
from tests.random_models import random_model

Penalty = library.RepetitionPenaltyLogitsProcessor
NoRepeat = library.NoRepeatNGramLogitsProcessor
VOCAB, ROWS, SEQ = 40, 1000, 12
INF = math.inf
PAIRS = [
    *[(temperature(t), library.TemperatureLogitsWarper(t)) for t in (1e-3, 0.7, 1.5)],
    *[(top_k(k), library.TopKLogitsWarper(k)) for k in (1, 2, 10, VOCAB - 1, VOCAB)],
    *[(top_p(p), library.TopPLogitsWarper(p)) for p in (1e-9, 0.1, 0.5, 0.9, 1.0)],
    *[(min_p(p), library.MinPLogitsWarper(p)) for p in (1e-9, 0.05, 0.5, 1.0)],
    *[(typical_p(p), library.TypicalLogitsWarper(p)) for p in (1e-9, 0.2, 1 - 1e-9)],
    *[(repetition_penalty(r), Penalty(r)) for r in (0.5, 1.0, 1.2, 10.0)],
    *[(no_repeat_ngram(n), NoRepeat(n)) for n in (1, 2, 3, 4, SEQ, SEQ + 1)],
]
NAMES = [f"{ours.__qualname__[:12]}-{theirs.__dict__}" for ours, theirs in PAIRS]


def random_inputs():
    """1,000 rows: a hundred of each kind, the awkward kinds among them."""
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(ROWS, VOCAB, generator=draw)
    kinds = logits.view(10, -1, VOCAB)  # views: what is written there is in logits
    kinds[1] *= 100  # one token has all the probability
    kinds[2] *= 1e-3  # nearly uniform
    kinds[3] = kinds[3].round()  # many ties
    kinds[4] = kinds[4, :, :1]  # all are equal
    kinds[5].scatter_(1, kinds[5].argmax(1, keepdim=True), -INF)  # one is forbidden
    kinds[6][kinds[6] < 1] = -INF  # few are allowed
    kinds[6, :, 0] = 0  # at least one
    kinds[7, :, 1:] = -INF  # only one is
    kinds[8] = (kinds[8] - 1e4) * 1e3  # far from 0
    kinds[9, :, ::2] = 0.0
    kinds[9, :, 1::2] = -0.0
    ids = torch.randint(VOCAB, (ROWS, SEQ), generator=draw)
    ids[::2] %= 3  # repetitive
    ids[::10] = 7  # nothing but repetition
    return ids, logits


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=NAMES)
def test_rule_equals_the_library_on_a_thousand_inputs(ours, theirs):
    ids, logits = random_inputs()
    before = logits.clone()
    assert torch.equal(ours(ids, logits), theirs(ids, logits.clone()))
    assert torch.equal(logits, before)  # nothing is written into what was given


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_rules_equal_the_library_in_other_precisions(dtype):
    ids, logits = random_inputs()
    logits = logits.clamp(-60_000).to(dtype)  # the least float16 is -65504
    for ours, theirs in PAIRS:
        made = ours(ids, logits)
        assert made.dtype == dtype
        assert torch.equal(made, theirs(ids, logits.clone()))


def test_order_of_rules_is_the_given_one_and_matters():
    ids, logits = random_inputs()
    for order in (1, -1):
        ours = [temperature(0.5), top_p(0.8), repetition_penalty(1.3)][::order]
        cold, nucleus = (
            library.TemperatureLogitsWarper(0.5),
            library.TopPLogitsWarper(0.8),
        )
        theirs = library.LogitsProcessorList([cold, nucleus, Penalty(1.3)][::order])
        assert torch.equal(apply(ours, ids, logits), theirs(ids, logits))
    cold = apply([temperature(0.5), top_p(0.8)], ids, logits)
    warm = apply([top_p(0.8), temperature(0.5)], ids, logits)
    assert (cold > -INF).sum() < (warm > -INF).sum()  # a smaller nucleus


@pytest.fixture(scope="module")
def model():
    return random_model(vocab_size=VOCAB, n_layer=1, n_embd=8, pad_token_id=0)


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=NAMES)
def test_rules_are_drop_in_both_ways(model, ours, theirs):
    ids = torch.randint(1, VOCAB, (8, 4), generator=torch.Generator().manual_seed(1))
    options = {"attention_mask": torch.ones_like(ids), "max_new_tokens": 6}
    wanted = model.generate(ids, logits_processor=[theirs], do_sample=False, **options)
    made = [model.generate(ids, logits_processor=[ours], do_sample=False, **options)]
    for rules in ([ours], [theirs], library.LogitsProcessorList([theirs])):
        made.append(generate(model, ids, rules=rules, eos_token_id=0, **options))
    assert all(torch.equal(wanted, other) for other in made)


def test_rule_may_write_into_what_it_is_given(model):
    def in_place(input_ids, next_logits):
        next_logits[:, 5:] = -INF
        return next_logits

    logits = torch.randn(2, VOCAB)
    before = logits.clone()
    allowed = apply([in_place], None, logits)
    assert torch.equal(logits, before)
    assert (allowed > -INF).sum() == 10
    assert apply([], None, logits) is logits


RANGE = "a number from 1e-4 to 1e4; "
BAD = [
    (temperature, f"{RANGE}for 0 use greedy", (0, INF, True)),
    (top_k, "a whole number from 1 to the vocabulary's size", (0, 2.0, "5", None)),
    (top_p, "a probability in (0, 1]", (0, 1.1, math.nan)),
    (min_p, "a share of the largest, in (0, 1]", (0, 1.1)),
    (typical_p, "a probability in (0, 1)", (0, 1)),
    (repetition_penalty, f"{RANGE}1 changes nothing", (0, -1.2)),
    (no_repeat_ngram, "a whole number from 1", (0, 2.0)),
]


@pytest.mark.parametrize(
    ("make", "wanted", "value"),
    [(make, wanted, value) for make, wanted, values in BAD for value in values],
)
def test_value_that_makes_no_sense_has_its_own_line(make, wanted, value):
    line = re.escape(f" is {value!r}, expected {wanted}")
    with pytest.raises(ValueError, match=line):
        make(value)


def test_numbers_of_numpy_are_numbers():
    made = apply([top_k(np.int64(3)), temperature(np.float32(2))], None, torch.eye(5))
    assert torch.equal(made, apply([top_k(3), temperature(2)], None, torch.eye(5)))


@pytest.mark.parametrize("value", [1e-4, 1e4])
@pytest.mark.parametrize("make", [temperature, repetition_penalty])
def test_at_the_ends_of_the_range_a_token_is_left(make, value):
    ids, logits = torch.arange(VOCAB)[None], torch.linspace(-300, 300, VOCAB)[None]
    check_choice(make(value)(ids, logits))


@pytest.mark.parametrize("rule", [pair[0] for pair in PAIRS[::5]])
@pytest.mark.parametrize(
    ("logits", "came"),
    [
        (torch.zeros(1, 1, VOCAB), "torch.float32 (1, 1, 40)"),
        (torch.zeros(1, VOCAB, dtype=torch.long), "torch.int64 (1, 40)"),
        (torch.zeros(1, 0), "torch.float32 (1, 0)"),
    ],
)
def test_logits_of_another_shape_or_kind_are_refused(rule, logits, came):
    line = re.escape(f"expected floating logits (batch, vocab), got {came}")
    with pytest.raises(ValueError, match=line):
        rule(torch.zeros(1, 2, dtype=torch.long), logits)


@pytest.mark.parametrize("rule", [repetition_penalty(1.2), no_repeat_ngram(2)])
@pytest.mark.parametrize(
    ("ids", "line"),
    [
        (torch.ones(2, 4).long(), "(1, seq), torch.int64, got torch.int64 (2, 4)"),
        (torch.ones(1, 4), "(1, seq), torch.int64, got torch.float32 (1, 4)"),
        (torch.tensor([[1, 40]]), "token id 40 is outside the vocabulary, 0 … 39"),
    ],
)
def test_ids_of_another_shape_or_kind_are_refused(rule, ids, line):
    with pytest.raises(ValueError, match=re.escape(line)):
        rule(ids, torch.zeros(1, VOCAB))


@pytest.mark.parametrize(
    ("place", "value", "kind"),
    [
        ((1, 7), math.nan, "NaN among the logits"),
        ((1, 7), INF, "an infinite logit"),
        (1, -INF, "no token allowed"),
    ],
)
def test_logits_without_a_choice_name_their_row(place, value, kind):
    logits = torch.zeros(3, VOCAB)
    check_choice(logits)
    logits[place] = value
    with pytest.raises(ValueError, match=f"^{kind} in row 1: a rule forbade all, or"):
        check_choice(logits)
