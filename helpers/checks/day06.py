"""Checks for day 6: drawing a token, top-p, settings that are level with the best."""

import math
from statistics import fmean

import torch

from helpers.checks.common import exercise
from helpers.checks.values import plain, same
from helpers.worlds import Mean, mean


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
        "nothing": dict(count=lambda mass, p: (mass <= p).sum()),
        "where the mass is exactly p, one token more was kept: no other is needed to "
        "reach p": dict(count=lambda mass, p: (mass <= p).sum() + 1),
        "all tokens that tie with the last one were kept: keep the fewest that reach p "
        "together": lambda q, p: _only(q, q >= q[_nucleus(q, p) > 0].min()),
        "put each probability at its own token": lambda q, p: _nucleus(_falling(q), p),
        "sort first, from the largest down": lambda q, p: _only(q, q.cumsum(0) - q < p),
    },
)


def _behind(best, shares):
    """Return by how much a setting is behind the best, and the error of that."""
    return mean(a - b for a, b in zip(best, shares, strict=True))


def _unpaired(best, shares):
    both = [mean(best), mean(shares)]
    return Mean(both[0].value - both[1].value, math.hypot(*(m.error for m in both)))


def _level(told, behind=_behind, times=3.0):
    best = max(told.values(), key=fmean)
    rows = {name: behind(best, shares) for name, shares in told.items()}
    return [name for name, row in rows.items() if row.value <= times * row.error]


def _of_one(best, shares):
    return Mean(_behind(best, shares).value, mean(shares).error)


def _spread(best, shares):
    value, error = _behind(best, shares)
    return Mean(value, error * math.sqrt(len(best)))


HARD = [1.0, 0.2, 0.9, 0.4, 1.0, 0.3, 0.8, 0.5, 0.7, 0.6]  # hard or easy for all


def _less(tenths: str) -> list[float]:
    return [a - int(b) / 10 for a, b in zip(HARD, tenths, strict=True)]


TRIED = [
    {"k = 10": _less("0101010010"), "min-p 0.1": HARD, "T = 1.5": _less("3434334343")},
    {"p = 0.9": _less("1111111011"), "min-p 0.1": HARD, "k = 40": _less("0100010000")},
    {"twin": HARD, "T = 1.5": [x / 4 for x in HARD], "best": HARD},
]
day06_level = exercise(
    "level(told): the best setting and those not told apart from it, as a list.",
    cases=[(told,) for told in TRIED],
    call=lambda answer, told: sorted(answer(told)),
    right=_level,
    hint=lambda case, level, said: f"of {[*case[0]]} level are {level}, not {said}",
    wrong={
        "name those that are level with the best, too": lambda told: [
            max(told, key=lambda name: fmean(told[name]))
        ],
        "take the differences beginning by beginning: two errors apart count what is "
        "hard for all as noise": dict(behind=_unpaired),
        "this is the ± of one mean: take that of the differences": dict(behind=_of_one),
        "this is the spread of single differences: divide by the root of n": dict(
            behind=_spread
        ),
        "the course asks for three standard errors": dict(times=1.0),
        "two errors are not three": dict(times=2.0),
    },
)
