"""Checks for day 3: softmax, the causal mask, the loss, the probability of a word."""

import math
from functools import partial

import torch
from torch.nn import functional as F

from helpers.checks import values
from helpers.checks.common import exercise

INF = math.inf
LUCK = torch.Generator().manual_seed(3)
_random = partial(torch.normal, 0.0, 2.0, generator=LUCK)


def share(odds):
    """Divide by the sum of the last axis."""
    return odds / odds.sum(-1, keepdim=True)


def _softmax_hint(case, probs, answer):
    if "size of tensor" in str(answer):
        return f"sums of rows must keep their axis, keepdim=True (torch says: {answer})"
    if case[0].abs().max() > 100:
        return f"wrong for logits {values.short(case[0])}: subtract each row's largest"
    if values.same(answer.sum(), 1.0):
        return "all rows together sum to 1: each is a distribution of its own (keepdim)"
    ones = values.same(answer.sum(0), torch.ones(answer.shape[1:]))
    return "each column sums to 1: sum over the last axis" if ones else None


ROWS = [[1000, 999], [0, -1]], [[400, 0, -400]], [[0, -INF]], [[-1000, 999]]
day03_softmax = exercise(
    "softmax(logits) over the last axis of (…, vocab), for large and small logits too.",
    cases=[(_random(shape),) for shape in ((3, 5), (2, 3, 4), (5,), (4, 4))]
    + [(torch.Tensor(rows),) for rows in ROWS],
    hint=_softmax_hint,
    right=lambda logits: logits.double().softmax(-1),
    wrong={
        "inf / inf is nan: subtract the largest first": lambda z: share(z.exp()),
        "subtract each row's own largest": lambda z: share((z - z.max()).exp()),
        "the last axis is -1, not 1, whatever their number": lambda z: z.softmax(1),
        "subtract, do not divide": lambda z: share((z / z.amax(-1, True)).exp()),
        "these are log-probabilities: the exp is missing": lambda z: z.log_softmax(-1),
        "this is not divided by the sum": lambda z: (z - z.amax(-1, True)).exp(),
    },
)


def masked(scores, offset=1, fill=-INF, dim=-1):
    """Return causal attention weights, (…, seq, seq) to the same."""
    future = torch.ones_like(scores).triu(offset).bool()
    return scores.masked_fill(future, fill).softmax(dim)


def _causal_hint(case, weights, answer):
    if answer.isnan().all():
        return "every row has a nan: 0 times -inf is nan, so fill in -inf (masked_fill)"
    ahead = answer.triu(1).any()
    return "the future has weight: position t sees keys 0 to t" if ahead else None


ZEROS = torch.tensor([[-1.0, 0, 0, 0], [1, -1, 0, 0], [1, 0, -1, 0], [1, 1, 1, 0]])
AHEAD, LOW = torch.ones(3, 3).triu(1) * 1e30, torch.full((3, 3), -1e30)
day03_causal_weights = exercise(
    "causal_weights(scores): (T, T) attention scores to causal attention weights.",
    cases=[(s,) for s in (_random((5, 5)), ZEROS, AHEAD, LOW, torch.ones(1, 1))],
    hint=_causal_hint,
    right=masked,
    wrong={
        "nan: a row sees nothing; it sees itself, triu(1)": partial(masked, offset=0),
        "zeroed after the softmax, then divided by what is left, which may be 0 / 0: "
        "mask before it": lambda s: share(s.softmax(-1).tril()),
        "rows must sum to 1: mask before the softmax": lambda s: s.softmax(-1).tril(),
        "no number is low enough: the mask is -inf": partial(masked, fill=-1e9),
        "0 is no mask, as exp(0) is 1: fill in -inf": partial(masked, fill=0),
        "a score of 0 is a score": lambda s: s.where(s.tril() != 0, -INF).softmax(-1),
        "the columns sum to 1: softmax goes over the keys": partial(masked, dim=0),
    },
)
ALL, TAIL, HEAD = slice(None), slice(1, None), slice(0, -1)


def _loss(logits, labels, read=HEAD, said=TAIL, **options):
    rows = logits[:, read].flatten(0, 1)
    return F.cross_entropy(rows, labels[:, said].flatten(), **options)


LOGITS = _random((2, 6, 7))
FULL = [[1, 4, 0, 6, 2, 3], [5, 5, 1, 3, 2, 4]]
ENDS = [[1, 4, 0, 6, 2, 3], [5, 5, 1, 0, -100, -100]]
STARTS = [[-100, -100, 0, 6, 2, 3], [5, -100, 1, 0, 2, -100]]
day03_loss = exercise(
    "loss(logits, labels): the mean of -log P(label), shifted, -100 left out.",
    cases=[(LOGITS, torch.tensor(labels)) for labels in (FULL, ENDS, STARTS)],
    hint=lambda case, loss, said: (
        "labels of -100 were looked up as tokens: leave them out first"
        if "-100" in str(said)
        else None
    ),
    right=_loss,
    wrong={
        "each token was scored by the logits that had read it: logits[:, :-1] go with "
        "labels[:, 1:]": partial(_loss, read=ALL, said=ALL),
        "shifted the wrong way: t predicts t + 1": partial(_loss, read=TAIL, said=HEAD),
        "the last row of one text was scored on the first token of the next: shift, "
        "then flatten": lambda z, y: _loss(z.flatten(0, 1)[None], y.flatten()[None]),
        "roll brings a text's first token to its end, and nothing predicts "
        "that": lambda z, y: _loss(z, y.roll(-1, 1), ALL, ALL),
        "labels of -100 were counted as tokens": lambda z, y: _loss(z, y.clamp(0)),
        "the sum was divided by the -100 positions too: count only the "
        "others": lambda z, y: _loss(z, y, reduction="sum") / y[:, TAIL].numel(),
        "this is the mean of the rows' means, and rows differ in length: divide once, "
        "at the end": lambda z, y: sum(map(_loss, z.split(1), y.split(1))) / len(y),
    },
)


def _word(logits, input_ids, n, lag=1, dim=-1, join=torch.prod):
    places = torch.arange(len(input_ids) - n, len(input_ids))
    return join(logits.double().softmax(dim)[places - lag, input_ids[places]])


day03_word_probability = exercise(
    "word_probability(logits, input_ids, n): P(last n tokens | those before them).",
    cases=[(_random((6, 9)), torch.tensor([4, 0, 7, 2, 8, 5]), n) for n in (2, 1, 4)],
    same=partial(values.same, atol=1e-9),
    right=_word,
    wrong={
        "scored by logits that have read the token: take t - 1": partial(_word, lag=0),
        "this is the log-probability: take exp": lambda z, x, n: _word(z, x, n).log(),
        "probabilities were added: a chain multiplies": partial(_word, join=torch.sum),
        "a geometric mean: take no root": lambda z, x, n: _word(z, x, n) ** (1 / n),
        "one token too many: the word has n": lambda z, x, n: _word(z, x, n + 1),
        "softmax goes over the vocabulary, the last axis": partial(_word, dim=0),
        "only the last n tokens are the word": lambda z, x, n: _word(z, x, len(x) - 1),
    },
)
