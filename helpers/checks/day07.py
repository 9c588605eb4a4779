"""Checks for day 7: attention by hand, a head's score, silencing it, cutting a line."""

import math

import torch

from helpers.checks.old import exercise, expect

__all__ = ["day07_attention", "day07_cut", "day07_mean_ablated", "day07_previous"]


@exercise
def day07_attention(attend) -> None:
    """attend(q, k): causal attention weights, two (seq, d) to (seq, seq)."""
    luck = torch.Generator().manual_seed(7)
    for seq, d in ((5, 4), (3, 16), (1, 4)):
        q, k = (2 * torch.randn(seq, d, generator=luck) for _ in range(2))
        given = q.clone(), k.clone()
        found = _tensor(attend(*given), (seq, seq), "weights, query by key")
        alone = "a token may look at itself, and the first has nobody else: mask only "
        expect(not found[0].isnan().any(), alone + "what is above the diagonal")
        untouched = torch.equal(given[0], q) and torch.equal(given[1], k)
        expect(untouched, "the queries or keys were changed in place")
        future = torch.ones(seq, seq).triu(1).bool()
        raw = q @ k.T
        scaled = raw / math.sqrt(d)
        masked = scaled.masked_fill(future, -math.inf)
        right = masked.softmax(-1)
        wrong = {
            "divide the products by the root of d: here the softmax is too sharp": (
                raw.masked_fill(future, -math.inf).softmax(-1)
            ),
            "divide by the root of d, not by d": (
                (raw / d).masked_fill(future, -math.inf).softmax(-1)
            ),
            "divide by the root of d, the length of a vector, not of seq": (
                (raw / math.sqrt(seq)).masked_fill(future, -math.inf).softmax(-1)
            ),
            "the future is not masked: row q may look at keys 0 to q": (
                scaled.softmax(-1)
            ),
            "the future was zeroed after the softmax: rows must sum to 1, so mask the "
            "scores before it": scaled.softmax(-1).masked_fill(future, 0),
            "masked scores must be -inf: a score of 0 still gets weight": (
                scaled.masked_fill(future, 0).softmax(-1)
            ),
            "the past is masked, and the future is seen": (
                scaled.masked_fill(future.T, -math.inf).softmax(-1)
            ),
            "a token may look at itself: mask only what is above the diagonal": (
                scaled.masked_fill(~future.T, -math.inf).softmax(-1)
            ),
            "queries and keys have changed places: rows are the queries": (
                scaled.T.masked_fill(future, -math.inf).softmax(-1)
            ),
            "the softmax runs over the queries: its axis is the last one, the keys": (
                masked.softmax(0)
            ),
            "these are the scores: a softmax over the keys is missing": masked,
            "scores without mask and softmax: where is the softmax?": scaled,
            "products only: where are the root, the mask and the softmax?": raw,
        }
        _compare(found, right, wrong)


@exercise
def day07_previous(score) -> None:
    """score(weights): mean weight on the token before, (…, seq, seq) to (…)."""
    luck = torch.Generator().manual_seed(7)
    scores = 2 * torch.randn(2, 3, 6, 6, generator=luck)
    future = torch.ones(6, 6).triu(1).bool()
    weights = scores.masked_fill(future, -math.inf).softmax(-1)
    given = weights.clone()
    found = _tensor(score(given), (2, 3), "a score for each (layer, head)")
    expect(torch.equal(given, weights), "the weights were changed in place")

    def diagonal(offset):
        return weights.diagonal(offset, -2, -1)

    wrong = {
        "above the diagonal lies the future, all zeros: the token before is to the "
        "left, offset -1": diagonal(1).mean(-1),
        "that is the weight on the token itself: one step to the left": (
            diagonal(0).mean(-1)
        ),
        "that is two tokens back": diagonal(-2).mean(-1),
        "the first token has none before it: divide by the others, not by all": (
            diagonal(-1).sum(-1) / 6
        ),
        "a mean is wanted, not a sum": diagonal(-1).sum(-1),
        "a mean is wanted, not the largest weight": diagonal(-1).amax(-1),
        "that is the weight on the first token, a sink's score": (
            weights[..., 1:, 0].mean(-1)
        ),
        "all weights to the left were counted: only the token just before": (
            weights.tril(-1).sum((-2, -1)) / 5
        ),
        "only the last token was asked: take the mean over all that have one before": (
            weights[..., -1, -2]
        ),
    }
    _compare(found, diagonal(-1).mean(-1), wrong)


@exercise
def day07_mean_ablated(ablated) -> None:
    """ablated(merged, n_head, head): a head's slice replaced by its mean."""
    luck = torch.Generator().manual_seed(7)
    merged = torch.randn(2, 3, 12, generator=luck) + torch.arange(12)
    for n_head, head in ((3, 1), (4, 3), (2, 0)):
        d_head = 12 // n_head
        cut = slice(head * d_head, (head + 1) * d_head)
        given = merged.clone()
        found = _tensor(ablated(given, n_head, head), (2, 3, 12), "what W_O reads")
        in_place = "merged was changed in place: clone it first"
        expect(torch.equal(given, merged), in_place)

        def put(values, where=cut):
            changed = merged.clone()
            changed[..., where] = values
            return changed

        part = merged[..., cut]
        strided = slice(head, None, n_head)
        narrow = slice(head * n_head, (head + 1) * n_head)
        beside = (head + 1) % n_head
        other = slice(beside * d_head, (beside + 1) * d_head)
        wrong = {
            "nothing has changed": merged,
            "that is zero ablation: put the mean of the slice": put(0.0),
            "one mean for the whole slice: each of its d_head numbers has its own "
            "mean": put(part.mean()),
            "the mean runs over the dimensions of each place: it must run over the "
            "places": put(part.mean(-1, keepdim=True)),
            "the mean of each text for itself: take it over all texts": (
                put(part.mean(1, keepdim=True))
            ),
            "the mean of each position for itself: take it over all positions too": (
                put(part.mean(0, keepdim=True))
            ),
            "the slices of heads lie one after the other, not interleaved": (
                put(merged[..., strided].mean((0, 1)), strided)
            ),
            "a slice is d_head wide, that is d_model // n_head, not n_head": (
                put(merged[..., narrow].mean((0, 1)), narrow)
            ),
            "that is another head's mean": put(merged[..., other].mean((0, 1))),
            "another head is silent: the slice of head h begins at h * d_head": (
                put(merged[..., other].mean((0, 1)), other)
            ),
            "all heads were replaced: only one is to be silent": (
                merged.mean((0, 1)).expand_as(merged)
            ),
        }
        _compare(found, put(part.mean((0, 1))), wrong)


@exercise
def day07_cut(without) -> None:
    """without(weights, values, query, key): what is gathered with one line cut."""
    luck = torch.Generator().manual_seed(7)
    future = torch.ones(5, 5).triu(1).bool()
    scores = torch.randn(5, 5, generator=luck).masked_fill(future, -math.inf)
    weights, values = scores.softmax(-1), torch.randn(5, 3, generator=luck)
    for query, key in ((3, 1), (4, 0), (2, 2)):
        given = weights.clone(), values.clone()
        found = _tensor(without(*given, query, key), (5, 3), "what is gathered")
        minus = "-inf or nan in the result: set the weight to 0; -inf is for scores"
        expect(found.isfinite().all(), minus)
        untouched = torch.equal(given[0], weights) and torch.equal(given[1], values)
        expect(untouched, "the weights or values were changed in place: clone first")

        def zeroed(*where, matrix=weights):
            changed = matrix.clone()
            changed[where] = 0
            return changed

        left = zeroed(query, key)
        masked = scores.clone()
        masked[query, key] = -math.inf
        nobody = torch.arange(5) == query
        wrong = {
            "nothing was cut: the row is the query, the column the key": (
                weights @ values
            ),
            "the row was made to sum to 1 again: the other lines must keep their "
            "weight": (left / left.sum(-1, keepdim=True)) @ values,
            "the line was cut before the softmax, so the others share its weight": (
                masked.softmax(-1) @ values
            ),
            "nobody gets anything from the key now: cut one line, not the column": (
                weights @ zeroed(key, matrix=values)
            ),
            "the query gathers nothing at all now: cut one line, not the row": (
                zeroed(nobody) @ values
            ),
            "the value was subtracted whole: only weight times value flowed": (
                weights @ values - torch.outer(nobody.float(), values[key])
            ),
            "that is what flows along the line, not what is left without it": (
                torch.outer(nobody.float(), weights[query, key] * values[key])
            ),
        }
        _compare(found, left @ values, wrong)


def _compare(found, right, wrong: dict[str, torch.Tensor]) -> None:
    """Name the mistake whose result was found; else say how far off it is."""
    if torch.allclose(found, right, atol=1e-4):
        return
    expect(not found.isnan().any(), "nan in the result: is there a row all -inf?")
    for message, result in wrong.items():
        expect(not torch.allclose(found, result, atol=1e-4), message)
    place = (found - right).abs().argmax()
    where = tuple(int(i) for i in torch.unravel_index(place, right.shape))
    wanted, got = right[where].item(), found[where].item()
    raise AssertionError(f"at {where} expected {wanted:.3f}, got {got:.3f}")


def _tensor(answer, shape: tuple[int, ...], what: str) -> torch.Tensor:
    expect(answer is not None, f"the function returns None: return {what}")
    answer = torch.as_tensor(answer)
    got = tuple(answer.shape)
    expect(got == shape, f"expected {what}, shape {shape}; got shape {got}")
    return answer.float()
