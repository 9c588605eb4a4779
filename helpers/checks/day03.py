"""Checks for day 3: softmax, who peeks, the loss, what was forgotten."""

import math
from functools import partial

import torch
from torch.nn import functional as F

from helpers.checks import values
from helpers.checks.common import exercise

INF = math.inf
LUCK = torch.Generator().manual_seed(3)
_random = partial(torch.normal, 0.0, 2.0, generator=LUCK)


def share(counts):
    """Divide by the sum of the last axis."""
    return counts / counts.sum(-1, keepdim=True)


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


def _toy(ids, ahead=(), noise=0.0):
    """Logits (1, seq, 7) that count the past, and the later token of each pair."""
    rows = torch.eye(7)[ids]
    logits = rows.cumsum(1) + noise * ids.sum()  # sums in another order differ a bit
    for row, later in ahead:
        if later < ids.shape[1]:
            logits[:, row] += rows[:, later]
    return logits


def _peeks(logits_of, input_ids, places=None, rows=slice, atol=1e-3, new=None):
    before = logits_of(input_ids)
    for t in places or range(1, input_ids.shape[1]):
        other = input_ids.clone()
        other[0, t] = (input_ids[0, t] + 1) % before.shape[-1] if new is None else new
        moved = (logits_of(other) - before).abs().amax(-1)[0] > atol
        if moved[rows(t)].any():
            return True
    return False


PEEKING = [(1, 2)], [(2, 5)], [(3, 4)], [(t, t + 1) for t in range(5)]
TOYS = [partial(_toy, ahead=pairs) for pairs in ([], *PEEKING)]
TOYS.append(partial(_toy, noise=1e-6))
day03_peeks = exercise(
    "peeks(logits_of, input_ids): whether a row of logits depends on a later token.",
    cases=[(toy, torch.tensor([[4, 1, 0, 6, 2, 3]])) for toy in TOYS],
    right=_peeks,
    wrong={
        "this says that every model peeks: a row may depend on its own token and on "
        "those before it": dict(rows=lambda t: slice(t + 1)),
        "only the last token was changed: a row in the middle may look at one in the "
        "middle": dict(places=[5]),
        "only the first row was watched: any row may peek": dict(
            rows=lambda t: slice(1)
        ),
        "only the row just before was watched: others may look farther": dict(
            rows=lambda t: slice(t - 1, t)
        ),
        "a model that rounds differently does not peek: allow for 0.001": dict(atol=0),
        "one token was 0 already, so writing a 0 changed nothing: choose another "
        "id": dict(new=0),
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
        "labels[:, 1:]": dict(read=ALL, said=ALL),
        "shifted the wrong way: t predicts t + 1": dict(read=TAIL, said=HEAD),
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


def _moved(p, q, both=True):
    words = {*p, *q} if both else p
    return sum(abs(p.get(word, 0) - q.get(word, 0)) for word in words) / 2


def _most(scores, least=0.1):
    word = max(scores, key=scores.get)
    return word if scores[word] >= least else None


def _forgotten(text, changes, truth_of, belief_of, least=0.1, score=float, both=True):
    def move(of, other):
        return _moved(of(text), of(other), both)

    gaps = {w: move(truth_of, x) - move(belief_of, x) for w, x in changes.items()}
    return _most({word: score(gap) for word, gap in gaps.items()}, least)


def _case(truths, beliefs):
    """The chance of one next word in a text, and after each of its words changed."""

    def of(chances):
        rows = [{" yes": chance, " no": 1 - chance} for chance in chances]
        known = [{word: p for word, p in row.items() if p} for row in rows]
        return dict(zip(TEXTS, known, strict=True)).get

    return TEXTS[0], {word: word for word in TEXTS[1:]}, of(truths), of(beliefs)


TEXTS = ("a shy old fox.", " shy", " old", " fox")
STORIES = [
    ((1, 0.5, 1, 0.5), (0.6, 0.6, 0.6, 0.1)),  # follows the fox, not its shyness
    ((1, 0.1, 1, 0.5), (1, 0.15, 1, 1)),  # shy moves more, but moves both
    ((0.8, 0.8, 0.8, 0.1), (0.8, 0.8, 0, 0.5)),  # moved by old for no reason
    ((1, 0, 1, 0.5), (0.9, 0, 0.9, 0.45)),  # follows all that matters
    ((0.5, 0.5, 0.5, 0.5), (0.1, 0.1, 0.05, 0.1)),  # wrong, but not forgetful
    ((1, 0.4, 1, 1), (0.9, 0.6, 0.9, 0.9)),  # a word that was impossible becomes likely
]
day03_forgotten = exercise(
    "forgotten(text, changes, truth_of, belief_of): the word that only truth follows.",
    cases=[_case(*row) for row in STORIES],
    right=_forgotten,
    wrong={
        "this is where the truth moves most; ask whether the belief moves with "
        "it": lambda x, c, p, q: _forgotten(x, c, p, lambda text: {}),
        "where the difference is below 0.1 for all words, none was forgotten: return "
        "None": dict(least=-1),
        "a belief that moves where the truth does not is superstition, no "
        "forgetting": dict(score=abs),
        "words that only the other distribution has count, too": dict(both=False),
        "this is where the belief moves least; most words need move "
        "nothing": lambda x, c, p, q: min(c, key=lambda w: _moved(q(x), q(c[w]))),
        "this compares belief with truth after each change: ask how far each has "
        "moved": lambda x, c, p, q: _most({w: _moved(p(c[w]), q(c[w])) for w in c}),
    },
)
