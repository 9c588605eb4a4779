"""Checks for day 7: attention by hand, a head's score, silencing it, cutting a line."""

import math

import torch

from helpers.checks.common import exercise

__all__ = ["day07_attention", "day07_cut", "day07_mean_ablated", "day07_previous"]


def causal(scores, value=-math.inf):
    return scores.masked_fill(torch.ones_like(scores).triu(1).bool(), value)


def attend(scores):
    return causal(scores).softmax(-1)


def share(odds):
    return odds / odds.sum(-1, keepdim=True)


def of(change):
    """Return a function that makes weights of the scaled scores."""
    return lambda q, k: change(q @ k.T / math.sqrt(q.shape[-1]))


def queries_and_keys(luck):
    pairs = [torch.randn(2, *shape, generator=luck) for shape in ((5, 4), (3, 16))]
    steep = torch.full((5, 4), 100.0), (1.5 * torch.arange(5) - 150).expand(4, 5).T
    return [*map(tuple, pairs), (torch.zeros(5, 4), torch.ones(5, 4)), steep]


day07_attention = exercise(
    "day07_attention",
    """attend(q, k): causal attention weights, two (seq, d) to (seq, seq).""",
    cases=queries_and_keys,
    right=of(attend),
    wrong={
        "divide by the root of d: the softmax is too sharp": lambda q, k: attend(
            q @ k.T
        ),
        "divide by the root, not by d": lambda q, k: attend(q @ k.T / q.shape[-1]),
        "divide by the root of d, the length of a vector, not of seq, the number "
        "of vectors": lambda q, k: attend(q @ k.T / math.sqrt(len(q))),
        "the root divides the scores, not the weights: a row of these must sum to 1, "
        "as a distribution": lambda q, k: attend(q @ k.T) / math.sqrt(q.shape[-1]),
        "the future is not masked": of(lambda scores: scores.softmax(-1)),
        "the future was zeroed after the softmax: rows must sum to 1, so mask the "
        "scores before it": of(lambda scores: scores.softmax(-1).tril()),
        "zeroed after the softmax, then divided: a high score of the future has left "
        "the past 0 / 0, so mask before": of(
            lambda scores: share(scores.softmax(-1).tril())
        ),
        "a masked score of 0 still gets weight: -inf": of(
            lambda s: s.tril().softmax(-1)
        ),
        "masked scores must be -inf: real ones can be lower than any number, such as "
        "-1e4, that you choose": of(lambda scores: causal(scores, -1e4).softmax(-1)),
        "a score of exactly 0 is a score: row and column say what is the future, "
        "not values": of(
            lambda s: s.tril().where(s.tril() != 0, -math.inf).softmax(-1)
        ),
        "exp of a large score is inf, of a low one 0: take softmax, which subtracts "
        "the largest first": of(lambda scores: share(causal(scores).exp())),
        "the past is masked, not the future": of(
            lambda s: attend(s.flip(0, 1)).flip(0, 1)
        ),
        "a token may look at itself, and the first has nobody else: mask only what is "
        "above": of(
            lambda scores: causal(scores).fill_diagonal_(-math.inf).softmax(-1)
        ),
        "rows are queries, columns keys": of(lambda scores: attend(scores.T)),
        "softmax goes over the keys: -1": of(lambda scores: causal(scores).softmax(0)),
        "these are scores: no softmax?": of(causal),
        "these are scores: no mask, no softmax?": of(lambda scores: scores),
    },
)


def causal_weights(luck):
    shapes = (2, 3, 6, 6), (1, 2, 4, 4)
    return [(attend(2 * torch.randn(shape, generator=luck)),) for shape in shapes]


def back(weights, offset=-1):
    return weights.diagonal(offset, -2, -1)


def favourites(weights):
    """Return the share of tokens whose largest weight is on the one before."""
    before = torch.arange(weights.shape[-1] - 1)
    return (weights[..., 1:, :].argmax(-1) == before).float().mean(-1)


day07_previous = exercise(
    "day07_previous",
    """score(weights): mean weight on the token before, (…, seq, seq) to (…).""",
    cases=causal_weights,
    right=lambda weights: back(weights).mean(-1),
    wrong={
        "above the diagonal lies the future, all zeros: the token before is to the "
        "left, offset -1": lambda w: back(w, 1).mean(-1),
        "that is the weight on the token itself": lambda w: back(w, 0).mean(-1),
        "that is two tokens back": lambda w: back(w, -2).mean(-1),
        "the first token has none before it: divide by the number of the others, "
        "not of all": lambda w: back(w).sum(-1) / w.shape[-1],
        "the first token has none before it, so it does not count, not even with its "
        "own weight": lambda w: (back(w).sum(-1) + w[..., 0, 0]) / w.shape[-1],
        "the second token has one before it": lambda w: back(w)[..., 1:].mean(-1),
        "the last token counts, too": lambda w: back(w)[..., :-1].mean(-1),
        "a mean is wanted, not a sum": lambda w: back(w).sum(-1),
        "a mean is wanted, not the largest weight": lambda w: back(w).amax(-1),
        "a mean of weights is wanted, not how often that weight is the largest of its "
        "row": favourites,
        "that is a sink's score, column 0": lambda w: w[..., 1:, 0].mean(-1),
        "only the one before": lambda w: w.tril(-1).sum((-2, -1)) / (w.shape[-1] - 1),
        "all tokens count, not the last alone": lambda w: w[..., -1, -2],
        "diagonal needs dim1=-2, dim2=-1: else layer, head": lambda w: w.diagonal(
            -1
        ).mean(-1),
    },
)


def place(merged, n_head, head):
    d_head = merged.shape[-1] // n_head
    return slice(head * d_head, (head + 1) * d_head)


def mean(part):
    return part.mean((0, 1))


def put(value=mean, where=place):
    """Return a function that puts at a place what is made of the numbers there."""

    def mean_ablated(merged, n_head, head):
        changed = merged.clone()
        at = where(merged, n_head, head)
        changed[..., at] = value(merged[..., at])
        return changed

    return mean_ablated


def mean_of_others(merged, n_head, head):
    split = merged.unflatten(-1, (n_head, -1)).clone()
    split[:, :, head] = (split.sum(2) - split[:, :, head]) / (n_head - 1)
    return split.flatten(-2)


def merged_vectors(luck):
    merged = torch.randn(2, 3, 12, generator=luck) + torch.arange(12)
    return [(merged, n_head, head) for n_head, head in ((3, 1), (4, 3), (2, 0))]


day07_mean_ablated = exercise(
    "day07_mean_ablated",
    """ablated(merged, n_head, head): a head's slice replaced by its mean.""",
    cases=merged_vectors,
    right=put(),
    wrong={
        "nothing has changed": lambda x, n_head, head: x,
        "that is zero ablation: put the mean": put(lambda part: 0.0),
        "each of the d_head numbers has its own mean": put(lambda part: part.mean()),
        "the mean runs over the numbers of each place: it must run over the "
        "places, for each number": put(lambda part: part.mean(-1, keepdim=True)),
        "the mean of each text: take it over all": put(lambda part: part.mean(1, True)),
        "the mean of each position: take it over all": put(
            lambda part: part.mean(0, True)
        ),
        "a mean is wanted, not a sum": put(lambda part: part.sum((0, 1))),
        "the slices of heads lie one after the other, not interleaved, each n_head-th "
        "number": put(where=lambda x, n, h: slice(h, None, n)),
        "a slice is d_head wide, that is d_model // n_head, and begins at h * d_head, "
        "not n_head": put(where=lambda x, n, h: slice(h * n, (h + 1) * n)),
        "another head is silent, the next: head h begins at h * d_head, the first with "
        "0": put(where=lambda x, n, h: place(x, n, (h + 1) % n)),
        "another head is silent, the one before: heads count from 0, and h begins at "
        "h * d_head": put(where=lambda x, n, h: place(x, n, (h - 1) % n)),
        "the mean of the other heads": mean_of_others,
        "all heads were replaced, not one": lambda x, *_: mean(x).expand_as(x),
    },
)


def zeroed(matrix, *where, value=0.0):
    matrix = matrix.clone()
    matrix[where] = value
    return matrix


def flow(weights, values, query, key):
    """Return what flows along a line, at its row, (seq, d_head)."""
    return (weights - zeroed(weights, query, key)) @ values


def weights_and_values(luck):
    weights = attend(torch.randn(5, 5, generator=luck))
    values = torch.randn(5, 3, generator=luck)
    return [(weights, values, *line) for line in ((3, 1), (4, 0), (2, 2))]


day07_cut = exercise(
    "day07_cut",
    """without(weights, values, query, key): what is gathered with one line cut.""",
    cases=weights_and_values,
    right=lambda weights, values, query, key: zeroed(weights, query, key) @ values,
    wrong={
        "nothing was cut": lambda w, v, q, k: w @ v,
        "the row is the query, the column the key": lambda w, v, q, k: (
            zeroed(w, k, q) @ v
        ),
        "the row was made to sum to 1 again: the other lines must keep the weight that "
        "they have": lambda w, v, q, k: share(zeroed(w, q, k)) @ v,
        "-inf is for scores: put 0": lambda w, v, *at: (
            zeroed(w, *at, value=-math.inf) @ v
        ),
        "nobody gets anything from the key now: cut one line, not all that end "
        "there": lambda w, v, q, k: w @ zeroed(v, k),
        "the query gathers nothing at all now: cut one line, not all of those of its "
        "row": lambda w, v, q, k: zeroed(w, q) @ v,
        "the line was taken from every row: it is in the query's alone, what the "
        "others gather stays": lambda w, v, q, k: w @ v - w[q, k] * v[k],
        "the line was taken from the key's row: it is in the query's, as the query is "
        "what gathers": lambda w, v, q, k: w @ v - flow(w, v, q, k).roll(k - q, 0),
        "the value was subtracted whole: only weight times value flowed, the rest was "
        "never there": lambda w, v, q, k: w @ v - flow(w, v, q, k) / w[q, k],
        "the line was doubled": lambda w, v, *line: w @ v + flow(w, v, *line),
        "that is what flows along the line, not what is left without it": flow,
        "the row is the query: do not transpose": lambda w, v, *at: (
            zeroed(w, *at).T @ v
        ),
        "return every row, not the query's alone": lambda w, v, q, k: (
            zeroed(w, q, k)[q] @ v
        ),
        "these are weights: times values": lambda w, v, q, k: zeroed(w, q, k),
    },
)
