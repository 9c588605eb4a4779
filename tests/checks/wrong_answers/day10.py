"""Right answers in other styles to the exercises of day 10, and other mistakes."""

import math

import numpy as np


def _labels_loop(input_ids, lengths):
    labels = input_ids.clone()
    for row, length in zip(labels, lengths, strict=True):
        row[length:] = -100
    return labels


def _in_place(input_ids, lengths):
    for row, length in zip(input_ids, lengths, strict=True):
        row[length:] = -100
    return input_ids


def _rate_in_numpy(step, steps, warmup, peak):
    walk = np.arange(steps + 1)
    down = (1 + np.cos(np.pi * (walk - warmup) / (steps - warmup))) / 2
    rates = np.where(walk < warmup, walk / max(1, warmup), down)
    return peak * rates[step]


def _sizes(d_model, n_layer, rank):
    layers = [(d_model, 3 * d_model), (d_model, d_model)]
    layers += [(d_model, 4 * d_model), (4 * d_model, d_model)]
    return sum(rank * (n_in + n_out) for n_in, n_out in layers) * n_layer


def _by_heart_in_numpy(written, read, fresh):
    known = [set("\n".join(texts).splitlines()) for texts in (read, fresh)]
    rows = [
        [np.mean([line in lines for line in text.splitlines()]) for lines in known]
        for text in written
    ]
    excess = np.array(rows) @ [1, -1]
    return excess.mean(), excess.std(ddof=1) / math.sqrt(len(excess))


WRONG = {
    "day10_labels": {"was changed in place": _in_place},
    "day10_lora_size": {"expected": lambda d, n, rank: _sizes(d, n, rank) + n * rank},
}

RIGHT = {
    "day10_labels": [_labels_loop],
    "day10_rate": [_rate_in_numpy],
    "day10_lora_size": [_sizes],
    "day10_by_heart": [_by_heart_in_numpy],
}
