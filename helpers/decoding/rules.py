"""Rules: what may change the logits of the next token before one is chosen.

A rule is a function ``(input_ids, next_logits) -> next_logits`` with ``input_ids``
(batch, seq), the prompt included, and ``next_logits`` (batch, vocab). That is the
signature of a ``LogitsProcessor`` of transformers, so these rules can be given to
``model.generate(logits_processor=[...])``, and the library's to ``helpers.decoding``.
A forbidden token gets the logit −∞, so its probability is exactly 0. All raise
ValueError for a value out of range.
"""

import math
from collections.abc import Callable

import torch

from helpers.decoding.choice import check_returned
from helpers.inputs import between, check_logits, check_within, expect, whole

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
FORBIDDEN = -math.inf
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
MODERATE = "a number from 1e-4 to 1e4"  # at the ends float32 does not yet overflow


def temperature(t: float) -> Rule:
    """Divide the logits by ``t``: below 1 sharpens the distribution, above flattens."""
    expect("temperature", t, between(1e-4, 1e4), f"{MODERATE}; for 0 use greedy")

    def rule(input_ids, logits):
        check_logits(logits)
        return logits / t

    return rule


def top_k(k: int) -> Rule:
    """Keep the ``k`` largest logits, and what ties with them (Fan et al. 2018)."""
    expect("k", k, whole(), "a whole number from 1 to the vocabulary's size")

    def rule(input_ids, logits):
        check_logits(logits)
        vocab = logits.shape[-1]
        expect("k", k, whole(vocab), f"at most the vocabulary's {vocab} tokens")
        least = logits.topk(k).values[:, -1:]  # (batch, 1)
        return logits.masked_fill(logits < least, FORBIDDEN)

    return rule


def top_p(p: float) -> Rule:
    """Keep the fewest likeliest tokens whose probabilities reach ``p`` together.

    The token that crosses ``p`` is kept. Source: Holtzman et al. 2020, "nucleus".
    """
    expect("p", p, lambda p: 0 < p <= 1, "a probability in (0, 1]")

    def rule(input_ids, logits):
        check_logits(logits)
        rising, order = logits.sort(dim=-1)  # (batch, vocab) both, the likeliest last
        rest = rising.softmax(dim=-1).cumsum(dim=-1)  # mass of it and all less likely
        # A token is needed while the likelier ones, 1 - rest, do not reach p. Small
        # probabilities are added up first, as the library does: none is rounded away.
        needed = rest > 1 - p  # (batch, vocab), in that order
        needed[:, -1] = True  # the likeliest always is
        return logits.masked_fill(~needed.scatter(1, order, needed), FORBIDDEN)

    return rule


def min_p(p: float) -> Rule:
    """Keep what is at least ``p`` times as likely as the best (Nguyen et al. 2024)."""
    expect("p", p, lambda p: 0 < p <= 1, "a share of the largest, in (0, 1]")

    def rule(input_ids, logits):
        check_logits(logits)
        probs = logits.softmax(dim=-1)  # (batch, vocab)
        least = p * probs.amax(dim=-1, keepdim=True)  # (batch, 1)
        return logits.masked_fill(probs < least, FORBIDDEN)

    return rule


def typical_p(p: float) -> Rule:
    """Keep surprises nearest to the entropy, up to mass ``p`` (Meister et al. 2023)."""
    expect("p", p, lambda p: 0 < p < 1, "a probability in (0, 1)")

    def rule(input_ids, logits):
        check_logits(logits)
        log_probs = logits.log_softmax(dim=-1)  # (batch, vocab)
        entropy = -(log_probs.exp() * log_probs).nansum(dim=-1, keepdim=True)
        distance = (-log_probs - entropy).abs()  # (batch, vocab)
        rising, order = distance.sort(dim=-1)
        mass = logits.gather(-1, order).softmax(dim=-1).cumsum(dim=-1)
        last = (mass < p).sum(dim=-1, keepdim=True)  # (batch, 1): it crosses p
        # Where rounding leaves all the mass below p, the last token has to do.
        farthest = rising.gather(-1, last.clamp(max=logits.shape[-1] - 1))
        return logits.masked_fill(distance > farthest, FORBIDDEN)

    return rule


def repetition_penalty(r: float) -> Rule:
    """Divide the positive logits of tokens already there by ``r``, multiply the others.

    The prompt's tokens count. Adding a constant to all logits, which changes no
    probability, changes what this rule does. Source: Keskar et al. 2019.
    """
    expect("penalty", r, between(1e-4, 1e4), f"{MODERATE}; 1 changes nothing")

    def rule(input_ids, logits):
        _check_ids(input_ids, logits)
        seen = logits.gather(1, input_ids)  # (batch, seq)
        return logits.scatter(1, input_ids, torch.where(seen < 0, seen * r, seen / r))

    return rule


def no_repeat_ngram(n: int) -> Rule:
    """Forbid tokens that complete an ``n``-gram already there (Paulus et al. 2018)."""
    expect("n", n, whole(), "a whole number from 1")

    def rule(input_ids, logits):
        _check_ids(input_ids, logits)
        if input_ids.shape[1] < n:
            return logits
        grams = input_ids.unfold(1, n, 1)  # (batch, seq - n + 1, n)
        start = input_ids[:, input_ids.shape[1] - n + 1 :]  # (batch, n - 1)
        met = (grams[:, :, :-1] == start[:, None]).all(dim=-1)  # (batch, seq - n + 1)
        rows, places = met.nonzero(as_tuple=True)
        logits = logits.clone()  # (batch, vocab); the caller keeps his own
        logits[rows, grams[rows, places, -1]] = FORBIDDEN
        return logits

    return rule


def apply(rules, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return what the rules make of logits (batch, vocab); TypeError for no logits."""
    allowed = logits.clone() if rules else logits  # a rule may write into its own
    for rule in rules:
        allowed = rule(input_ids, allowed)
        check_returned("a rule", allowed, logits.shape, FLOATS, "logits")
    return allowed


def _check_ids(input_ids: torch.Tensor, logits: torch.Tensor) -> None:
    check_logits(logits)
    rows, shape = len(logits), tuple(input_ids.shape)
    if input_ids.dtype != torch.int64 or len(shape) != 2 or shape[0] != rows:
        came = f"{input_ids.dtype} {shape}"
        raise ValueError(f"expected input_ids ({rows}, seq), torch.int64, got {came}")
    check_within("token id", input_ids, "the vocabulary", logits.shape[1])
