"""Wrong and right answers to the exercises of day 6."""

import bisect
import collections
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


def _pairs(text):
    return [(text[i], text[i + 1]) for i in range(len(text) - 1)]


def _all_pairs(texts):
    return [pair for text in texts for pair in _pairs(text)]


def _distinct(texts):
    pairs = _all_pairs(texts)
    return len(set(pairs)) / len(pairs)


def _distinct_counted(texts):
    counts = collections.Counter()
    for text in texts:
        counts.update(zip(text, text[1:], strict=False))
    return len(counts) / counts.total()


def _distinct_joined(texts):
    return _distinct([[word for text in texts for word in text]])


def _distinct_once(texts):
    counts = collections.Counter(_all_pairs(texts))
    return sum(n == 1 for n in counts.values()) / counts.total()


def _distinct_apart(texts):
    pairs = [pair for text in texts for pair in _pairs(text)[::2]]
    return len(set(pairs)) / len(pairs)


def _distinct_mean(texts):
    return sum(_distinct([text]) for text in texts) / len(texts)


def _distinct_each(texts):
    return sum(len(set(_pairs(text))) for text in texts) / len(_all_pairs(texts))


def _words(texts):
    return [word for text in texts for word in text]


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
    "day06_distinct": [
        ("pairs across texts", _distinct_joined, "no neighbours"),
        (
            "divides by words",
            lambda x: len(set(_all_pairs(x))) / len(_words(x)),
            "not of words",
        ),
        (
            "ignores the order",
            lambda x: len(set(map(frozenset, _all_pairs(x)))) / len(_all_pairs(x)),
            "two different pairs",
        ),
        ("counts what comes once", _distinct_once, "count it once"),
        ("cuts texts into pairs", _distinct_apart, "pairs overlap"),
        ("takes the mean over texts", _distinct_mean, "all texts together"),
        ("counts text by text", _distinct_each, "stands in two texts"),
        (
            "counts single words",
            lambda x: len(set(_words(x))) / len(_words(x)),
            "not single words",
        ),
        ("counts repeats", lambda x: 1 - _distinct(x), "share of repeated pairs"),
        ("forgets to divide", lambda x: len(set(_all_pairs(x))), "by the number of"),
        ("is upside down", lambda x: 1 / _distinct(x), "upside down"),
        ("forgets to return", lambda x: None, "returns None"),
        ("returns the pairs", lambda x: [1.0, 2.0], "expected one number"),
    ],
}

RIGHT = {
    "day06_draw": [_searched, _looped, _bisected, _scaled],
    "day06_top_p": [_nucleus, _nucleus_before, _nucleus_loop],
    "day06_min_p": [_min_p, _min_p_logits],
    "day06_distinct": [_distinct, _distinct_counted],
}
