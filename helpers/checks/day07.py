"""Checks for day 7: attention by hand, a head's score, silencing it, cutting a line."""

from functools import partial

import torch

from helpers.checks.common import exercise
from helpers.checks.day03 import masked, share


def _attend(q, k, make=masked, root=lambda q: q.shape[-1] ** 0.5):
    return make(q @ k.T / root(q))


def _making(make):
    return partial(_attend, make=make)


LUCK = torch.Generator().manual_seed(7)
STEEP = torch.full((5, 4), 100.0), (1.5 * torch.arange(5) - 150).expand(4, 5).T
day07_attention = exercise(
    "attend(q, k): causal attention weights, two (seq, d) to (seq, seq).",
    cases=[
        tuple(torch.randn(2, seq, d, generator=LUCK)) for seq, d in ((5, 4), (3, 16))
    ]
    + [(torch.zeros(5, 4), torch.ones(5, 4)), STEEP],
    right=_attend,
    wrong={
        "divide by the root of d": partial(_attend, root=lambda q: 1),
        "the root of d, not of seq": partial(_attend, root=lambda q: len(q) ** 0.5),
        "the future is not masked": _making(lambda scores: scores.softmax(-1)),
        "the future was zeroed after the softmax: rows must sum to 1, so mask the "
        "scores before it": _making(lambda s: s.softmax(-1).tril()),
        "zeroed after the softmax, then divided by what is left, which may be 0 / 0: "
        "mask before it": _making(lambda s: share(s.softmax(-1).tril())),
        "rows are queries, columns keys": _making(lambda s: masked(s.T)),
        "the softmax goes over keys: -1": _making(partial(masked, dim=0)),
    },
)


def _back(weights, offset=-1):
    return weights.diagonal(offset, -2, -1)


day07_previous = exercise(
    "score(weights): mean weight on the token before, (…, seq, seq) to (…).",
    cases=[(masked(2 * torch.randn(2, 3, n, n, generator=LUCK)),) for n in (6, 4)],
    right=lambda weights: _back(weights).mean(-1),
    wrong={
        "the token before is to the left, offset -1": lambda w: _back(w, 1).mean(-1),
        "that is the weight on the token itself": lambda w: _back(w, 0).mean(-1),
        "the first token has none before it": lambda w: _back(w).sum(-1) / w.shape[-1],
        "a mean is wanted, not a sum": lambda w: _back(w).sum(-1),
        "diagonal needs dim1=-2, dim2=-1": lambda w: w.diagonal(-1).mean(-1),
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


def _zeroed(matrix, *where):
    matrix = matrix.clone()
    matrix[where] = 0
    return matrix


WEIGHTS = masked(torch.randn(5, 5, generator=LUCK))
VALUES = torch.randn(5, 3, generator=LUCK)
day07_cut = exercise(
    "without(weights, values, query, key): what is gathered with one line cut.",
    cases=[(WEIGHTS, VALUES, *line) for line in ((3, 1), (4, 0), (2, 2))],
    right=lambda weights, values, q, k: _zeroed(weights, q, k) @ values,
    wrong={
        "rows are queries, columns keys": lambda w, v, q, k: _zeroed(w, k, q) @ v,
        "do not let it sum to 1 again": lambda w, v, q, k: share(_zeroed(w, q, k)) @ v,
        "nobody gets anything from key now": lambda w, v, q, k: w @ _zeroed(v, k),
        "only the query's row has the line": lambda w, v, q, k: w @ v - w[q, k] * v[k],
        "return all rows, not the query's": lambda w, v, q, k: _zeroed(w, q, k)[q] @ v,
    },
)
