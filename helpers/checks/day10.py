"""Checks for day 10: labels, the rate on its way, LoRA counted, texts by heart."""

import math

import torch

from helpers.checks.common import exercise
from helpers.worlds import mean

END = 9
IDS = torch.tensor([[9, 3, 4, 9, 9, 9], [9, 5, 6, 7, 8, 9], [9, 2, 9, 9, 9, 9]])
LENGTHS = [4, 6, 3]


def _labels(input_ids, lengths, ends=0):
    places = torch.arange(input_ids.shape[1])
    kept = places < torch.tensor(lengths)[:, None] + ends
    return torch.where(kept, input_ids, -100)


def _shifted(labels):
    return torch.cat([labels[:, 1:], torch.full((len(labels), 1), -100)], dim=1)


def _no_ends(input_ids, lengths):
    return torch.where(input_ids == END, -100, input_ids)


day10_labels = exercise(
    "labels_of(input_ids, lengths): what each place is, -100 where it is a pad.",
    cases=[(IDS, LENGTHS), (IDS[1:2], [6]), (IDS[:, :4], [4, 4, 3])],
    right=_labels,
    wrong={
        "the pads are still labels: a mask hides them from attention, not from the "
        "loss": lambda ids, lengths: ids.clone(),
        "the end of each document was taken for a pad, and the model will never learn "
        "to stop": dict(ends=-1),
        "every end token became -100, those of documents too: go by the lengths, not "
        "by the id": _no_ends,
        "the first pad of each row is still a label": dict(ends=1),
        "the model shifts the labels itself": lambda ids, n: _shifted(_labels(ids, n)),
        "the pads are on the right": lambda ids, n: _labels(ids.flip(1), n).flip(1),
    },
)


def _rate(
    step, steps, warmup, peak, done=lambda step, steps, w: (step - w) / (steps - w)
):
    if step < warmup:
        return peak * step / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * done(step, steps, warmup)))


def _line(step, steps, warmup, peak):
    if step < warmup:
        return peak * step / warmup
    return peak * (steps - step) / (steps - warmup)


def _quarter(step, steps, warmup, peak):
    if step < warmup:
        return _rate(step, steps, warmup, peak)
    return peak * math.cos(math.pi / 2 * (step - warmup) / (steps - warmup))


WALK = [(step, 100, 20, 3e-3) for step in (0, 1, 10, 19, 20, 21, 40, 60, 90, 99, 100)]
WALK += [(step, 40, 0, 1.0) for step in (0, 1, 10, 40)]
day10_rate = exercise(
    "rate_at(step, steps, warmup, peak): up in a line, then down in a cosine to 0.",
    cases=WALK,
    right=_rate,
    wrong={
        "the cosine must begin where the warm-up ends: of what comes after it, which "
        "share is done?": dict(done=lambda step, steps, w: step / steps),
        "the cosine's share is of the steps after the warm-up": dict(
            done=lambda step, steps, w: (step - w) / steps
        ),
        "there is no warm-up": lambda step, *rest: _rate(max(step, rest[1]), *rest),
        "half a cosine goes from 1 to 0: (1 + cos(π share)) / 2": lambda *case: (
            _rate(*case) if case[0] < case[2] else 2 * _rate(*case) - case[3]
        ),
        "this is a line down: the cosine is asked for": _line,
        "this is a quarter of a cosine: half a one, (1 + cos(π share)) / 2, is flat at "
        "both ends": _quarter,
        "at step 0 of a warm-up the rate is 0": lambda *case: (
            _rate(case[0] + 1, *case[1:]) if case[0] < case[2] else _rate(*case)
        ),
        "this is the share of the peak: times peak": lambda *c: _rate(*c[:3], 1.0),
    },
)


def _lora_size(d_model, n_layer, rank, shapes=((1, 3), (1, 1), (1, 4), (4, 1))):
    return n_layer * rank * d_model * sum(map(sum, shapes))


day10_lora_size = exercise(
    "lora_size(d_model, n_layer, rank): the weights that learn, in all blocks.",
    cases=[(768, 12, 8), (256, 5, 8), (1600, 48, 16), (8, 1, 1)],
    right=_lora_size,
    wrong={
        "two layers of a block are called c_proj: that of attention, (d, d), and that "
        "of the MLP, (4 d, d)": dict(shapes=((1, 3), (1, 1), (1, 4))),
        "c_attn makes query, key and value at once, (d, 3 d), and c_proj of attention, "
        "(d, d), counts too": dict(shapes=((1, 3), (1, 4), (4, 1))),
        "the matrices are not square: c_attn is (d, 3 d), those of the MLP are "
        "(d, 4 d) and (4 d, d)": dict(shapes=((1, 1),) * 4),
        "this counts the layers themselves: A is (in, rank), and B is (rank, out)": (
            lambda d, n, rank: 12 * n * d * d
        ),
        "A and B are both there": dict(shapes=((1, 0), (1, 0), (1, 0), (4, 0))),
        "this is one block": lambda d, n, rank: _lora_size(d, 1, rank),
    },
)


def _lines(texts) -> set:
    return {line for text in texts for line in text.split("\n")}


def _share(text, known) -> float:
    lines = text.split("\n")
    return sum(line in known for line in lines) / len(lines)


def _by_heart(written, read, fresh, share=_share):
    old, new = _lines(read), _lines(fresh)
    return tuple(mean(share(text, old) - share(text, new) for text in written))


def _pooled(written, read, fresh):
    old, new = _lines(read), _lines(fresh)
    lines = [line for text in written for line in text.split("\n")]
    return tuple(mean((line in old) - (line in new) for line in lines))


def _once(text, known) -> float:
    lines = _lines([text])
    return len(lines & known) / len(lines)


def _unpaired(written, read, fresh):
    shares = [
        [_share(text, _lines(texts)) for text in written] for texts in (read, fresh)
    ]
    one, other = map(mean, shares)
    return one.value - other.value, math.hypot(one.error, other.error)


def _spread(written, *texts):
    value, error = _by_heart(written, *texts)
    return value, error * math.sqrt(len(written))


READ = ["a hen sat\nby the sea\nand sang", "a fox ran\nto the hill\nand sat", "x\ny"]
FRESH = ["a cat ran\nby the sea\nand sat", "a dog sat\nto the mill\nand sang", "a\nb"]
OWN = ["a hen sat\nby the sea\nand ran", "a dog sat\nto the hill\nand sang", "x\nb\ny"]
OWN += ["a fox ran\nto the hill\nand sat\nby the sea", "x\nx\nto the mill"]
day10_by_heart = exercise(
    "by_heart(written, read, fresh): lines known from reading, beyond luck, and its ±.",
    cases=[(OWN, READ, FRESH), (READ, READ, FRESH), (OWN[:2], FRESH, READ)],
    right=_by_heart,
    wrong={
        "take away what luck gives: the share of lines that stand in the fresh texts": (
            lambda written, read, fresh: tuple(
                mean(_share(text, _lines(read)) for text in written)
            )
        ),
        "compare lines: a text may be new, and all of its lines old": lambda *texts: (
            _by_heart(*texts, share=lambda text, known: _lines([text]) <= known)
        ),
        "take the two shares of a text together: their difference has a ± of its own": (
            _unpaired
        ),
        "each text gives one number: lines of one text are not independent": _pooled,
        "a line that is written twice counts twice": dict(share=_once),
        "this is the spread of single texts: divide by the root of n": _spread,
        "it is the lines of what was written that are looked up in what was read": (
            lambda written, read, fresh: _by_heart(read, written, fresh)
        ),
        "read minus fresh, not the other way round": lambda written, read, fresh: (
            _by_heart(written, fresh, read)
        ),
    },
)
