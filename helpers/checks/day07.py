"""Checks for day 7: kinds of heads, silencing one, what may be said."""

from functools import partial

import torch

from helpers.checks.common import exercise
from helpers.checks.day03 import masked

LUCK = torch.Generator().manual_seed(7)


def _texts(length: int):
    """Yield a head of each kind, its weights (seq, seq), and the length of a copy."""
    spread = masked(torch.zeros(2 * length + 1, 2 * length + 1))
    copies = torch.arange(1, length + 1), torch.arange(length + 1, len(spread))

    def head(looks, queries=copies[1]):  # {how far back: its share}, the rest spread
        sharp = spread.clone()
        sharp[queries] *= 1 - sum(looks.values())
        for back, share in looks.items():
            sharp[queries, queries - back] += share
        return sharp

    yield from ((head({n: 0.9}), length) for n in (1, length, length - 1, length - 2))
    sink = 0.1 * spread + 0.9 * torch.eye(len(spread))[0]
    yield from ((sink, length), (spread, length), (masked(2 * spread.log()), length))
    yield head({1: 0.35, length - 1: 0.6}), length  # two kinds, one stronger
    yield head({1: 2.4 / length}), length  # four times chance
    yield head({1: 0.9}, copies[0]), length  # not in the second copy


def _kind(weights, length, shift=0, least=5, whole=False, pick=max):
    queries = torch.arange(length + 1, len(weights))
    keys = {"previous": queries - 1, "first": 0 * queries}
    back = queries - length + shift
    keys |= {"duplicate": back, "induction": back + 1}
    scores = {name: weights[queries, key].mean() for name, key in keys.items()}
    if whole:
        scores["previous"] = weights.diagonal(-1).mean()
    kinds = [k for k in scores if scores[k] > least * (1 / (queries + 1)).mean()]
    return pick(kinds, key=scores.get) if kinds else "none"


day07_kind = exercise(
    "kind(weights, length): what a head does on a text written twice, or none.",
    cases=[case for length in (10, 16) for case in _texts(length)],
    right=_kind,
    hint=lambda case, name, said: f"a head of the kind {name} was called {said}",
    wrong={
        "to look everywhere alike is no kind: use chance": partial(_kind, least=0),
        "duplicate is length back, induction length - 1": partial(_kind, shift=-1),
        "several may pass: take the largest": partial(_kind, pick=lambda k, key: k[0]),
        "the second copy only, from query length + 1": partial(_kind, whole=True),
        "five times chance; at query q that is 1 / (q + 1)": partial(_kind, least=2),
        "rows look, columns are looked at": lambda w, length: _kind(w.T, length),
    },
)


def _place(merged, n_head, head):
    d_head = merged.shape[-1] // n_head
    return slice(head * d_head, (head + 1) * d_head)


def _ablate(merged, n_head, head, put=lambda part: part.mean((0, 1)), place=_place):
    changed = merged.clone()
    at = place(merged, n_head, head)
    changed[..., at] = put(merged[..., at])
    return changed


MERGED = torch.randn(2, 3, 12, generator=LUCK) + torch.arange(12)
day07_mean_ablated = exercise(
    "ablated(merged, n_head, head): a head's slice replaced by its mean.",
    cases=[(MERGED, n_head, head) for n_head, head in ((3, 1), (4, 3), (2, 0))],
    right=_ablate,
    wrong={
        "that is zero ablation: put the mean": partial(_ablate, put=lambda x: 0),
        "each of the d_head numbers has its own mean": partial(_ablate, put=torch.mean),
        "take the mean over all texts": partial(_ablate, put=lambda x: x.mean(1, True)),
        "and over all positions": partial(_ablate, put=lambda x: x.mean(0, True)),
        "the slices of heads lie one after the other, not interleaved, each n_head-th "
        "number": partial(_ablate, place=lambda x, n, h: slice(h, None, n)),
        "a slice is d_head wide, that is d_model // n_head, and begins at h * d_head, "
        "not n_head": partial(_ablate, place=lambda x, n, h: slice(h * n, (h + 1) * n)),
        "heads count from 0": lambda x, n, h: _ablate(x, n, (h - 1) % n),
    },
)


WHY = {
    "A": "silenced it costs no more than its control, patched it brings nothing",
    "B": "patched it brings the word, silenced the word is lost; its control does not",
    "C": "half the word comes by it alone; without it nothing is lost, logits neither",
    "D": "its control costs as much: 0.05 apart, and the errors are 0.09 each",
    "E": "without it the forecast breaks, but it does not bring the word",
}
TRUE = ["only looks", "enough and needed", "redundant", "nothing special"]
TRUE = dict(zip("ABCDE", [*TRUE, "needed, does not carry"], strict=True))


def _first_wrong(case, true, said):
    off = [name for name in true if said.get(name) != true[name]]
    return f"{off[0]} is not {said.get(off[0])!r}: {WHY[off[0]]}"


day07_verdicts = exercise(
    "verdicts(): what each of five experiments, A to E, allows one to say.",
    cases=[()],
    right=lambda: dict(TRUE),
    call=lambda answer: answer(),  # so that no message prints what is expected
    hint=_first_wrong,
    wrong={
        "a large weight proves nothing: see A": partial(dict, TRUE, A="redundant"),
        "as dear as any heads: see D": partial(dict, TRUE, D="needed, does not carry"),
        "not needed is not the same as idle: C": partial(dict, TRUE, C="only looks"),
    },
)
