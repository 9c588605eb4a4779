"""Right answers in other styles to the exercises of day 7, and other mistakes."""

from functools import partial

import torch

from helpers.checks import day07


def _kind(weights, length, least=None):
    rows = range(length + 1, 2 * length + 1)
    back = {"previous": 1, "duplicate": length, "induction": length - 1}
    scores = {k: sum(float(weights[q, q - n]) for q in rows) for k, n in back.items()}
    scores["first"] = sum(float(weights[q, 0]) for q in rows)
    scores["none"] = least * length if least else 5 * sum(1 / (q + 1) for q in rows)
    return max(scores, key=scores.get)


def _verdicts():
    return dict(day07.TRUE)


def _by_heads(merged, n_head, head):
    split = list(merged.chunk(n_head, dim=-1))
    split[head] = split[head].double().mean(dim=(0, 1)).expand_as(split[head])
    return torch.cat(split, dim=-1)


WRONG = {
    "day07_kind": {
        "was called sink": lambda weights, length: "sink",
        "a head of the kind none was called previous": partial(_kind, least=0.2),
        "at query q that is 1 / (q + 1)": lambda weights, length: _kind(
            weights, length, least=5 / (2 * length + 1)
        ),
    },
    "day07_verdicts": {
        "E is not 'redundant'": lambda: _verdicts() | {"E": "redundant"},
        "A is not None": lambda: {"B": "redundant"},
    },
}

RIGHT = {
    "day07_kind": [_kind],
    "day07_verdicts": [_verdicts],
    "day07_mean_ablated": [_by_heads],
}
