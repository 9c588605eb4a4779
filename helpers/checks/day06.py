"""Checks for day 6: drawing a token, top-p, min-p, distinct-2."""

import math
from itertools import pairwise

import torch

from helpers.checks.common import exercise
from helpers.checks.values import plain, same

__all__ = ["day06_distinct", "day06_draw", "day06_min_p", "day06_top_p"]


def draw(probs, u):
    return min(int((probs.cumsum(0) <= u).sum()), int(probs.nonzero().max()))


def first_above(u, numbers):
    return int((numbers > u).int().argmax())


def falling(probs):
    return probs.sort(descending=True).values


def what_was_hit(case, expected, token):
    """Say why a token cannot be; an error in its place speaks for itself."""
    probs, u = case
    if isinstance(token, Exception):
        return None
    if u >= probs.sum():
        short = f"the sums end at {probs.sum():.4f}, as sums of floats may, and u = {u}"
        return f"{short}: take the last token that has a probability, not {token}"
    if token in range(len(probs)) and probs[token] == 0:
        first = "the first sum that is greater than u, not equal to it"
        return f"u = {u} gave token {token}, whose probability is 0: {first}"
    start, end = (float(probs[: expected + i].sum()) for i in (0, 1))
    return f"token {expected} owns {start} <= u < {end}, but u = {u} gave {token}"


STICK = torch.tensor([0, 0.125, 0.5, 0, 0.25, 0.125, 0])
SHORT = torch.tensor([0, 0.125, 0.5, 0.3749, 0])  # sums of floats may end below 1
day06_draw = exercise(
    "day06_draw",
    """draw(probs, u): the token that a number u from [0, 1) falls on.""",
    cases=[(STICK, u) for u in (0.0, 0.1, 0.125, 0.3, 0.624, 0.625, 0.8, 0.99)]
    + [(SHORT, u) for u in (0.125, 0.625, 0.99995)],
    hint=what_was_hit,
    right=draw,
    wrong={
        "u must decide: this is one token whatever it is": lambda q, u: int(q.argmax()),
        "u was compared with each probability: add them up first (cumsum), and take "
        "the first sum above u": lambda q, u: first_above(u, q),
        "the tokens were sorted, and this is a rank: give the token's id, its place in "
        "probs": lambda q, u: int((falling(q).cumsum(0) <= u).sum()),
        "the likeliest piece was laid first: lay them in the order of their ids, as "
        "they are": lambda q, u: int(q.argsort(descending=True)[draw(falling(q), u)]),
        "one too far: the sum beyond u is its own": lambda q, u: min(draw(q, u) + 1, 6),
        "one too early: the sum beyond u is its own": lambda q, u: draw(q, u) - 1,
        "where no sum is greater than u, argmax gives 0: take the last token that has "
        "a probability": lambda q, u: first_above(u, q.cumsum(0)),
        "dividing by the sum moves the borders": lambda q, u: draw(q / q.sum(), u),
    },
)


def only(probs, kept):
    left = torch.zeros_like(probs)
    left[kept] = probs[kept]
    return left / left.sum()


def choosing(count):
    """Return a top-p that keeps so many, by the masses of 1, 2, … likeliest tokens."""

    def nucleus(probs, p):
        order = probs.argsort(descending=True)
        return only(probs, order[: int(count(probs[order].cumsum(0), p))])

    return nucleus


nucleus = choosing(lambda mass, p: (mass < p).sum() + 1)


def same_up_to_ties(value, expected) -> bool:
    """Compare two distributions; of tokens that all tie, any may stay."""
    stay = expected[expected > 0]
    if len(stay) > 1 and bool((stay == stay[0]).all()):
        value, expected = falling(plain(value)), falling(expected)
    return same(value, expected)


PROBS = torch.tensor([0.0625, 0.375, 0.02, 0.1875, 0.23, 0.125])
day06_top_p = exercise(
    "day06_top_p",
    """nucleus(probs, p): the distribution after top-p, (vocab,) to (vocab,).""",
    cases=[(PROBS, p) for p in (0.5, 0.7, 0.9, 0.2, 1.0)]
    + [(torch.tensor([0.25, 0.5, 0.25]), 0.5), (torch.full((4,), 0.25), 0.5)]
    + [(torch.tensor([0.3, 0.5, 0.19999]), 1.0)],  # sums of floats may end below 1
    same=same_up_to_ties,
    right=lambda probs, p: nucleus(probs, p),
    wrong={
        "nothing was removed": lambda q, p: q,
        "what was removed is 0, but the rest must sum to 1 again: divide by its sum, "
        "as no softmax follows": lambda q, p: torch.where(nucleus(q, p) > 0, q, 0),
        "a softmax of probabilities is another distribution: divide what is left by "
        "its sum": lambda q, p: q.where(nucleus(q, p) > 0, -math.inf).softmax(-1),
        "the token that crosses the threshold was dropped: less than p is left, and "
        "perhaps nothing": choosing(lambda mass, p: (mass <= p).sum()),
        "the token that crosses the threshold was dropped, unless it was the first: "
        "less than p is left": choosing(lambda mass, p: (mass <= p).sum().clamp(min=1)),
        "where the mass is p exactly, one token more was kept: p is reached, no other "
        "is needed": choosing(lambda mass, p: (mass <= p).sum() + 1),
        "one token too many is kept": choosing(lambda mass, p: (mass < p).sum() + 2),
        "two tokens were kept where p is less than the likeliest has: it reaches p "
        "alone": choosing(lambda mass, p: ((mass < p).sum() + 1).clamp(min=2)),
        "all tokens that tie with the last one were kept: keep the fewest that reach p "
        "together": lambda q, p: only(q, q >= q[nucleus(q, p) > 0].min()),
        "each token was compared with p: add them up": lambda q, p: only(q, q >= p),
        "the probabilities come back sorted: put each at its own token's place, by the "
        "order": lambda q, p: nucleus(falling(q), p),
        "put back by left[order] = sorted, the inverse of sorted[order], which mixes "
        "them": lambda q, p: nucleus(falling(q), p)[q.argsort(descending=True)],
        "the least likely tokens were kept: sort from the largest down, or turn the "
        "order": lambda q, p: only(
            q, q.argsort()[q.sort()[0].cumsum(0) - q.sort()[0] < p]
        ),
        "the tokens were added up in the order of their ids: sort them first, from the "
        "largest down": lambda q, p: only(q, q.cumsum(0) - q < p),
    },
)


def forbid(logits, where):
    return logits.masked_fill(where, -math.inf)


def top(numbers):
    return numbers.amax(dim=-1, keepdim=True)


def min_p(logits, p):
    return forbid(logits, logits < top(logits) + math.log(p))


def where_probs(unlikely):
    return lambda logits, p: forbid(logits, unlikely(logits.softmax(-1), p))


LOGITS = torch.tensor([[0.6, 0.3, -1.2, 0.8, -0.3], [-2.5, 1.4, -3.1, 0.4, -0.5]])
day06_min_p = exercise(
    "day06_min_p",
    """min_p(logits, p): logits (batch, vocab), -inf where forbidden.""",
    cases=[*((LOGITS, p) for p in (0.3, 0.1, 1.0))]
    + [(torch.tensor([[1000.0, 999.5, 995.0]]), 0.5)],
    right=min_p,
    wrong={
        "p was compared with the probabilities themselves: it is a share of the "
        "largest one": where_probs(lambda q, p: q < p),
        "the largest must be that of each row": where_probs(
            lambda q, p: q < p * q.max()
        ),
        "the largest of each column was taken: that of each row, dim=-1, is its "
        "likeliest token": lambda z, p: forbid(z, z < z.amax(0) + math.log(p)),
        "logits have no scale, so shares of the largest logit mean nothing: compare "
        "probabilities, or add log p": lambda z, p: forbid(z, z < p * top(z)),
        "p is a share: multiply": where_probs(lambda q, p: q < top(q) - p),
        "p was subtracted from the largest logit: a share of probabilities is a "
        "difference of logits, log p": lambda z, p: forbid(z, z < top(z) - p),
        "log p is the natural logarithm, which undoes exp, not that to base 10, nor to "
        "base 2": lambda z, p: forbid(z, z < top(z) + math.log10(p)),
        "the likely ones were forbidden": where_probs(lambda q, p: q >= p * top(q)),
        "only less than p times as probable is forbidden, not exactly so: < in place "
        "of <=": lambda z, p: forbid(z, z <= top(z) + math.log(p)),
        "exp of large logits is inf: take softmax, which subtracts the largest, or "
        "stay with logits": lambda z, p: forbid(z, z.exp() < p * top(z.exp())),
        "a logit of 0 forbids nothing, as exp(0) is 1: forbid with -inf, whose exp is "
        "0": lambda z, p: z.masked_fill(min_p(z, p).isinf(), 0),
        "a very low number is a logit, too: forbid with -inf, which no logit can be "
        "below": lambda z, p: min_p(z, p).clamp(min=-1e9),
        "these are probabilities: return logits, with -inf, not 0, where a token is "
        "forbidden": lambda z, p: z.softmax(-1) * min_p(z, p).isfinite(),
        "these are probabilities that sum to 1: return logits, as they were, and -inf "
        "where a token is forbidden": lambda z, p: min_p(z, p).softmax(-1),
        "these are log-probabilities: the logits that stay must stay as they are, with "
        "no constant taken away": lambda z, p: min_p(z.log_softmax(-1), p),
    },
)


def pairs(texts):
    return [pair for text in texts for pair in pairwise(text)]


def share(items, of=None):
    return len(set(items)) / len(of or items)


def words(texts):
    return [word for text in texts for word in text]


day06_distinct = exercise(
    "day06_distinct",
    """distinct_2(texts): different word pairs, per pair of all texts.""",
    cases=[
        ([list("abacabd"), list("abda"), list("cec")],),  # words of one letter
        ([["a", "bc", "d"], ["ab", "c", "d"]],),
        ([["a"], ["a", "b"]],),
        ([["a", "b", "c"], []],),
    ],
    each=True,
    right=lambda texts: share(pairs(texts)),
    wrong={
        "the last word of a text and the first of the next one are no neighbours: take "
        "each text's pairs": lambda texts: share(pairs([words(texts)])),
        "divide by pairs, not by words": lambda texts: share(
            pairs(texts), words(texts)
        ),
        "a b and b a are two pairs": lambda texts: share(
            [*map(frozenset, pairs(texts))]
        ),
        "a + bc and ab + c are two pairs": lambda texts: share(
            [*map("".join, pairs(texts))]
        ),
        "a text without words has no pair, not -1 of them: so len(text) - 1 is no "
        "count": lambda texts: len(set(pairs(texts))) / sum(len(t) - 1 for t in texts),
        "a text's first word has no neighbour before it, though text[-1] is a word: "
        "the last": lambda texts: share(pairs([t[-1:] + t for t in texts])),
        "the last pair is missing": lambda texts: share(pairs([t[:-1] for t in texts])),
        "a pair that comes twice is one different pair: count it once, do not leave it "
        "out": lambda texts: (
            sum(pairs(texts).count(pair) == 1 for pair in pairs(texts))
            / len(pairs(texts))
        ),
        "pairs overlap: a b a has a b and b a": lambda texts: share(
            [pair for text in texts for pair in pairs([text])[::2]]
        ),
        "count over all texts together, not each by itself: a mean over texts does not "
        "see what they share": lambda texts: sum(share(pairs([t])) for t in texts) / 3,
        "a pair that stands in two texts is one different pair, not two: one set for "
        "all": lambda texts: (
            sum(len(set(pairs([t]))) for t in texts) / len(pairs(texts))
        ),
        "count pairs of words, not single words": lambda texts: share(words(texts)),
        "that is the share of repeats": lambda texts: 1 - share(pairs(texts)),
        "divide by the number of all pairs": lambda texts: len(set(pairs(texts))),
        "upside down: different ones, by all": lambda texts: 1 / share(pairs(texts)),
        "a share, not per cent": lambda texts: 100 * share(pairs(texts)),
    },
)
