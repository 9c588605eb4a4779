"""Checks for day 6: drawing a token, top-p, the rule in a black box."""

from collections.abc import Callable

import torch

from helpers.checks.common import exercise
from helpers.checks.values import plain, same
from helpers.decoding import min_p, temperature, top_k, top_p, typical_p


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


RULES = {
    "temperature": [temperature(t) for t in (0.5, 0.8, 1.5, 2.0)],
    "top-k": [top_k(k) for k in (2, 10, 30)],
    "top-p": [top_p(p) for p in (0.05, 0.5, 0.9)],
    "min-p": [min_p(p) for p in (0.05, 0.3, 0.9)],
    "typical": [typical_p(p) for p in (0.05, 0.5, 0.9)],
}


class _Box:  # a rule with a number, inside a function of logits (vocab,)
    def __init__(self, rule: Callable):
        self.rule = rule

    def __call__(self, logits):
        return self.rule(None, torch.as_tensor(logits).float()[None])[0]


def _which(box, broad=1e-4, second=True):
    steep, flat = torch.linspace(0, -90, 100), torch.linspace(0, -broad, 100)
    few, many = (int(box(z).isfinite().sum()) for z in (steep, flat))
    flat[0] = 1.6  # a favourite, five times as likely as each of the others
    if few == 100:
        return "temperature"
    if many == 100:
        return "min-p"
    if few == many or not second:
        return "top-k"
    return "top-p" if box(flat)[0].isfinite() else "typical"


day06_box = exercise(
    "which(box): the name of the rule in a box that takes logits (vocab,).",
    cases=[(_Box(rule),) for rules in RULES.values() for rule in rules],
    right=_which,
    hint=lambda case, name, said: f"a box with {name} in it was called {said}",
    wrong={
        "equal logits tie, and top-k keeps all that tie with the k-th: let them fall a "
        "little": lambda box: _which(box, broad=0),
        "one set of logits cannot show a number that is the same everywhere: top-k and "
        "the shares look alike there": lambda box: _which(box, second=False),
        "typical and top-p look alike until typical drops the favourite: make one that "
        "is too likely": lambda box: _which(box).replace("typical", "top-p"),
    },
)
