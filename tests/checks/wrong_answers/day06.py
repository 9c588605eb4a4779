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


def _nucleus_loop(probs, p):
    left, mass = torch.zeros(len(probs), dtype=torch.float64), 0.0
    for token in sorted(range(len(probs)), key=lambda i: -probs[i]):
        if mass >= p:
            break
        left[token] = probs[token]
        mass += left[token]
    return left / mass


def _min_p(z, p):
    probs = z.softmax(dim=-1)
    return torch.where(probs >= p * probs.amax(dim=-1, keepdim=True), z, -math.inf)


def _counted(texts):
    counts = collections.Counter()
    for text in texts:
        counts.update(itertools.pairwise(text))
    return np.float64(len(counts)) / counts.total()


WRONG = {
    "day06_draw": {
        "probability is 0: > u, not >= u": lambda q, u: int((q.cumsum(0) < u).sum()),
        "the last token that has a probability, not 4": _ends,
        "not 3": lambda q, u: min(_ends(q, u), len(q) - 1),
    },
    "day06_min_p": {
        "logits was changed in place": lambda z, p: z.copy_(_min_p(z, p)),
        "expected": lambda z, p: _min_p(z, p).clamp(min=-1e9),
    },
}

RIGHT = {
    "day06_draw": [_bisected],
    "day06_top_p": [_nucleus_loop],
    "day06_min_p": [_min_p],
    "day06_distinct": [_counted],
}
