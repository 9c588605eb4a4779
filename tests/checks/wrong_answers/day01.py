"""Wrong answers to the exercises of day 1, and right ones in several styles."""

from collections import Counter
from functools import partial

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel


def copies_by_loop(parameters, gib, dtype):
    left, one, fitted = gib * 1024**3, parameters * torch.ones(1, dtype=dtype).nbytes, 0
    while left >= one:
        left, fitted = left - one, fitted + 1
    return fitted


def shape(name, config):
    d, inner = config.n_embd, config.n_inner or 4 * config.n_embd
    ways = {"c_attn": (d, 3 * d), "attn.c_proj": (d, d)}
    ways |= {"c_fc": (d, inner), "mlp.c_proj": (inner, d), "ln_": (d, d)}
    if "wte" in name:
        return config.vocab_size, d
    if "wpe" in name:
        return config.n_positions, d
    into, out = next(way for part, way in ways.items() if part in name)
    return (into, out) if name.endswith("weight") and "ln_" not in name else (out,)


def shape_from_model(name, config):
    return GPT2LMHeadModel(config).get_parameter(name).shape


def diagnose(suspect, sound):
    mine, theirs = suspect.state_dict(), sound.state_dict()
    heads = [model.transformer.h[0].attn.num_heads for model in (suspect, sound)]
    if suspect.training or len(set(heads)) > 1:
        return "train mode" if suspect.training else "other heads"
    if suspect.lm_head.weight.data_ptr() != suspect.transformer.wte.weight.data_ptr():
        return "untied head"
    if all(torch.equal(mine[name], theirs[name]) for name in mine):
        return "sound"
    if all(Counter(numbers(mine[n])) == Counter(numbers(theirs[n])) for n in mine):
        return "shuffled weights"
    return "random weights"


def numbers(weight):
    return weight.flatten().tolist()


def diagnose_by_columns(suspect, sound):
    weights = [model.transformer.h[1].mlp.c_fc.weight for model in (suspect, sound)]
    said, same = diagnose(suspect, sound), torch.equal(*[w.sort(0)[0] for w in weights])
    return "random weights" if said == "shuffled weights" and not same else said


def diagnose_by_embedding(suspect, sound):
    weights = [model.transformer.wte.weight for model in (suspect, sound)]
    said = diagnose(suspect, sound)
    return "sound" if said.endswith(" weights") and torch.equal(*weights) else said


def diagnose_by_spread(suspect, sound):
    pairs = zip(suspect.parameters(), sound.parameters(), strict=False)
    said, near = diagnose(suspect, sound), partial(torch.allclose, atol=1e-4)
    alike = all(near(mine.std(), theirs.std()) for mine, theirs in pairs)
    return "shuffled weights" if said == "random weights" and alike else said


def shape_without_long_numbers(name, config):
    part = name[len("transformer.h.0.") :] if ".h." in name else name
    return shape(name, config)[0:1] if part.startswith(".") else shape(name, config)


def bias_of_what_goes_in(name, config):
    return shape(name.replace("bias", "weight"), config)[: len(shape(name, config))]


RIGHT = {
    "day01_copies": [copies_by_loop, lambda *case: np.int64(copies_by_loop(*case))],
    "day01_shape": [shape, shape_from_model],
    "day01_diagnose": [diagnose],
}

WRONG = {
    "day01_copies": {
        "expected a whole number, got a string, '17'": lambda *case: "17",
        "half a GiB is memory, too": lambda n, gib, t: copies_by_loop(n, int(gib), t),
    },
    "day01_shape": {
        "expected a tuple, got a list": lambda n, c: list(shape(n, c)),
        "a block may have two digits": shape_without_long_numbers,
        "read them from config": lambda n, c: shape(n, GPT2Config()),
        "a bias is added to what comes out": bias_of_what_goes_in,
        "two c_p": lambda n, c: shape(n.replace("mlp.c_p", "attn.c_p"), c),
        "a matrix has two": lambda n, c: (1, *shape(n, c)),
    },
    "day01_diagnose": {
        "expected a string, got True or False": lambda suspect, sound: True,
        "here it is 'sound', you said 'fine'": lambda suspect, sound: "fine",
        "sort all of a weight, flattened": diagnose_by_columns,
        "of every weight": diagnose_by_embedding,
        "the same sum and the same spread": diagnose_by_spread,
    },
}
