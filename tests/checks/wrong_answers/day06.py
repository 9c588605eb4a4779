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


def _probed(box):
    slopes = [[-gap * i for i in range(100)] for gap in (1e-6, 1)]
    kept = [int(box(slope).isfinite().sum()) for slope in slopes]
    if 100 in kept:
        return "min-p" if kept[1] < 100 else "temperature"
    if kept[0] == kept[1]:
        return "top-k"
    odd = box([2.0] + [-1e-6 * i for i in range(99)])
    return ("top-p", "typical")[math.isinf(odd[0])]


WRONG = {
    "day06_draw": {
        "probability is 0: > u, not >= u": lambda q, u: int((q.cumsum(0) < u).sum()),
        "the last token that has a probability, not 4": _ends,
        "not 3": lambda q, u: min(_ends(q, u), len(q) - 1),
    },
    "day06_box": {"a box with temperature in it was called top-p": lambda box: "top-p"},
}

RIGHT = {
    "day06_draw": [_bisected],
    "day06_top_p": [_nucleus_loop],
    "day06_box": [_probed],
}
