"""Checks for day 1: what is in a GPT-2."""

import functools
import json
import re
from collections.abc import Callable
from math import prod

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import exercise

__all__ = ["day01_copies", "day01_count", "day01_shape", "day01_shared"]


def copies(parameters: int, gib: int, dtype: torch.dtype) -> int:
    """Whole copies of a model that fit: memory in bytes // bytes of one copy."""
    return gib * 2**30 // (parameters * dtype.itemsize)


day01_copies = exercise(
    "day01_copies",
    "copies_that_fit(parameters, gib, dtype): whole copies of a model that fit.",
    cases=[
        (124_439_808, 8, torch.float32),
        (124_439_808, 8, torch.bfloat16),
        (2**28, 1, torch.float32),
        (2**28, 1, torch.int8),
        (2**28, 4, torch.float64),
        (1_557_611_200, 2, torch.float32),
        (354_823_168, 24, torch.float16),
    ],
    right=copies,
    wrong={
        "a GiB is 2**30 bytes, 10**9 bytes are a GB": lambda n, gib, dtype: (
            gib * 10**9 // (n * dtype.itemsize)
        ),
        "count the bytes of this dtype, dtype.itemsize: they are not always 4": (
            lambda n, gib, dtype: gib * 2**30 // (n * 4)
        ),
        "count the bytes of this dtype, dtype.itemsize: they are not always 2": (
            lambda n, gib, dtype: gib * 2**30 // (n * 2)
        ),
        "there are other dtypes than those of 2 and 4 bytes: dtype.itemsize": (
            lambda n, gib, dtype: gib * 2**30 // (n * (2 if "16" in str(dtype) else 4))
        ),
        "itemsize is in bytes already, 8 bits each": lambda n, gib, dtype: (
            gib * 2**30 // (n * dtype.itemsize * 8)
        ),
        "round down, there is no half copy": lambda n, gib, dtype: (
            gib * 2**30 / (n * dtype.itemsize)
        ),
        "count in whole numbers, with // in place of /": lambda n, gib, dtype: (
            gib * 2**30 / (n * dtype.itemsize) // 1
        ),
        "a copy that fits in part does not fit: round down, not up": (
            lambda n, gib, dtype: -(-gib * 2**30 // (n * dtype.itemsize))
        ),
        "a copy that fits in part does not fit: round down, not to the nearest": (
            lambda n, gib, dtype: round(gib * 2**30 / (n * dtype.itemsize))
        ),
        "round down once, at the end: parts of a copy in each GiB add up": (
            lambda n, gib, dtype: 2**30 // (n * dtype.itemsize) * gib
        ),
    },
)


def tiny(**changes) -> GPT2Config:
    """Return the config of a tiny GPT-2 whose dimensions are all different."""
    options = {"n_layer": 2, "n_head": 3, "n_embd": 24, "n_positions": 17}
    options |= {"vocab_size": 53, "bos_token_id": 0, "eos_token_id": 0}
    return GPT2Config(**options | changes)


@functools.cache
def _shapes(config: str) -> dict[str, tuple]:
    with torch.device("meta"):  # no numbers, so it takes no time
        model = GPT2LMHeadModel(GPT2Config(**json.loads(config)))
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def shapes(config: GPT2Config) -> dict[str, tuple]:
    """Return the shape of each parameter of the model with this config."""
    return _shapes(config.to_json_string())


def shape_cases(_) -> list[tuple]:
    """Return names of the first and the last block, and those outside of blocks."""
    inside = re.compile(r"[.]h[.][1-9][.]")
    configs = tiny(n_layer=11), tiny(n_inner=20)
    every = [(name, config) for config in configs for name in shapes(config)]
    return [case for case in every if not inside.search(case[0])]


def weight_shape(name: str, config: GPT2Config) -> tuple:
    """Return the shape that a model which is built has."""
    return shapes(config)[name]


def bent(change: Callable) -> Callable:
    """Return weight_shape with a mistake: ``change(name, shape, config)``."""
    return lambda name, config: change(name, shapes(config)[name], config)


def is_table(name: str) -> bool:
    """Say whether a weight is an embedding's."""
    return "wte" in name or "wpe" in name


def input_bias(name: str, shape: tuple, config: GPT2Config) -> tuple:
    """Give a bias the length of what goes in."""
    matrix = name.replace("bias", "weight")
    return shapes(config)[matrix][:1] if name.endswith("bias") else shape


def other_projection(name: str, config: GPT2Config) -> tuple:
    """Take one c_proj for the other."""
    other = {"attn.c_proj": "mlp.c_proj", "mlp.c_proj": "attn.c_proj"}
    return weight_shape(re.sub("[a-z]+.c_proj", lambda m: other[m[0]], name), config)


def shape_hint(case: tuple, shape: tuple, answer: tuple) -> str | None:
    """Name what is wrong with one shape, where no single mistake gives it."""
    name, config = case
    said = f"{name} has the shape {shape}, you said {answer}: "
    if len(answer) != len(shape) and ".h.10." in name:
        return said + "a block may have two digits, so no prefix has a fixed length"
    if len(answer) != len(shape):
        return said + "a bias and a norm have one axis, a matrix has two"
    if set(answer) & {50257, 1024, 768}:
        return said + "those are gpt2's own sizes: read them from config"
    return said + "follow the data: what goes in, what comes out?"


day01_shape = exercise(
    "day01_shape",
    "weight_shape(name, config): the shape of a weight, a tuple.",
    cases=shape_cases,
    each=True,
    right=weight_shape,
    wrong={
        "the axes are swapped: an embedding is (rows, d_model)": bent(
            lambda name, shape, config: shape[::-1] if is_table(name) else shape
        ),
        "the axes are swapped: GPT-2 stores (in, out), unlike torch's nn.Linear": bent(
            lambda name, shape, config: shape if is_table(name) else shape[::-1]
        ),
        "n_inner is given here: the default 4 * n_embd holds only for None": (
            lambda name, config: shapes(tiny(n_layer=11))[name]
        ),
        "a bias is added to what comes out, one number for each output: (out,)": bent(
            input_bias
        ),
        "query, key and value lie side by side in one weight": bent(
            lambda name, shape, config: (
                (*shape[:-1], config.n_embd) if "c_attn" in name else shape
            )
        ),
        "there are two c_proj, one in attention and one in the MLP: which is it?": (
            other_projection
        ),
        "a number in brackets is a number: the tuple of one is (3,)": bent(
            lambda name, shape, config: shape[0] if len(shape) == 1 else shape
        ),
    },
    hint=shape_hint,
)


def count_by_hand(config: GPT2Config) -> int:
    """Count a model that is built, weight by weight."""
    return sum(prod(shape) for shape in shapes(config).values())


def off_by(excess: Callable) -> Callable:
    """Return count_by_hand with a mistake: excess(layers, d, config) too many."""
    return lambda config: (
        count_by_hand(config) + excess(config.n_layer, config.n_embd, config)
    )


def gpt2_tables(layers: int, d: int, config: GPT2Config) -> int:
    """Take the embeddings of gpt2, whatever the config says."""
    return (50257 + 1024 - config.vocab_size - config.n_positions) * d


day01_count = exercise(
    "day01_count",
    "count_by_hand(config): the number of parameters of a GPT-2, a whole number.",
    cases=lambda _: [
        (tiny(**changes),)
        for changes in ({}, {"n_layer": 5}, {"n_positions": 33}, {"n_head": 6})
    ],
    right=count_by_hand,
    wrong={
        "the head is the token embedding again (tied): count it once": off_by(
            lambda layers, d, config: config.vocab_size * d
        ),
        "the token embedding (vocab_size, n_embd) is missing": off_by(
            lambda layers, d, config: -config.vocab_size * d
        ),
        "the position embedding (n_positions, n_embd) is missing": off_by(
            lambda layers, d, config: -config.n_positions * d
        ),
        "50257 and 1024 are gpt2's own: vocab_size and n_positions vary": off_by(
            gpt2_tables
        ),
        "one more norm, ln_f, comes after the last block": off_by(
            lambda layers, d, config: -2 * d
        ),
        "every matrix of a block has a bias": off_by(
            lambda layers, d, config: -layers * 9 * d
        ),
        "each block has two norms, with a weight and a bias each": off_by(
            lambda layers, d, config: -layers * 4 * d
        ),
        "a block has two norms, each with weight and bias, and c_attn 3 * n_embd "
        "biases: one of these is short": off_by(
            lambda layers, d, config: -layers * 2 * d
        ),
        "there are norms with a weight and a bias: two in each block, and ln_f": off_by(
            lambda layers, d, config: -layers * 4 * d - 2 * d
        ),
        "every norm has a weight and a bias": off_by(
            lambda layers, d, config: -layers * 2 * d - d
        ),
        "c_fc has a bias for each of the 4 * n_embd numbers that come out": off_by(
            lambda layers, d, config: -layers * 3 * d
        ),
        "12 * d**2 is a rule of thumb: a block has biases and norms besides": off_by(
            lambda layers, d, config: -layers * 13 * d
        ),
        "12 * d**2 is a rule of thumb: blocks have biases and norms, and ln_f is one "
        "more": off_by(lambda layers, d, config: -layers * 13 * d - 2 * d),
        "query, key and value are three matrices, not one": off_by(
            lambda layers, d, config: -layers * 2 * d * d
        ),
        "attention has an output matrix too, c_proj": off_by(
            lambda layers, d, config: -layers * (d * d + d)
        ),
        "heads share the width of c_attn: their number changes no count": off_by(
            lambda layers, d, config: layers * (config.n_head - 1) * 3 * d * (d + 1)
        ),
        "heads share the width of c_attn: their number changes no matrix": off_by(
            lambda layers, d, config: layers * (config.n_head - 1) * 3 * d * d
        ),
    },
)


def shared_weights(model: GPT2LMHeadModel, by: Callable = torch.Tensor.data_ptr) -> set:
    """Return the names whose tensors lie where another one lies."""
    places = {name: by(weight) for name, weight in model.state_dict().items()}
    every = list(places.values())
    return {name for name, place in places.items() if every.count(place) > 1}


def places(model: GPT2LMHeadModel) -> list[list[str]]:
    """Return the names at each address, in the order of the state dict."""
    names = {}
    for name, weight in model.state_dict().items():
        names.setdefault(weight.data_ptr(), []).append(name)
    return list(names.values())


HEAD = {"transformer.wte.weight", "lm_head.weight"}


def sharing_models(_) -> list[tuple]:
    """Return models with a tied head, nothing shared, and two and three shared."""
    models = [GPT2LMHeadModel(tiny())]
    for sharers in range(1, 4):
        model = GPT2LMHeadModel(tiny(n_layer=3, tie_word_embeddings=False))
        blocks = [block.mlp for block in model.transformer.h[:sharers]]
        for block in blocks[1:]:
            block.c_fc.weight = blocks[0].c_fc.weight
        models.append(model)
    return [(model,) for model in models]


day01_shared = exercise(
    "day01_shared",
    "shared_weights(model): the set of the names that share memory with another.",
    cases=sharing_models,
    right=shared_weights,
    wrong={
        "nothing was found. Two traps: state_dict() wraps every tensor anew, so `is` "
        "and id() never match (compare data_ptr()), and named_parameters() drops the "
        "second name of a shared tensor (use state_dict())": lambda model: set(),
        "equal values are not the same tensor: compare data_ptr()": (
            lambda model: shared_weights(model, lambda w: (w.shape, str(w.tolist())))
        ),
        "look at the tensors, not at the names": lambda model: HEAD,
        "other matrices than the head's may be shared: look at every tensor": (
            lambda model: HEAD if model.config.tie_word_embeddings else set()
        ),
        "three may share as well as two: it is not only pairs": lambda model: {
            name for names in places(model) if len(names) == 2 for name in names
        },
        "the first name at an address shares it too: name all": lambda model: {
            name for names in places(model) for name in names[1:]
        },
        "the last name at an address shares it too: name all": lambda model: {
            name for names in places(model) for name in names[:-1]
        },
    },
)
