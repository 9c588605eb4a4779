"""Wrong and right answers to the exercises of day 7."""

import math

import torch
from torch.nn import functional as F


def _future(n):
    return torch.ones(n, n).triu(1).bool()


def _scores(q, k):
    return q @ k.T / math.sqrt(q.shape[-1])


def _masked(scores):
    return scores.masked_fill(_future(len(scores)), -math.inf)


def _attention(q, k):
    return _masked(_scores(q, k)).softmax(-1)


def _attention_looped(q, k):
    weights = torch.zeros(len(q), len(q))
    for i, query in enumerate(q):
        odds = [math.exp(query @ key / len(query) ** 0.5) for key in k[: i + 1]]
        weights[i, : i + 1] = torch.tensor(odds) / sum(odds)
    return weights


def _attention_library(q, k):
    one = torch.eye(len(q))[None]
    return F.scaled_dot_product_attention(q[None], k[None], one, is_causal=True)[0]


def _attention_in_place(q, k):
    q /= math.sqrt(q.shape[-1])
    return _masked(q @ k.T).softmax(-1)


def _below(weights, offset=-1):
    return weights.diagonal(offset, -2, -1)


def _previous_looped(weights):
    seq = weights.shape[-1]
    return sum(weights[:, :, i, i - 1] for i in range(1, seq)) / (seq - 1)


def _previous_wrapped(weights):
    seq = weights.shape[-1]
    return sum(weights[:, :, i, i - 1] for i in range(seq)) / seq


def _previous_in_place(weights):
    weights[..., 0, 0] = 0
    return _below(weights).mean(-1)


def _place(head, merged, n_head):
    d_head = merged.shape[-1] // n_head
    return slice(head * d_head, (head + 1) * d_head)


def _put(value):
    """Replace the slice by what ``value`` makes of it."""

    def answer(merged, n_head, head):
        changed = merged.clone()
        place = _place(head, merged, n_head)
        changed[..., place] = value(merged[..., place])
        return changed

    return answer


def _ablated_by_heads(merged, n_head, head):
    split = merged.unflatten(-1, (n_head, -1)).clone()
    split[:, :, head] = split[:, :, head].mean(dim=(0, 1))
    return split.flatten(-2)


def _ablated_in_place(merged, n_head, head):
    place = _place(head, merged, n_head)
    merged[..., place] = merged[..., place].mean((0, 1))
    return merged


def _ablated_strided(merged, n_head, head):
    changed = merged.clone()
    changed[..., head::n_head] = merged[..., head::n_head].mean((0, 1))
    return changed


def _ablated_narrow(merged, n_head, head):
    changed = merged.clone()
    place = slice(head * n_head, (head + 1) * n_head)
    changed[..., place] = merged[..., place].mean((0, 1))
    return changed


def _ablated_neighbour(merged, n_head, head):
    return _put(lambda part: part.mean((0, 1)))(merged, n_head, (head + 1) % n_head)


def _cut(weights, values, query, key):
    weights = weights.clone()
    weights[query, key] = 0
    return weights @ values


def _cut_infinite(weights, values, query, key):
    weights = weights.clone()
    weights[query, key] = -math.inf
    return weights @ values


def _cut_subtracted(weights, values, query, key):
    gathered = weights @ values
    gathered[query] -= weights[query, key] * values[key]
    return gathered


def _cut_normal(weights, values, query, key):
    weights = weights.clone()
    weights[query, key] = 0
    return weights / weights.sum(-1, keepdim=True) @ values


def _cut_scores(weights, values, query, key):
    scores = weights.log()
    scores[query, key] = -math.inf
    return scores.softmax(-1) @ values


def _cut_column(weights, values, query, key):
    weights = weights.clone()
    weights[:, key] = 0
    return weights @ values


def _cut_row(weights, values, query, key):
    weights = weights.clone()
    weights[query] = 0
    return weights @ values


def _cut_value(weights, values, query, key):
    gathered = weights @ values
    gathered[query] -= values[key]
    return gathered


def _cut_flow(weights, values, query, key):
    flow = torch.zeros_like(values)
    flow[query] = weights[query, key] * values[key]
    return flow


def _cut_in_place(weights, values, query, key):
    weights[query, key] = 0
    return weights @ values


WRONG = {
    "day07_attention": [
        (
            "forgets the root",
            lambda q, k: _masked(q @ k.T).softmax(-1),
            "by the root of d: here",
        ),
        (
            "divides by d",
            lambda q, k: _masked(q @ k.T / q.shape[-1]).softmax(-1),
            "not by d",
        ),
        (
            "divides by the root of seq",
            lambda q, k: _masked(q @ k.T / math.sqrt(len(q))).softmax(-1),
            "not of seq",
        ),
        ("forgets the mask", lambda q, k: _scores(q, k).softmax(-1), "is not masked"),
        (
            "zeroes weights after the softmax",
            lambda q, k: _scores(q, k).softmax(-1).tril(),
            "mask the scores before it",
        ),
        (
            "zeroes scores",
            lambda q, k: _scores(q, k).tril().softmax(-1),
            "a score of 0 still gets weight",
        ),
        (
            "masks the past",
            lambda q, k: (
                _scores(q, k).masked_fill(_future(len(q)).T, -math.inf).softmax(-1)
            ),
            "the past is masked",
        ),
        (
            "masks the diagonal too",
            lambda q, k: (
                _scores(q, k)
                .masked_fill(torch.ones(len(q), len(q)).triu().bool(), -math.inf)
                .softmax(-1)
            ),
            "a token may look at itself",
        ),
        (
            "exchanges queries and keys",
            lambda q, k: _attention(k, q),
            "have changed places",
        ),
        (
            "softmax over the queries",
            lambda q, k: _masked(_scores(q, k)).softmax(0),
            "runs over the queries",
        ),
        ("returns scaled products", _scores, "where is the softmax"),
        ("returns products", lambda q, k: q @ k.T, "products only"),
        ("returns scores", lambda q, k: _masked(_scores(q, k)), "these are the scores"),
        ("changes the queries", _attention_in_place, "changed in place"),
        ("returns one row", lambda q, k: _attention(q, k)[-1], "query by key"),
        ("forgets to return", lambda q, k: None, "returns None"),
    ],
    "day07_previous": [
        ("looks ahead", lambda w: _below(w, 1).mean(-1), "offset -1"),
        ("looks at itself", lambda w: _below(w, 0).mean(-1), "the token itself"),
        ("looks two back", lambda w: _below(w, -2).mean(-1), "two tokens back"),
        ("counts the first token", lambda w: _below(w).sum(-1) / 6, "not by all"),
        ("counts row 0, wrapped", _previous_wrapped, "not by all"),
        ("sums", lambda w: _below(w).sum(-1), "not a sum"),
        ("takes the largest", lambda w: _below(w).amax(-1), "not the largest"),
        ("scores the sink", lambda w: w[..., 1:, 0].mean(-1), "a sink's score"),
        (
            "counts the whole past",
            lambda w: w.tril(-1).sum((-2, -1)) / 5,
            "only the token just before",
        ),
        ("asks the last token", lambda w: w[..., -1, -2], "only the last token"),
        ("averages the heads", lambda w: _below(w).mean((1, -1)), "(layer, head)"),
        ("changes the weights", _previous_in_place, "changed in place"),
        ("forgets to return", lambda w: None, "returns None"),
    ],
    "day07_mean_ablated": [
        ("does nothing", lambda x, n, h: x.clone(), "nothing has changed"),
        ("puts zero", _put(lambda part: 0.0), "zero ablation"),
        ("puts one number", _put(lambda part: part.mean()), "has its own mean"),
        (
            "averages each place",
            _put(lambda part: part.mean(-1, keepdim=True)),
            "must run over the places",
        ),
        (
            "averages each text",
            _put(lambda part: part.mean(1, keepdim=True)),
            "over all texts",
        ),
        (
            "averages each position",
            _put(lambda part: part.mean(0, keepdim=True)),
            "over all positions",
        ),
        ("takes every n-th number", _ablated_strided, "not interleaved"),
        ("takes slices n_head wide", _ablated_narrow, "a slice is d_head wide"),
        ("silences the neighbour", _ablated_neighbour, "another head is silent"),
        (
            "silences all heads",
            lambda x, n, h: x.mean((0, 1)).expand_as(x),
            "only one is to be silent",
        ),
        ("works in place", _ablated_in_place, "changed in place"),
        (
            "returns the slice",
            lambda x, n, h: x[..., _place(h, x, n)].mean((0, 1)),
            "what W_O reads",
        ),
        ("forgets to return", lambda x, n, h: None, "returns None"),
    ],
    "day07_cut": [
        ("cuts nothing", lambda w, v, q, k: w @ v, "nothing was cut"),
        ("makes rows sum to 1", _cut_normal, "must keep their weight"),
        ("cuts before the softmax", _cut_scores, "must keep their weight"),
        (
            "exchanges query and key",
            lambda w, v, q, k: _cut(w, v, k, q),
            "the row is the query",
        ),
        ("puts -inf", _cut_infinite, "set the weight to 0"),
        ("cuts the column", _cut_column, "not the column"),
        ("cuts the row", _cut_row, "not the row"),
        ("subtracts the whole value", _cut_value, "only weight times value"),
        ("returns the flow", _cut_flow, "what is left without it"),
        ("changes the weights", _cut_in_place, "changed in place"),
        (
            "returns one position",
            lambda w, v, q, k: _cut(w, v, q, k)[q],
            "shape (5, 3)",
        ),
        ("forgets to return", lambda w, v, q, k: None, "returns None"),
    ],
}

RIGHT = {
    "day07_attention": [_attention, _attention_looped, _attention_library],
    "day07_previous": [lambda w: _below(w).mean(-1), _previous_looped],
    "day07_mean_ablated": [_put(lambda part: part.mean((0, 1))), _ablated_by_heads],
    "day07_cut": [_cut, _cut_subtracted],
}
