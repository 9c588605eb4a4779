"""Checks for day 3: softmax, the causal mask, the loss, the probability of a word."""

import math
from functools import partial

import torch
from torch.nn import functional as F

from helpers.checks import values
from helpers.checks.common import exercise

__all__ = ["day03_causal_weights", "day03_loss", "day03_softmax"]
__all__ += ["day03_word_probability"]
INF = math.inf
COLUMNS = "each column sums to 1: sum over the last axis"
TOGETHER = "all rows together sum to 1: each row is a distribution of its own (keepdim)"


def _own_largest(logits):
    return logits.amax(-1, keepdim=True)


def _softmax(logits, *, dim=-1, shift=_own_largest, weigh=torch.exp):
    e = weigh(logits - shift(logits))
    return e / (e.sum(dim, keepdim=True) if dim is not None else e.sum())


def _without_keepdim(logits):
    e = (logits - logits.amax(-1)).exp()
    return e / e.sum(-1)


def _softmax_cases(generator):
    shapes = (3, 5), (2, 3, 4), (5,), (4, 4)
    cases = [2 * torch.randn(shape, generator=generator) for shape in shapes]
    rows = [[1000, 999], [0, -1]], [[400, 0, -400]], [[0, -INF]], [[-1000, 999]]
    return [(case,) for case in (*cases, *map(torch.Tensor, rows))]


def _softmax_hint(case, probs, answer):
    if isinstance(answer, RuntimeError) and "size of tensor" in str(answer):
        return f"sums of rows must keep their axis, keepdim=True (torch says: {answer})"
    if not isinstance(answer, torch.Tensor):
        return None
    if case[0].abs().max() > 100:
        return f"wrong for logits {values.short(case[0])}: subtract each row's largest"
    if values.same(answer.sum(), 1.0):
        return TOGETHER
    ones = values.same(answer.sum(0), torch.ones(answer.shape[1:]))
    return COLUMNS if ones else None


day03_softmax = exercise(
    "day03_softmax",
    "softmax(logits) over the last axis of (…, vocab), for large and small logits too.",
    cases=_softmax_cases,
    hint=_softmax_hint,
    right=lambda logits: logits.double().softmax(dim=-1),
    wrong={
        "exp(1000) is inf, and inf / inf is nan: subtract the largest logit "
        "first": partial(_softmax, shift=lambda z: 0),
        "a row far below the others became 0 / 0: subtract each row's own largest "
        "logit": partial(_softmax, shift=torch.max),
        "subtract the largest logit, not the mean": partial(
            _softmax, shift=lambda z: z.mean(-1, keepdim=True)
        ),
        "subtract the largest logit, which need not be the first": partial(
            _softmax, shift=lambda z: z[..., :1]
        ),
        "the smallest logit was subtracted: subtract the largest": partial(
            _softmax, shift=lambda z: z.amin(-1, keepdim=True)
        ),
        "the last axis is -1, not 1: logits may have any number of axes": partial(
            _softmax, dim=1, shift=lambda z: z.amax(1, keepdim=True)
        ),
        COLUMNS: lambda logits: logits.softmax(dim=0),
        TOGETHER: partial(_softmax, dim=None),
        "these are log-probabilities: the exp is missing": lambda logits: (
            logits.log_softmax(dim=-1)
        ),
        "logits may be negative: take exp before dividing by the sum": lambda logits: (
            logits / logits.sum(dim=-1, keepdim=True)
        ),
        "the largest was subtracted, but where is exp?": partial(
            _softmax, weigh=lambda z: z
        ),
        "the base is e, not 2": partial(_softmax, weigh=torch.exp2),
        "dividing by the largest changes the temperature: subtract it": lambda logits: (
            logits / _own_largest(logits)
        ).softmax(dim=-1),
        "a logit of -inf must get probability 0: exp(-inf - -inf) is nan": lambda z: (
            1 / (z[..., None, :] - z[..., :, None]).exp().sum(-1)
        ),
        "sums of rows must keep their axis, (3, 1): keepdim=True": _without_keepdim,
        "this is not divided by the sum": lambda z: (z - _own_largest(z)).exp(),
    },
)


def _future(scores):
    return torch.ones_like(scores).triu(1).bool()


def causal_weights(scores: torch.Tensor) -> torch.Tensor:
    """Return a softmax for each row's past, row by row."""
    weights = torch.zeros_like(scores)
    for query in range(len(scores)):
        weights[query, : query + 1] = scores[query, : query + 1].softmax(dim=0)
    return weights


def _masked(scores, *, mask=_future, fill=-INF, dim=-1):
    return scores.masked_fill(mask(scores), fill).softmax(dim)


def _after(scores, *, divide=True):
    weights = scores.softmax(dim=-1).tril()
    return weights / weights.sum(-1, keepdim=True) if divide else weights


def _no_zeros(scores):
    low = scores.tril()
    return low.masked_fill(low == 0, -INF).softmax(dim=-1)


def _added(scores, size):
    return (scores - size * _future(scores)).softmax(dim=-1)


def _causal_cases(generator):
    random = 2 * torch.randn(5, 5, generator=generator)
    zero = torch.ones(4, 4).tril(-1) - torch.eye(4)
    zero[2, 1] = zero[3, 3] = 0
    ahead = torch.ones(3, 3).triu(1) * 1e30
    low = torch.full((3, 3), -1e30)
    return [(scores,) for scores in (random, zero, ahead, low, torch.ones(1, 1))]


day03_causal_weights = exercise(
    "day03_causal_weights",
    "causal_weights(scores): (T, T) attention scores to causal attention weights.",
    cases=_causal_cases,
    right=causal_weights,
    wrong={
        "nan: a row sees nothing; position t sees itself, triu(1)": partial(
            _masked, mask=lambda s: torch.ones_like(s).triu().bool()
        ),
        "future scores spoil the past: mask before the softmax, not after": _after,
        "weights were zeroed after the softmax, so rows no longer sum to 1: set future "
        "scores to -inf before it": partial(_after, divide=False),
        "the mask must be -inf: where all scores are low, no number is low "
        "enough": partial(_masked, fill=-1e9),
        "a score of 0 is no mask, as exp(0) is 1: future scores must be -inf": partial(
            _masked, fill=0
        ),
        "a real score may be 0, too: mask by place, not by value": _no_zeros,
        "subtracting a number is no mask, future scores may be larger: fill in "
        "-inf": partial(_added, size=1e9),
        "every row has a nan: 0 times -inf is nan, so fill in -inf "
        "(masked_fill)": partial(_added, size=INF),
        "the columns sum to 1: softmax goes over the keys, the last axis": partial(
            _masked, dim=0
        ),
        "each position sees the future: keep the keys up to the query (tril)": partial(
            _masked, mask=lambda s: _future(s).T
        ),
        "nothing is masked: the future has weight": lambda s: s.softmax(dim=-1),
        "these are scores: the softmax is missing": lambda s: s.masked_fill(
            _future(s), -INF
        ),
        "it works for T = 5 only: build the mask inside": partial(
            _masked, mask=lambda s: _future(torch.ones(5, 5))
        ),
    },
)


def next_token_loss(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Add up -log P of each label that counts, one by one, and divide."""
    losses = []
    for row, targets in zip(logits.double(), labels.tolist(), strict=True):
        for t, target in enumerate(targets[1:]):
            if target != -100:
                losses.append(-row[t].log_softmax(0)[target].item())
    return sum(losses) / len(losses)


def _loss(logits, labels, *, read=slice(0, -1), said=slice(1, None), **options):
    rows = logits[:, read].flatten(0, 1)
    return F.cross_entropy(rows, labels[:, said].flatten(), **options)


def _row_means(logits, labels):
    rows = [_loss(logits[i : i + 1], labels[i : i + 1]) for i in range(len(labels))]
    return sum(rows) / len(rows)


def _looked_up(logits, labels):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, labels[:, 1:, None]).mean()


def _mask_unshifted(logits, labels):
    keep, targets = labels[:, :-1] != -100, labels[:, 1:].clamp(min=0)
    log_probs = logits[:, :-1].log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return -log_probs[keep].mean()


def _loss_cases(generator):
    logits = 2 * torch.randn(2, 6, 7, generator=generator)
    full = [[1, 4, 0, 6, 2, 3], [5, 5, 1, 3, 2, 4]]
    ends = [[1, 4, 0, 6, 2, 3], [5, 5, 1, 0, -100, -100]]
    starts = [[-100, -100, 0, 6, 2, 3], [5, -100, 1, 0, 2, -100]]
    return [(logits, torch.tensor(labels)) for labels in (full, ends, starts)]


LOOKED_UP = "labels of -100 were looked up as tokens: leave them out first"


def _loss_hint(case, loss, answer):
    looked_up = isinstance(answer, Exception) and "-100" in str(answer)
    return f"{LOOKED_UP} (torch says: {answer})" if looked_up else None


day03_loss = exercise(
    "day03_loss",
    "loss(logits, labels): the mean of -log P(label), shifted, -100 left out.",
    cases=_loss_cases,
    hint=_loss_hint,
    right=next_token_loss,
    wrong={
        "the sign is wrong: -log P is never negative": lambda z, y: -_loss(z, y),
        "each token was scored by the logits that had read it: logits[:, :-1] go with "
        "labels[:, 1:]": partial(_loss, read=slice(None), said=slice(None)),
        "this scores the token after next: shift once": partial(
            _loss, read=slice(0, -2), said=slice(2, None)
        ),
        "shifted the wrong way: logits at t predict the token at t + 1": partial(
            _loss, read=slice(1, None), said=slice(0, -1)
        ),
        "this is the sum: divide by the number of predictions": partial(
            _loss, reduction="sum"
        ),
        "the last row of one text was scored on the first token of the next: shift "
        "inside each row, then flatten": lambda z, y: F.cross_entropy(
            z.flatten(0, 1)[:-1], y.flatten()[1:]
        ),
        "roll brings a text's first token to its end, and nothing predicts that": (
            lambda z, y: _loss(z, y.roll(-1, 1), read=slice(None), said=slice(None))
        ),
        "labels of -100 were counted as tokens: leave them out": lambda z, y: _loss(
            z, y.clamp(min=0)
        ),
        LOOKED_UP: _looked_up,
        "the sum was divided by the -100 positions too: count only the "
        "others": lambda z, y: _loss(z, y, reduction="sum") / y[:, 1:].numel(),
        "the loss was divided by the vocabulary too: one -log P for each "
        "label": lambda z, y: _loss(z, y) / z.shape[-1],
        "this is the mean of the rows' means: divide once, at the end": _row_means,
        "the mask was not shifted with the labels: -100 is about the token that is "
        "predicted, labels[:, 1:]": _mask_unshifted,
        "this is in bits: use the natural logarithm": lambda z, y: (
            _loss(z, y) / math.log(2)
        ),
        "this is the perplexity: the loss is its logarithm": lambda z, y: _loss(
            z, y
        ).exp(),
    },
)


def _steps(logits, input_ids, n, *, lag=1, dim=-1):
    probs = logits.double().softmax(dim)
    places = range(len(input_ids) - n, len(input_ids))
    return torch.stack([probs[t - lag, input_ids[t]] for t in places])


def _word(logits, input_ids, n, **options):
    return _steps(logits, input_ids, n, **options).prod()


def _scores(logits, input_ids, n):
    return torch.stack([logits[t - 1, input_ids[t]] for t in range(-n, 0)])


def _word_cases(generator):
    ids = torch.tensor([4, 0, 7, 2, 8, 5])
    return [(2 * torch.randn(6, 9, generator=generator), ids, n) for n in (2, 1, 4)]


day03_word_probability = exercise(
    "day03_word_probability",
    "word_probability(logits, input_ids, n): P(last n tokens | those before them).",
    cases=_word_cases,
    same=partial(values.same, atol=1e-9),
    right=_word,
    wrong={
        "each token was scored by logits that had read it: use those at t - 1": partial(
            _word, lag=0
        ),
        "each token was scored by the row before the one that predicts it: t - "
        "1": partial(_word, lag=2),
        "this is the log-probability: take exp at the end": lambda z, x, n: _word(
            z, x, n
        ).log(),
        "the probabilities were added: a chain multiplies": lambda z, x, n: _steps(
            z, x, n
        ).sum(),
        "this is the mean of the probabilities: multiply them": lambda z, x, n: _steps(
            z, x, n
        ).mean(),
        "this is the geometric mean: no root is needed": lambda z, x, n: (
            _word(z, x, n) ** (1 / n)
        ),
        "one token too many: the word has n": lambda z, x, n: _word(z, x, n + 1),
        "one row scored all tokens: each has its own row, the one before "
        "it": lambda z, x, n: z.double().softmax(-1)[len(x) - n - 1, x[-n:]].prod(),
        "these are the rows at the beginning of the text: take those before the "
        "word": lambda z, x, n: z.double().softmax(-1)[range(n), x[-n:]].prod(),
        "the softmax runs over the positions: its axis is the last, the "
        "vocabulary": partial(_word, dim=0),
        "this is the first token alone: multiply all n": lambda z, x, n: _steps(
            z, x, n
        )[0],
        "this is the last token alone: multiply all n": lambda z, x, n: _steps(z, x, n)[
            -1
        ],
        "the whole text was scored: only the last n tokens are the "
        "word": lambda z, x, n: _word(z, x, len(x) - 1),
        "these are logits: softmax comes first": lambda z, x, n: _scores(
            z, x, n
        ).prod(),
        "exp of logits is no probability: softmax comes first": lambda z, x, n: (
            _scores(z, x, n).sum().exp()
        ),
        "return one number, the product of the word's probabilities": _steps,
    },
)
