"""Right answers in other styles to the exercises of day 9, and other mistakes."""

import math
from statistics import fmean, stdev

import torch


def _measured(nats, tokens, sizes):
    bits = sum(n / math.log(2) for n in nats)
    return 2 ** (bits / sum(tokens)), bits / sum(sizes)


def _windows(n, context, stride):
    """Go through the predictions, a window whenever the last one is used up."""
    rows, done = [], 0
    while done < n - 1:
        end = min(n - 1, done + (stride if done else context))
        rows.append((max(0, end - context), end, end - done))
        done = end
    return rows


def _better(errors=3.0):
    def better(nats_a, nats_b, sizes):
        gaps = [a - b for a, b in zip(nats_a, nats_b, strict=True)]
        rate = sum(gaps) / sum(sizes)
        rest = [g - rate * s for g, s in zip(gaps, sizes, strict=True)]
        error = stdev(rest) / len(rest) ** 0.5
        if abs(rate) * fmean(sizes) <= errors * error:
            return "level"
        return "a" if rate < 0 else "b"

    return better


def _report(order=("no distribution", "peeks", "too sure", "too unsure")):
    def report(truth, belief, came):
        rows = torch.arange(len(came))

        def paid(probs):
            return -probs[rows, came].log()

        def clear(saved):
            return saved.mean() > 3 * saved.std() / len(saved) ** 0.5

        def heated(t):
            powers = belief ** (1 / t)
            return paid(powers / powers.sum(-1, keepdim=True))

        signs = {
            "no distribution": (belief.sum(-1) - 1).abs().max() > 0.01,
            "peeks": clear(paid(truth) - paid(belief)),
            "too sure": clear(paid(belief) - heated(1.25)),
            "too unsure": clear(paid(belief) - heated(0.8)),
        }
        return next((name for name in order if signs[name]), "honest")

    return report


WRONG = {
    "day09_measured": {
        "expected a tuple": lambda nats, tokens, sizes: math.exp(sum(nats)),
    },
    "day09_windows": {
        "expected a list of": lambda n, context, stride: _windows(n, context, stride)[
            :-1
        ],
        "later windows lose none": lambda *given: [
            (start, end, scored - (i > 0))
            for i, (start, end, scored) in enumerate(_windows(*given))
        ],
    },
    "day09_better": {
        "not once": _better(1.0),
        "expected a string": lambda *given: True,
    },
    "day09_report": {
        "this one is 'honest'": lambda *given: "too sure",
        "look at the sums first": _report(("peeks", "too sure", "too unsure")),
    },
}

RIGHT = {
    "day09_measured": [_measured],
    "day09_windows": [_windows],
    "day09_better": [_better()],
    "day09_report": [_report()],
}
