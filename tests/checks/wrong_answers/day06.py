"""Right answers in other styles to the exercises of day 6, and other mistakes."""

import bisect
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


def _level_in_numpy(told):
    rows = {name: np.array(shares) for name, shares in told.items()}
    best = max(rows.values(), key=np.mean)
    behind = {name: best - row for name, row in rows.items()}
    return {
        name
        for name, d in behind.items()
        if d.mean() <= 3 * d.std(ddof=1) / math.sqrt(len(d))
    }


WRONG = {
    "day06_draw": {
        "probability is 0: > u, not >= u": lambda q, u: int((q.cumsum(0) < u).sum()),
        "the last token that has a probability, not 4": _ends,
        "not 3": lambda q, u: min(_ends(q, u), len(q) - 1),
    },
    "day06_level": {"level are": lambda told: [*told]},
}

RIGHT = {
    "day06_draw": [_bisected],
    "day06_top_p": [_nucleus_loop],
    "day06_level": [_level_in_numpy],
}
