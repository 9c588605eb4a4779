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
DEEP = "attn.c_attn", "ln_1"
BITS = {torch.float64: 64, torch.float32: 32, torch.bfloat16: 16, torch.int8: 8}


def _copies(parameters, gib, dtype):
    return gib * 2**30 // (parameters * (BITS[dtype] // 8))


def _fit(gib, n, dtype):
    return gib * 2**30 / (n * dtype.itemsize)


day01_copies = exercise(
    "day01_copies",
    "copies_that_fit(parameters, gib, dtype): whole copies of a model that fit.",
    cases=[
        *((124_439_808, 8, torch.float32), (124_439_808, 8, torch.bfloat16)),
        *((2**28, 1, torch.float32), (2**28, 1, torch.int8), (2**28, 4, torch.float64)),
        *((1_557_611_200, 2, torch.float32), (7_087_872, 24, torch.float32)),
    ],
    right=_copies,
    wrong={
        "a GiB is 2**30 bytes, 10**9 bytes are a GB": lambda n, gib, dtype: (
            gib * 10**9 // (n * dtype.itemsize)
        ),
        "count the bytes of this dtype, dtype.itemsize: they are not "
        "always 4": lambda n, gib, dtype: _copies(n, gib, torch.float32),
        "count the bytes of this dtype, dtype.itemsize: they are not "
        "always 2": lambda n, gib, dtype: _copies(n, gib, torch.bfloat16),
        "there are more dtypes than those of 2 and 4 bytes: dtype.itemsize": (
            lambda n, gib, dtype: gib * 2**30 // (n * (2 if "16" in str(dtype) else 4))
        ),
        "itemsize is in bytes already, 8 bits each": lambda n, gib, dtype: int(
            _fit(gib, n, dtype) / 8
        ),
        "round down, there is no half copy": lambda n, gib, dtype: _fit(gib, n, dtype),
        "count in whole numbers, with // in place of /": lambda n, gib, dtype: (
            _fit(gib, n, dtype) // 1
        ),
        "a copy that fits in part does not fit: round down, "
        "not up": lambda n, gib, dtype: -int(-_fit(gib, n, dtype) // 1),
        "a copy that fits in part does not fit: round down, not to the "
        "nearest": lambda n, gib, dtype: round(_fit(gib, n, dtype)),
        "round down once, at the end: parts of a copy in each GiB add "
        "up": lambda n, gib, dtype: _copies(n, 1, dtype) * gib,
    },
)


def _config(**changes):
    """Return the config of a tiny GPT-2 whose dimensions are all different."""
    options = {"n_layer": 2, "n_head": 3, "n_embd": 24, "n_positions": 17}
    options |= {"vocab_size": 53, "bos_token_id": 0, "eos_token_id": 0}
    return GPT2Config(**options | changes)


@functools.cache
def _built(config: str) -> dict[str, tuple]:
    with torch.device("meta"):  # no numbers, so it takes no time
        model = GPT2LMHeadModel(GPT2Config(**json.loads(config)))
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def _shapes(config):
    return _built(config.to_json_string())


def _shape_cases(_):
    few, deep, wide = _config(), _config(n_layer=11), _config(n_inner=20)
    cases = [(name, few) for name in _shapes(few) if ".h.1." not in name]
    cases += [(name, wide) for name in _shapes(wide) if ".h.1.mlp" in name]
    # few of the deep model: an answer may build it each time
    return [*cases, *((f"transformer.h.10.{part}.weight", deep) for part in DEEP)]


def _bent(change: Callable) -> Callable:
    """Return weight_shape with a mistake: change(name, shape, config)."""
    return lambda name, config: change(name, _shapes(config)[name], config)


def _turned(part: str) -> Callable:
    return _bent(lambda name, shape, _: shape[::-1] if part in name else shape)


def _input_bias(name, shape, config):
    matrix = _shapes(config)[name.replace("bias", "weight")]
    return matrix[:1] if name.endswith("bias") else shape


def _other_projection(name, config):
    other = {"attn.c_proj": "mlp.c_proj", "mlp.c_proj": "attn.c_proj"}
    return _shapes(config)[re.sub("[a-z]+.c_proj", lambda m: other[m[0]], name)]


def _shape_hint(case, shape, answer):
    said = f"{case[0]} has the shape {shape}, you said {answer}: "
    if len(answer) != len(shape) and ".h.10." in case[0]:
        return said + "a block may have two digits, so no prefix has a fixed length"
    if len(answer) != len(shape):
        return said + "a bias and a norm have one axis, a matrix has two"
    if {50257, 1024, 768}.intersection(answer):
        return said + "those are gpt2's own sizes: read them from config"
    return said + "follow the data: what goes in, what comes out?"


day01_shape = exercise(
    "day01_shape",
    "weight_shape(name, config): the shape of a weight, a tuple.",
    cases=_shape_cases,
    each=True,
    right=lambda name, config: _shapes(config)[name],
    wrong={
        "the axes are swapped: an embedding is (rows, d_model)": _turned("r.w"),
        "the axes are swapped: GPT-2 stores (in, out), unlike torch's "
        "nn.Linear": _turned(".c_"),
        "n_inner is given here: the default 4 * n_embd holds only for "
        "None": lambda name, config: _shapes(_config(n_layer=11))[name],
        "there are two c_proj, one in attention and one in the MLP: which is "
        "it?": _other_projection,
        "a bias is added to what comes out, one number for each output: (out,)": _bent(
            _input_bias
        ),
        "query, key and value lie side by side in one weight": _bent(
            lambda name, shape, config: (
                (*shape[:-1], config.n_embd) if "c_attn" in name else shape
            )
        ),
        "a number in brackets is a number: the tuple of one is (3,)": _bent(
            lambda name, shape, config: shape[0] if len(shape) == 1 else shape
        ),
    },
    hint=_shape_hint,
)


def _count(config):
    return sum(map(prod, _shapes(config).values()))


def _plus(excess: Callable) -> Callable:
    """Return count_by_hand with a mistake: excess(layers, d, config) too many."""
    return lambda c: _count(c) + excess(c.n_layer, c.n_embd, c)


day01_count = exercise(
    "day01_count",
    "count_by_hand(config): the number of parameters of a GPT-2, a whole number.",
    cases=lambda _: [
        (_config(**changes),)
        for changes in ({}, {"n_layer": 5}, {"n_positions": 33}, {"n_head": 6})
    ],
    right=_count,
    wrong={
        "the head is the token embedding again (tied): count it once": _plus(
            lambda layers, d, config: config.vocab_size * d
        ),
        "the token embedding (vocab_size, n_embd) is missing": _plus(
            lambda layers, d, config: -config.vocab_size * d
        ),
        "the position embedding (n_positions, n_embd) is missing": _plus(
            lambda layers, d, config: -config.n_positions * d
        ),
        "50257 and 1024 are gpt2's own: vocab_size and n_positions vary": _plus(
            lambda layers, d, c: (51281 - c.vocab_size - c.n_positions) * d
        ),
        "n_positions varies": _plus(lambda layers, d, c: (1024 - c.n_positions) * d),
        "one more norm, ln_f, comes after the last block": _plus(
            lambda layers, d, config: -2 * d
        ),
        "every matrix of a block has a bias": _plus(
            lambda layers, d, config: -layers * 9 * d
        ),
        "each block has two norms, with a weight and a bias each": _plus(
            lambda layers, d, config: -layers * 4 * d
        ),
        "a block has two norms, each with weight and bias, and c_attn 3 * n_embd "
        "biases: which is short?": _plus(lambda layers, d, config: -layers * 2 * d),
        "every norm has a weight and a bias, ln_f too": _plus(
            lambda layers, d, config: -layers * 2 * d - d
        ),
        "there are norms with a weight and a bias: two in each block, and ln_f": _plus(
            lambda layers, d, config: -layers * 4 * d - 2 * d
        ),
        "c_fc has a bias for each of the 4 * n_embd numbers that come out": _plus(
            lambda layers, d, config: -layers * 3 * d
        ),
        "12 * d**2 is a rule of thumb: a block has biases and norms besides": _plus(
            lambda layers, d, config: -layers * 13 * d
        ),
        "12 * d**2 is a rule of thumb: blocks have biases and norms, and ln_f is one "
        "more": _plus(lambda layers, d, config: -layers * 13 * d - 2 * d),
        "query, key and value are three matrices, not one": _plus(
            lambda layers, d, config: -layers * 2 * d * d
        ),
        "attention has an output matrix too, c_proj": _plus(
            lambda layers, d, config: -layers * (d * d + d)
        ),
        "heads share the width of c_attn: their number changes nothing": _plus(
            lambda layers, d, config: layers * (config.n_head - 1) * 3 * d * (d + 1)
        ),
        "heads share the width of c_attn: their number changes no matrix": _plus(
            lambda layers, d, config: layers * (config.n_head - 1) * 3 * d * d
        ),
    },
)


def _groups(model, key=torch.Tensor.data_ptr):
    """Return the names at each address that is there more than once, in order."""
    names = {}
    for name, weight in model.state_dict().items():
        names.setdefault(key(weight), []).append(name)
    return [group for group in names.values() if len(group) > 1]


def _together(model, *, key=torch.Tensor.data_ptr, cut=slice(None), most=99):
    groups = [group[cut] for group in _groups(model, key) if len(group) <= most]
    return {name for group in groups for name in group}


def _sharing_models(_):
    models = [GPT2LMHeadModel(_config())]
    for sharers in (1, 2, 3):  # blocks with one matrix for all of them
        model = GPT2LMHeadModel(_config(n_layer=3, tie_word_embeddings=False))
        for block in model.transformer.h[1:sharers]:
            block.mlp.c_fc.weight = model.transformer.h[0].mlp.c_fc.weight
        models.append(model)
    return [(model,) for model in models]


HEAD = {"transformer.wte.weight", "lm_head.weight"}

day01_shared = exercise(
    "day01_shared",
    "shared_weights(model): the set of the names that share memory with another.",
    cases=_sharing_models,
    right=_together,
    wrong={
        "nothing was found. Two traps: state_dict() wraps every tensor anew, so `is` "
        "and id() never match (compare data_ptr()), and named_parameters() drops the "
        "second name of a shared tensor (use state_dict())": lambda model: set(),
        "equal values are not the same tensor: compare data_ptr()": functools.partial(
            _together, key=lambda weight: (weight.shape, str(weight.tolist()))
        ),
        "look at the tensors, not at the names": lambda model: HEAD,
        "other matrices than the head's may be shared: look at every "
        "tensor": lambda model: HEAD if model.config.tie_word_embeddings else set(),
        "three may share as well as two: it is not only pairs": functools.partial(
            _together, most=2
        ),
        "the first name at an address shares it too: name all": functools.partial(
            _together, cut=slice(1, None)
        ),
        "the last name at an address shares it too: name all": functools.partial(
            _together, cut=slice(-1)
        ),
    },
)
