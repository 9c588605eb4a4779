"""Wrong and right answers to the exercises of day 6."""

import bisect
import itertools
import math

import torch

FORBIDDEN = -math.inf


def _searched(probs, u):
    place = torch.searchsorted(probs.cumsum(0), torch.tensor(u), right=True)
    return min(place.item(), probs.nonzero().max().item())


def _looped(probs, u):
    total = 0.0
    for token, prob in enumerate(probs.tolist()):
        total += prob
        if prob > 0:
            last = token
        if total > u:
            return token
    return last


def _bisected(probs, u):
    place = bisect.bisect(list(itertools.accumulate(probs.tolist())), u)
    return min(place, probs.nonzero().max().item())


def _scaled(probs, u):
    sums = probs.double().cumsum(0)
    return (sums <= u * sums[-1]).sum()


def _draw_sorted(probs, u):
    return int((probs.sort(descending=True).values.cumsum(0) <= u).sum())


def _draw_in_place(probs, u):
    for i in range(1, len(probs)):
        probs[i] += probs[i - 1]
    return int((probs <= u).sum())


def _threshold(probs, u):
    above = (probs > u).nonzero()
    return int(above[0]) if len(above) else len(probs) - 1


def _kept(probs, p):
    order = probs.argsort(descending=True)
    sums = probs[order].cumsum(0)
    return order, sums, order[: int((sums < p).sum()) + 1]


def _only(probs, kept):
    left = torch.zeros_like(probs)
    left[kept] = probs[kept]
    return left


def _normal(probs):
    return probs / probs.sum()


def _nucleus(probs, p):
    return _normal(_only(probs, _kept(probs, p)[2]))


def _nucleus_before(probs, p):
    order = probs.argsort(descending=True)
    before = probs[order].cumsum(0) - probs[order]  # mass of the likelier ones
    return _normal(_only(probs, order[before < p]))


def _nucleus_loop(probs, p):
    left, mass = [0.0] * len(probs), 0.0
    for token in sorted(range(len(probs)), key=lambda i: -probs[i]):
        if mass >= p:
            break
        left[token] = probs[token].item()
        mass += left[token]
    return [prob / mass for prob in left]


def _nucleus_short(probs, p):
    order, sums, _ = _kept(probs, p)
    return _normal(_only(probs, order[sums <= p]))


def _nucleus_short_safe(probs, p):
    order, sums, _ = _kept(probs, p)
    keep = sums <= p
    keep[0] = True
    return _normal(_only(probs, order[keep]))


def _nucleus_one_more(probs, p):
    order, sums, _ = _kept(probs, p)
    return _normal(_only(probs, order[: int((sums <= p).sum()) + 1]))


def _nucleus_sorted(probs, p):
    kept = _kept(probs, p)[2]
    left = torch.zeros_like(probs)
    left[: len(kept)] = probs[kept] / probs[kept].sum()
    return left


def _nucleus_rising(probs, p):
    order = probs.argsort()
    return _normal(_only(probs, order[: int((probs[order].cumsum(0) < p).sum()) + 1]))


def _nucleus_unsorted(probs, p):
    return _normal(_only(probs, range(int((probs.cumsum(0) < p).sum()) + 1)))


def _nucleus_in_place(probs, p):
    left = _nucleus(probs, p)
    probs[left == 0] = 0
    return left


def _cut(logits, keep):
    return logits.masked_fill(~keep, FORBIDDEN)


def _largest(x):
    return x.amax(dim=-1, keepdim=True)


def _min_p(logits, p):
    probs = logits.softmax(dim=-1)
    return _cut(logits, probs >= p * _largest(probs))


def _min_p_logits(logits, p):
    return _cut(logits, logits >= _largest(logits) + math.log(p))


def _min_p_naive(logits, p):
    odds = logits.exp()
    return _cut(logits, odds >= p * _largest(odds))


def _min_p_zeros(logits, p):
    probs = logits.softmax(dim=-1)
    return logits * (probs >= p * _largest(probs))


def _min_p_in_place(logits, p):
    probs = logits.softmax(dim=-1)
    return logits.masked_fill_(probs < p * _largest(probs), FORBIDDEN)


def _keeps(rule, t):
    if rule == "top_k" or t == 1:
        return "as many"
    return "more" if t > 1 else "fewer"


def _keeps_counted(rule, t):
    probs = torch.tensor([0.4, 0.25, 0.15, 0.1, 0.05, 0.03, 0.02])

    def heated(q):
        return (q ** (1 / t)) / (q ** (1 / t)).sum()

    def count(q):
        if rule == "top_k":
            return 3
        if rule == "min_p":
            return int((q >= 0.2 * q.max()).sum())
        return int((q.sort(descending=True).values.cumsum(0) < 0.7).sum()) + 1

    first, second = count(heated(probs)), count(probs)
    return "more" if first > second else "fewer" if first < second else "as many"


def _flipped(rule, t):
    other = {"more": "fewer", "fewer": "more", "as many": "as many"}
    return other[_keeps(rule, t)]


WRONG = {
    "day06_draw": [
        ("always takes the likeliest", lambda q, u: q.argmax(), "must depend on u"),
        ("compares u with each probability", _threshold, "add them up first"),
        ("sorts and returns the rank", _draw_sorted, "the tokens were sorted"),
        (
            "takes a sum equal to u",
            lambda q, u: int((q.cumsum(0) < u).sum()),
            "whose probability is 0",
        ),
        (
            "is one too early",
            lambda q, u: int((q.cumsum(0) <= u).sum()) - 1,
            "one token too early",
        ),
        (
            "is one too far",
            lambda q, u: min(int((q.cumsum(0) <= u).sum()) + 1, len(q) - 1),
            "one token too far",
        ),
        (
            "runs off the end",
            lambda q, u: int((q.cumsum(0) <= u).sum()),
            "the last token that has a probability, not token 3",
        ),
        (
            "ends on the last token of all",
            lambda q, u: min(int((q.cumsum(0) <= u).sum()), len(q) - 1),
            "the last token that has a probability, not token 2",
        ),
        (
            "finds nothing at the end",
            lambda q, u: next(
                i for i, s in enumerate(itertools.accumulate(q.tolist())) if s > u
            ),
            "the sums end at 0.9999",
        ),
        ("returns the probability", lambda q, u: q[_looped(q, u)], "a whole number"),
        ("returns a mask", lambda q, u: q.cumsum(0) > u, "expected one token id"),
        ("changes the probabilities", _draw_in_place, "changed in place"),
        ("forgets to return", lambda q, u: None, "returns None"),
    ],
    "day06_top_p": [
        ("drops the token that crosses", _nucleus_short, "was dropped: less than p"),
        (
            "drops it, but never the first",
            _nucleus_short_safe,
            "was dropped: less than p",
        ),
        ("keeps one more", _nucleus_one_more, "no other is needed"),
        (
            "does not divide by the sum",
            lambda q, p: _only(q, _kept(q, p)[2]),
            "divide by its sum",
        ),
        ("returns them sorted", _nucleus_sorted, "come back sorted"),
        ("sorts from the smallest up", _nucleus_rising, "the least likely tokens"),
        ("does not sort", _nucleus_unsorted, "in the order of their ids"),
        (
            "keeps tokens above p",
            lambda q, p: _normal(torch.where(q >= p, q, 0.0)),
            "nothing was kept",
        ),
        ("does nothing", lambda q, p: q, "nothing was removed"),
        (
            "does softmax again",
            lambda q, p: _cut(q, _nucleus(q, p) > 0).softmax(dim=-1),
            "made 1, got",
        ),
        (
            "returns only those that stay",
            lambda q, p: _normal(q[_kept(q, p)[2]]),
            "every token keeps its place",
        ),
        ("changes the probabilities", _nucleus_in_place, "changed in place"),
        ("forgets to return", lambda q, p: None, "returns None"),
    ],
    "day06_min_p": [
        (
            "compares with p itself",
            lambda z, p: _cut(z, z.softmax(dim=-1) >= p),
            "a share of the largest one",
        ),
        (
            "uses the largest of all rows",
            lambda z, p: _cut(
                z, z.softmax(dim=-1) >= p * z.softmax(dim=-1).max().item()
            ),
            "must be that of each row",
        ),
        (
            "takes a share of the largest logit",
            lambda z, p: _cut(z, z >= p * _largest(z)),
            "logits have no scale",
        ),
        (
            "subtracts p from the largest probability",
            lambda z, p: _cut(z, z.softmax(dim=-1) >= _largest(z.softmax(dim=-1)) - p),
            "multiply",
        ),
        (
            "subtracts p from the largest logit",
            lambda z, p: _cut(z, z >= _largest(z) - p),
            "a difference of logits",
        ),
        (
            "forbids the likely ones",
            lambda z, p: _cut(z, z.softmax(-1) < p * _largest(z.softmax(-1))),
            "the likely tokens stay",
        ),
        ("forbids with 0", _min_p_zeros, "as exp(0) is 1"),
        (
            "returns probabilities",
            lambda z, p: torch.where(
                _min_p(z, p).isfinite(), z.softmax(dim=-1), FORBIDDEN
            ),
            "must not change",
        ),
        ("overflows", _min_p_naive, "near 1000"),
        (
            "returns a mask",
            lambda z, p: _min_p(z, p).isfinite(),
            "got True and False",
        ),
        ("changes the logits", _min_p_in_place, "changed in place"),
        ("works on one row", lambda z, p: _min_p(z, p)[0], "expected logits of shape"),
        ("forgets to return", lambda z, p: None, "returns None"),
    ],
    "day06_keeps": [
        ("has it the wrong way round", _flipped, "temperature 0.5: not 'more'"),
        ("thinks that order never matters", lambda r, t: "as many", "sharpens"),
        (
            "thinks that top-k depends on it too",
            lambda r, t: _keeps("top_p", t),
            "never changes which k tokens",
        ),
        (
            "thinks that temperature keeps ratios",
            lambda r, t: "as many" if r == "min_p" else _keeps(r, t),
            "changes ratios too",
        ),
        (
            "forgets temperature 1",
            lambda r, t: "as many" if r == "top_k" else ("more" if t >= 1 else "fewer"),
            "temperature 1 changes nothing",
        ),
        ("answers otherwise", lambda r, t: "first", "expected one of"),
        (
            "thinks that heat comes last",
            lambda r, t: "fewer" if r != "top_k" and t != 1 else "as many",
            "temperature 2 flattens",
        ),
    ],
}

RIGHT = {
    "day06_draw": [_searched, _looped, _bisected, _scaled],
    "day06_top_p": [_nucleus, _nucleus_before, _nucleus_loop],
    "day06_min_p": [_min_p, _min_p_logits],
    "day06_keeps": [_keeps, _keeps_counted],
}
