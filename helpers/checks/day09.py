"""Checks for day 9: a corpus measured, windows, two models, five reports."""

import math
from functools import partial
from statistics import fmean

import torch

from helpers.checks.common import exercise, expect
from helpers.checks.values import same
from helpers.worlds import mean, ratio

LOG2 = math.log(2)  # nats in a bit


def _measured(nats, tokens, sizes, unit=LOG2, loss=None):
    loss = sum(nats) / sum(tokens) if loss is None else loss(nats, tokens)
    return math.exp(loss), sum(nats) / unit / sum(sizes)


def _by_text(nats, tokens, sizes):
    rates = [math.exp(n / t) for n, t in zip(nats, tokens, strict=True)]
    return fmean(rates), _measured(nats, tokens, sizes)[1]


day09_measured = exercise(
    "measured(nats, tokens, sizes): perplexity and bits per byte of a corpus.",
    cases=[
        ([30.0, 80.0, 3.0], [40, 55, 2], [170, 260, 9]),
        ([2.5], [5], [21]),
        ([0.0, 9.0], [3, 3], [12, 10]),
    ],
    right=_measured,
    same=partial(same, atol=1e-9),
    wrong={
        "that is the mean of the texts' perplexities: add up nats and tokens of all "
        "texts first": _by_text,
        "a mean of losses lets a short text weigh as much as a long one": dict(
            loss=lambda nats, tokens: fmean(map(float.__truediv__, nats, tokens))
        ),
        "the second number is in nats: divide by log 2": dict(unit=1.0),
        "the second number is per token: divide by the bytes": lambda nats, tokens, _: (
            _measured(nats, tokens, tokens)
        ),
        "2 to the power of nats: nats belong to e, bits to 2": lambda *given: (
            2 ** math.log(_measured(*given)[0]),
            _measured(*given)[1],
        ),
        "the first number is the loss: return exp of it": lambda *given: (
            math.log(_measured(*given)[0]),
            _measured(*given)[1],
        ),
    },
)


def _windows(n, context, stride, first=None, lost=0, full=True, moved=True):
    """List (start, end, scored) as exercise 2 asks, with parts to get wrong."""
    end = min(first or context, context, n - 1)
    rows, scored = [], end
    while scored > 0:
        rows.append((max(0, end - context if full else end - scored), end, scored))
        scored = min(stride, n - 1 - end)
        end += scored
    starts = [a if moved else i * stride for i, (a, _, _) in enumerate(rows)]
    lost = [lost * (i > 0) for i in range(len(rows))]
    return [(a, b, s - k) for a, (_, b, s), k in zip(starts, rows, lost, strict=True)]


def _beyond(n, context, stride):
    starts = range(0, max(1, n - 1 - context + stride), stride)
    return [(s, s + context, stride if s else context) for s in starts]


day09_windows = exercise(
    "windows(n, context, stride): (start, end, scored) of each window.",
    cases=[
        (11, 4, 2),
        (9, 4, 4),
        (10, 4, 1),
        (13, 5, 3),
        (12, 4, 4),
        (3, 4, 2),
        (2, 1, 1),
    ],
    right=_windows,
    wrong={
        "the first window scores all that it predicts, not only stride": (
            lambda n, context, stride: _windows(n, context, stride, first=stride)
        ),
        "only the first id of the whole text is never predicted: later windows lose "
        "none": dict(lost=1),
        "each window reads as much as it can, from end - context on: that is what a "
        "small stride pays for": dict(full=False),
        "the last window reaches behind the text": _beyond,
        "the last window, too, reads the context ids that end where it ends: it is "
        "moved back until it is full": dict(moved=False),
        "n ids give n - 1 predictions": lambda n, context, stride: _windows(
            n + 1, context, stride
        ),
    },
)


def _better(nats_a, nats_b, sizes, errors=3, sign=1, how=None):
    differences = [a - b for a, b in zip(nats_a, nats_b, strict=True)]
    gap, error = (how or (lambda *_: ratio(differences, sizes)))(nats_a, nats_b, sizes)
    return "level" if abs(gap) <= errors * error else "ab"[sign * gap > 0]


def _unpaired(nats_a, nats_b, sizes):
    a, b = ratio(nats_a, sizes), ratio(nats_b, sizes)
    return a.value - b.value, math.hypot(a.error, b.error)


def _rates(nats_a, nats_b, sizes):
    rows = zip(nats_a, nats_b, sizes, strict=True)
    return mean((a - b) / size for a, b, size in rows)


def _differences(nats_a, nats_b, sizes):
    return mean(a - b for a, b in zip(nats_a, nats_b, strict=True))


SIZES = [100, 140, 800, 120, 90, 160, 110, 130]
HARD = [90.0, 60.0, 500.0, 88.0, 30.0, 99.0, 75.0, 49.0]  # nats of the same texts


def _plus(nats):
    return [a + b for a, b in zip(HARD, nats, strict=True)]


day09_better = exercise(
    "better(nats_a, nats_b, sizes): which model is better, a or b, or level.",
    cases=[
        (HARD, _plus([7, 8, 23, 7, 6, 9, 7, 8]), SIZES),
        (_plus([5, 7, 41, 6, 4, 8, 5, 7]), HARD, SIZES),
        (HARD, _plus([1, -9, 8, 3, 9, -4, 2, -2]), SIZES),
        (HARD, _plus([6, 8, -1, 7, 5, 10, 7, 8]), SIZES),
        (HARD, _plus([14, 0, 20, 3, -3, 9, 0, 3]), SIZES),
    ],
    right=_better,
    wrong={
        "fewer nats are better: you have named the other one": dict(sign=-1),
        "these errors take the two models as unrelated: first the difference, text by "
        "text": dict(how=_unpaired),
        "a long text weighs more: all differences over all bytes, not a mean of "
        "rates": dict(how=_rates),
        "a difference within three times its error is level": dict(errors=0),
        "within three times its error, not once": dict(errors=1),
        "within three times its error, not twice": dict(errors=2),
        "bits per byte: all differences over all bytes; a mean of differences has no "
        "bytes in it": dict(how=_differences),
    },
)


def _loss(belief, came, t=1.0):
    """Return what a belief pays at each place, after heating it: (places,)."""
    log_probs = (belief.log() / t).log_softmax(-1)
    return -log_probs.gather(-1, came[:, None])[:, 0]


def _in_errors(saved) -> float:
    value, error = mean(saved.tolist())
    return value / error


def _report(truth, belief, came, floor=_loss, sums=True, peeks=True, heats=(1.25, 0.8)):
    if sums and ((belief.sum(-1) - 1).abs() > 1e-3).any():
        return "no distribution"
    paid = -belief.gather(-1, came[:, None])[:, 0].log()
    if peeks and _in_errors(floor(truth, came) - paid) > 3:
        return "peeks"
    for t, name in zip(heats, ("too sure", "too unsure"), strict=True):
        if _in_errors(paid - _loss(belief, came, t)) > 3:
            return name
    return "honest"


def _mean_of_sums(truth, belief, came):
    whole = abs(belief.sum(-1).mean().item() - 1) < 1e-3
    return _report(truth, belief, came, sums=False) if whole else "no distribution"


def _entropy(truth, came):
    return -torch.xlogy(truth, truth).sum(-1)


def _below_mean(truth, belief, came):
    below = _loss(belief, came).mean() < _loss(truth, came).mean()
    said = _report(truth, belief, came)
    return "peeks" if said == "honest" and below else said


def _reports() -> list[tuple]:
    """Draw a truth, what came, and what eight models believed."""
    luck = torch.Generator().manual_seed(9)
    logits = 2 * torch.randn(240, 9, generator=luck)
    truth = logits.softmax(-1)
    came = truth.multinomial(1, generator=luck)[:, 0]
    answer = torch.nn.functional.one_hot(came, 9)
    noise = torch.randn(200, 240, 9, generator=luck)
    close = (logits + 0.1 * noise[1]).softmax(-1)
    beliefs = [(logits + 0.03 * some).softmax(-1) for some in noise]
    floor = _loss(truth, came)
    gains = {_in_errors(floor - _loss(belief, came)): belief for belief in beliefs}
    lucky = gains[max(gain for gain in gains if gain < 2.9)]
    noisy = (logits + 0.4 * noise[0]).softmax(-1)
    sure, unsure = ((t * noisy.log()).softmax(-1) for t in (1.7, 0.5))
    seen = [(1 - share) * truth + share * answer for share in (0.1, 0.02)]
    uneven = noisy * torch.tensor([0.8, 1.2]).repeat(120)[:, None]
    models = [close, seen[0], sure, unsure, 1.6 * noisy, lucky, seen[1], uneven]
    return [(truth, belief, came) for belief in models]


def _report_of(answer, *case):
    said = answer(*case)
    expect(isinstance(said, str), f"expected one of the five words, got {said!r:.40}")
    return said


day09_report = exercise(
    "report(truth, belief, came): what a model's figures say about it.",
    cases=_reports,
    call=_report_of,
    right=_report,
    each=True,
    hint=lambda case, right, said: f"this one is {right!r}, you say {said!r}",
    wrong={
        "some sum is wrong, though their mean is 1: look at each place": _mean_of_sums,
        "shares that sum to more than 1 buy a low loss: look at the sums first": dict(
            sums=False
        ),
        "what the truth pays for the same tokens is the floor here: its entropy leaves "
        "the luck of the draw in": dict(floor=_entropy),
        "nobody who only guesses beats the truth by more than luck": dict(peeks=False),
        "below the truth by less than three times the error is luck": _below_mean,
        "if heating helps it was too sure, if cooling helps too unsure": dict(
            heats=(0.8, 1.25)
        ),
    },
)
