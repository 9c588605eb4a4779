"""Right answers in other styles to the exercises of day 6, and other mistakes."""

import bisect
import collections
import itertools
import math

import numpy as np
import torch


def _bisected(probs, u):
    place = bisect.bisect(list(itertools.accumulate(probs.tolist())), u)
    return np.minimum(place, np.flatnonzero(probs.numpy()).max())


def _ends(probs, u):
    return int((probs.cumsum(0) <= u).sum())


def _stepping(probs, u):
    total, token = 0.0, -1
    while total <= u:
        token += 1
        total += probs[token].item() if token < len(probs) else 0.0
    return token


def _nucleus_loop(probs, p):
    left, mass = torch.zeros(len(probs), dtype=torch.float64), 0.0
    for token in sorted(range(len(probs)), key=lambda i: -probs[i]):
        if mass >= p:
            break
        left[token] = probs[token]
        mass += left[token]
    return left / mass


def _until_reached(probs, p):
    left = torch.zeros_like(probs)
    while left.sum() < p:
        token = (probs - left).argmax()
        left[token] = probs[token]
    return left / left.sum()


def _min_p(z, p):
    probs = z.softmax(dim=-1)
    return torch.where(probs >= p * probs.amax(dim=-1, keepdim=True), z, -math.inf)


def _counted(texts):
    counts = collections.Counter()
    for text in texts:
        counts.update(itertools.pairwise(text))
    return np.float64(len(counts)) / counts.total()


WRONG = {
    "day06_draw": [
        (
            "below u",
            lambda q, u: int((q.cumsum(0) < u).sum()),
            "probability is 0: > u, not >= u",
        ),
        ("off the end", _ends, "the last token that has a probability, not 4"),
        ("last of all", lambda q, u: min(_ends(q, u), len(q) - 1), "not 3"),
        ("an axis", lambda q, u: torch.tensor([_ends(q, u)]), "of shape (1,)"),
        ("P", lambda q, u: q[_bisected(q, u)], "expected a whole number, got a number"),
        ("for ever", _stepping, "had not ended after 4 seconds"),
    ],
    "day06_top_p": [
        ("for ever", _until_reached, "had not ended after 4 seconds"),
    ],
    "day06_min_p": [
        ("in place", lambda z, p: z.copy_(_min_p(z, p)), "logits was changed in place"),
        ("a mask", lambda z, p: _min_p(z, p).isfinite(), "of True and False"),
        ("low", lambda z, p: _min_p(z, p).clamp(min=-1e9), "expected"),
        ("overflows", lambda z, p: _min_p(z.exp().log(), p), "expected"),
    ],
    "day06_distinct": [
        ("-1 pairs", lambda x: 7 / sum(len(t) - 1 for t in x), "expected"),
    ],
}

RIGHT = {
    "day06_draw": [_bisected],
    "day06_top_p": [_nucleus_loop],
    "day06_min_p": [_min_p],
    "day06_distinct": [_counted],
}
