"""Rules: what may change the logits of the next token before one is chosen.

A rule is a function ``(input_ids, next_logits) -> next_logits`` with ``input_ids``
(batch, seq), the prompt included, and ``next_logits`` (batch, vocab). That is the
signature of a ``LogitsProcessor`` of transformers, so these rules can be given to
``model.generate(logits_processor=[...])``, and the library's to ``helpers.decoding``.
A token that a rule forbids gets the logit −∞, so its probability is exactly 0.
"""

import math
from collections.abc import Callable
from functools import wraps

import torch

from helpers.inputs import above_0, expect, whole

Rule = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
FORBIDDEN = -math.inf


def temperature(t: float) -> Rule:
    """Divide the logits by ``t``: below 1 sharpens the distribution, above flattens.

    Raises:
        ValueError: unless ``t`` is a finite number above 0. For 0, choose greedily.
    """
    expect("temperature", t, above_0, "a number above 0; for 0 use greedy")
    return _rule(lambda input_ids, logits: logits / t)


def top_k(k: int) -> Rule:
    """Keep the ``k`` largest logits, and whatever ties with the smallest of them.

    Source: Fan et al. 2018. Raises ValueError unless ``k`` is 1 or more; more than the
    vocabulary is an error where the rule is applied.
    """
    expect("k", k, whole(), "a whole number from 1 to the vocabulary's size")

    def rule(input_ids, logits):
        vocab = logits.shape[-1]
        expect("k", k, whole(vocab), f"at most the vocabulary's {vocab} tokens")
        least = logits.topk(k).values[:, -1:]  # (batch, 1)
        return logits.masked_fill(logits < least, FORBIDDEN)

    return _rule(rule)


def top_p(p: float) -> Rule:
    """Keep the fewest likeliest tokens whose probabilities reach ``p`` together.

    The token that crosses the threshold is kept, so at least ``p`` remains.
    Source: Holtzman et al. 2020, "nucleus". Raises ValueError unless 0 < p <= 1.
    """
    expect("p", p, lambda p: 0 < p <= 1, "a probability in (0, 1]")

    def rule(input_ids, logits):
        rising, order = logits.sort(dim=-1)  # (batch, vocab) both
        below = rising.softmax(dim=-1).cumsum(dim=-1)  # mass up to here, itself in it
        removed = below <= 1 - p
        removed[:, -1] = False  # the likeliest always stays
        return logits.masked_fill(removed.scatter(1, order, removed), FORBIDDEN)

    return _rule(rule)


def min_p(p: float) -> Rule:
    """Keep the tokens at least ``p`` times as probable as the likeliest one.

    Source: Nguyen et al. 2024. Raises ValueError unless 0 < p <= 1.
    """
    wanted = "a share of the largest probability, in (0, 1]"
    expect("p", p, lambda p: 0 < p <= 1, wanted)

    def rule(input_ids, logits):
        probs = logits.softmax(dim=-1)
        largest, likeliest = probs.max(dim=-1, keepdim=True)  # (batch, 1) both
        removed = (probs < p * largest).scatter(-1, likeliest, False)
        return logits.masked_fill(removed, FORBIDDEN)

    return _rule(rule)


def typical_p(p: float) -> Rule:
    """Keep the tokens whose surprise is nearest to the entropy, up to mass ``p``.

    Source: Meister et al. 2023, "locally typical". Raises ValueError unless 0 < p < 1.
    """
    expect("p", p, lambda p: 0 < p < 1, "a probability in (0, 1)")

    def rule(input_ids, logits):
        log_probs = logits.log_softmax(dim=-1)
        entropy = -(log_probs.exp() * log_probs).nansum(dim=-1, keepdim=True)
        distance, order = (-log_probs - entropy).abs().sort(dim=-1)
        mass = logits.gather(-1, order).softmax(dim=-1).cumsum(dim=-1)
        last = (mass < p).sum(dim=-1, keepdim=True)  # the token that crosses p
        farthest = distance.gather(-1, last.clamp(max=logits.shape[-1] - 1))
        removed = distance > farthest
        removed[:, 0] = False
        return logits.masked_fill(removed.scatter(1, order, removed), FORBIDDEN)

    return _rule(rule)


def repetition_penalty(r: float) -> Rule:
    """Divide the positive logits of tokens already there by ``r``, multiply the others.

    The prompt's tokens count. Adding a constant to all logits, which changes no
    probability, changes what this rule does.
    Source: Keskar et al. 2019. Raises ValueError unless ``r`` is above 0.
    """
    expect("penalty", r, above_0, "a number above 0; 1 changes nothing")

    def rule(input_ids, logits):
        _check_ids(input_ids, logits)
        seen = logits.gather(1, input_ids)  # (batch, seq)
        return logits.scatter(1, input_ids, torch.where(seen < 0, seen * r, seen / r))

    return _rule(rule)


def no_repeat_ngram(n: int) -> Rule:
    """Forbid every token that would complete an ``n``-gram which is already there.

    Source: Paulus et al. 2018. Raises ValueError unless ``n`` is 1 or more.
    """
    expect("n", n, whole(), "a whole number from 1")

    def rule(input_ids, logits):
        _check_ids(input_ids, logits)
        if input_ids.shape[1] < n:
            return logits
        grams = input_ids.unfold(1, n, 1)  # (batch, seq - n + 1, n)
        start = input_ids[:, input_ids.shape[1] - n + 1 :]  # (batch, n - 1)
        met = (grams[:, :, :-1] == start[:, None]).all(dim=-1)  # as often as it ended
        rows, places = met.nonzero(as_tuple=True)
        logits = logits.clone()
        logits[rows, grams[rows, places, -1]] = FORBIDDEN
        return logits

    return _rule(rule)


def apply(rules, input_ids: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return what the rules, in their order, make of the logits (batch, vocab).

    A rule may write into the tensor that it is given: it is a copy.

    Raises:
        TypeError: for a rule that does not return logits of the same shape.
    """
    allowed = logits.clone() if rules else logits
    for rule in rules:
        allowed = rule(input_ids, allowed)
        if not isinstance(allowed, torch.Tensor):
            raise TypeError(f"a rule returned {type(allowed).__name__}, not logits")
        if allowed.shape != logits.shape or not allowed.is_floating_point():
            came = f"{allowed.dtype} {tuple(allowed.shape)}"
            raise TypeError(f"a rule returned {came}, not logits {tuple(logits.shape)}")
    return allowed


def _rule(function: Rule) -> Rule:
    """Let a rule refuse what no distribution can be made of."""

    @wraps(function)
    def checked(input_ids: torch.Tensor, next_logits: torch.Tensor) -> torch.Tensor:
        if next_logits.dim() != 2 or not next_logits.is_floating_point():
            came = f"{next_logits.dtype} {tuple(next_logits.shape)}"
            raise ValueError(f"expected floating logits (batch, vocab), got {came}")
        return function(input_ids, next_logits)

    return checked


def _check_ids(input_ids: torch.Tensor, logits: torch.Tensor) -> None:
    rows, shape = len(logits), tuple(input_ids.shape)
    if input_ids.dtype != torch.int64 or len(shape) != 2 or len(input_ids) != rows:
        came = f"{input_ids.dtype} {shape}"
        raise ValueError(f"expected input_ids ({rows}, seq), torch.int64, got {came}")
