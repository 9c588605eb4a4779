"""Checks for day 6: drawing a token, top-p, min-p, distinct-2."""

import math
from itertools import pairwise

import torch

from helpers.checks.common import exercise
from helpers.checks.values import plain, same


def _draw(probs, u):
    return min(int((probs.cumsum(0) <= u).sum()), int(probs.nonzero().max()))


def _falling(probs):
    return probs.sort(descending=True).values


def _what_was_hit(case, expected, token):
    probs, u = case
    if u >= probs.sum():
        short = f"the sums end at {probs.sum():.4f}, as sums of floats may, and u = {u}"
        return f"{short}: take the last token that has a probability, not {token}"
    zero = "" if probs[token] else ", whose probability is 0: > u, not >= u"
    return f"u = {u} falls on the piece of token {expected}, not on {token}{zero}"


STICK = torch.tensor([0, 0.125, 0.5, 0, 0.25, 0.125, 0])
SHORT = torch.tensor([0.125, 0.5, 0.3749, 0])  # sums of floats may end below 1
day06_draw = exercise(
    "draw(probs, u): the token that a number u from [0, 1) falls on.",
    cases=[(STICK, u) for u in (0.0, 0.1, 0.125, 0.3, 0.624, 0.625, 0.8, 0.99)]
    + [(SHORT, u) for u in (0.0, 0.125, 0.625, 0.99995)],
    hint=_what_was_hit,
    right=_draw,
    wrong={
        "u must decide: this token comes whatever it is": lambda q, u: int(q.argmax()),
        "add the probabilities up first": lambda q, u: int((q > u).int().argmax()),
        "this is a rank among the sorted tokens: give the token's id, which is its "
        "place in probs": lambda q, u: int((_falling(q).cumsum(0) <= u).sum()),
    },
)


def _only(probs, kept):
    left = torch.zeros_like(probs)
    left[kept] = probs[kept]
    return left / left.sum()


def _nucleus(probs, p, count=lambda mass, p: (mass < p).sum() + 1):
    order = probs.argsort(descending=True)
    return _only(probs, order[: int(count(probs[order].cumsum(0), p))])


def _same_up_to_ties(value, expected) -> bool:
    """Compare two distributions; of tokens that all tie, any may stay."""
    stay = expected[expected > 0]
    if len(stay) > 1 and bool((stay == stay[0]).all()):
        value, expected = _falling(plain(value)), _falling(expected)
    return same(value, expected)


PROBS = torch.tensor([0.0625, 0.375, 0.02, 0.1875, 0.23, 0.125])
day06_top_p = exercise(
    "nucleus(probs, p): the distribution after top-p, (vocab,) to (vocab,).",
    cases=[(PROBS, p) for p in (0.5, 0.7, 0.9, 0.2, 1.0)]
    + [(torch.tensor([0.25, 0.5, 0.25]), 0.5), (torch.full((4,), 0.25), 0.5)]
    + [(torch.tensor([0.3, 0.5, 0.19999]), 1.0)],  # sums of floats may end below 1
    same=_same_up_to_ties,
    right=_nucleus,
    wrong={
        "the rest must sum to 1": lambda q, p: torch.where(_nucleus(q, p) > 0, q, 0),
        "the token that crosses the threshold was dropped: less than p is left, or "
        "nothing": lambda q, p: _nucleus(q, p, lambda m, p: (m <= p).sum()),
        "where the mass is exactly p, one token more was kept: no other is needed to "
        "reach p": lambda q, p: _nucleus(q, p, lambda m, p: (m <= p).sum() + 1),
        "all tokens that tie with the last one were kept: keep the fewest that reach p "
        "together": lambda q, p: _only(q, q >= q[_nucleus(q, p) > 0].min()),
        "put each probability at its own token": lambda q, p: _nucleus(_falling(q), p),
        "sort first, from the largest down": lambda q, p: _only(q, q.cumsum(0) - q < p),
    },
)


def _forbid(logits, where):
    return logits.masked_fill(where, -math.inf)


def _min_p(logits, p, forbidden=-math.inf):
    return logits.masked_fill(logits < logits.amax(-1, True) + math.log(p), forbidden)


LOGITS = torch.tensor([[0.6, 0.3, -1.2, 0.8, -0.3], [-2.5, 1.4, -3.1, 0.4, -0.5]])
day06_min_p = exercise(
    "min_p(logits, p): logits (batch, vocab), -inf where forbidden.",
    cases=[(LOGITS, 0.3), (LOGITS, 0.1), (LOGITS, 1.0)]
    + [(torch.tensor([[1000.0, 999.5, 995.0]]), 0.5)],
    right=_min_p,
    wrong={
        "p is a share of the largest one": lambda z, p: _forbid(z, z.softmax(-1) < p),
        "take each row's largest": lambda z, p: _forbid(z, z < z.max() + math.log(p)),
        "logits have no scale, so shares of the largest logit mean nothing: compare "
        "probabilities, or add log p": lambda z, p: _forbid(z, z < p * z.amax(1, True)),
        "a token that is exactly p times as probable stays: less than that is "
        "forbidden": lambda z, p: _forbid(z, z <= z.amax(-1, True) + math.log(p)),
        "0 forbids nothing, as exp(0) is 1: put -inf": lambda z, p: _min_p(z, p, 0),
    },
)


def _pairs(texts):
    return [pair for text in texts for pair in pairwise(text)]


def _share(items, of=None):
    return len(set(items)) / len(of or items)


day06_distinct = exercise(
    "distinct_2(texts): different word pairs, per pair of all texts.",
    cases=[([list("abacabd"), list("abda"), list("cec")],)]  # words of one letter
    + [([["a", "bc", "d"], ["ab", "c", "d"]],), ([["a"], ["a", "b", "c"], []],)],
    each=True,
    right=lambda texts: _share(_pairs(texts)),
    wrong={
        "no pair goes from text to text": lambda t: _share(_pairs([sum(t, [])])),
        "divide by pairs, not words": lambda t: _share(_pairs(t), of=sum(t, [])),
        "count pairs of words, not words": lambda texts: _share(sum(texts, [])),
        "a + bc and ab + c are two pairs": lambda t: _share([*map("".join, _pairs(t))]),
        "count over all texts together: a mean over texts does not see what two of "
        "them share": lambda t: sum(_share(_pairs([x])) for x in t) / len(t),
    },
)
