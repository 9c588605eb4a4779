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


def _by_heads(merged, w_o, direction, n_head):
    pairs = zip(merged.chunk(n_head), w_o.chunk(n_head), strict=True)
    return [float(part @ rows @ direction) for part, rows in pairs]


def _centred(merged, w_o, direction, n_head):
    return _by_heads(merged, w_o, direction - direction.mean() + 1, n_head)


WRONG = {
    "day07_kind": {
        "was called sink": lambda weights, length: "sink",
        "a head of the kind none was called previous": partial(_kind, least=0.2),
        "at query q that is 1 / (q + 1)": lambda weights, length: _kind(
            weights, length, least=5 / (2 * length + 1)
        ),
    },
    "day07_says": {"expected": lambda *given: torch.tensor(_centred(*given))},
    "day07_verdicts": {
        "E is not 'redundant'": lambda: _verdicts() | {"E": "redundant"},
        "G is not 'needed, does not carry'": lambda: (
            _verdicts() | {"G": "needed, does not carry"}
        ),
        "A is not None": lambda: {"B": "redundant"},
    },
}

RIGHT = {
    "day07_kind": [_kind],
    "day07_verdicts": [_verdicts],
    "day07_says": [lambda *given: torch.tensor(_by_heads(*given))],
}
