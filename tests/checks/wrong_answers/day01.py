"""Wrong answers to the exercises of day 1, and right ones in several styles."""

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


def count(config):
    d, layers = config.n_embd, config.n_layer
    block = (d + 1) * 3 * d + (d + 1) * d + (d + 1) * 4 * d + (4 * d + 1) * d + 4 * d
    return (config.vocab_size + config.n_positions) * d + layers * block + 2 * d


def count_from_model(config):
    with torch.device("meta"):
        return GPT2LMHeadModel(config).num_parameters()


def diagnose(suspect, sound):
    mine, theirs = suspect.state_dict(), sound.state_dict()
    if suspect.training or suspect.config.n_head != sound.config.n_head:
        return "train mode" if suspect.training else "other heads"
    if suspect.lm_head.weight.data_ptr() != suspect.transformer.wte.weight.data_ptr():
        return "untied head"
    if all(torch.equal(mine[name], theirs[name]) for name in mine):
        return "sound"
    sums = [(mine[name].sum() - theirs[name].sum()).abs() for name in mine]
    return "shuffled weights" if max(sums) < 1e-2 else "random weights"


def shape_without_long_numbers(name, config):
    part = name[len("transformer.h.0.") :] if ".h." in name else name
    return shape(name, config)[0:1] if part.startswith(".") else shape(name, config)


def bias_of_what_goes_in(name, config):
    return shape(name.replace("bias", "weight"), config)[: len(shape(name, config))]


RIGHT = {
    "day01_copies": [copies_by_loop, lambda *case: np.int64(copies_by_loop(*case))],
    "day01_shape": [shape, shape_from_model],
    "day01_count": [count, count_from_model, lambda c: torch.tensor(count(c))],
    "day01_diagnose": [diagnose],
}

WRONG = {
    "day01_copies": {"expected a whole number, got a string, '17'": lambda *case: "17"},
    "day01_shape": {
        "expected a tuple, got a list": lambda n, c: list(shape(n, c)),
        "a block may have two digits": shape_without_long_numbers,
        "read them from config": lambda n, c: shape(n, GPT2Config()),
        "a bias is added to what comes out": bias_of_what_goes_in,
        "two c_p": lambda n, c: shape(n.replace("mlp.c_p", "attn.c_p"), c),
        "a matrix has two": lambda n, c: (1, *shape(n, c)),
    },
    "day01_count": {
        "off by -3 * n_embd": lambda c: count(c) - 9 * 24,
        "expected a whole number, got a number": lambda c: count(c) / 1,
        ", got 40": lambda c: 12 * c.n_layer + 4,
    },
    "day01_diagnose": {
        "expected a string, got True or False": lambda suspect, sound: True,
        "here it is 'sound', you said 'fine'": lambda suspect, sound: "fine",
    },
}
