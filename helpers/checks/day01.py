"""Checks for day 1: what is in a GPT-2."""

import json
from functools import cache, partial
from math import floor

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import exercise


def _copies(parameters, gib, dtype, unit=2**30, size=None, cut=floor, read=float):
    return cut(read(gib) * unit / (parameters * (size or dtype.itemsize)))


day01_copies = exercise(
    "copies_that_fit(parameters, gib, dtype): whole copies of a model that fit.",
    cases=[(124_439_808, 8, dtype) for dtype in (torch.float32, torch.bfloat16)]
    + [(2**28, 1, torch.float32), (2**28, 1, torch.int8), (2**28, 4, torch.float64)]
    + [(1_557_611_200, 2, torch.float32), (7_087_872, 24, torch.float32)]
    + [(2**27, 1.5, torch.float32)],
    right=_copies,
    wrong={
        "a GiB is 2**30 bytes, 10**9 bytes are a GB": dict(unit=10**9),
        "a number has dtype.itemsize bytes, not always 4": dict(size=4),
        "itemsize is in bytes already, 8 bits each": dict(unit=2**27),
        "round down, there is no half copy": dict(cut=float),
        "round down, not to the nearest": dict(cut=round),
        "half a GiB is memory, too: round down at the end": dict(read=int),
        "of a gib like 1.5, // makes a number like 3.0: end with "
        "int()": lambda n, gib, dtype: gib * 2**30 // (n * dtype.itemsize),
    },
)

SIZES = {"n_layer": 3, "n_positions": 17, "n_head": 3, "n_embd": 24, "vocab_size": 53}
_config = partial(GPT2Config, **SIZES, bos_token_id=0, eos_token_id=0)


@cache
def _built(config: str) -> dict[str, tuple]:
    with torch.device("meta"):  # no numbers, so it takes no time
        model = GPT2LMHeadModel(GPT2Config(**json.loads(config)))
    return {name: tuple(weight.shape) for name, weight in model.named_parameters()}


def _shape(name, config):
    return _built(config.to_json_string())[name]


def _shape_hint(case, shape, answer):
    hint = "follow the data: what goes in, what comes out?"
    if {50257, 1024, 768}.intersection(answer):
        hint = "those are gpt2's own sizes: read them from config"
    elif len(answer) != len(shape):
        hint = "a matrix has two axes, a bias has one; a block may have two digits"
    elif "bias" in case[0]:
        hint = "a bias is added to what comes out, one number for each output: (out,)"
    elif "c_proj" in case[0]:
        hint = "there are two c_proj, attention's and the MLP's: which is it?"
    return f"{case[0]} has the shape {shape}, you said {answer}: {hint}"


FEW, WIDE, DEEP = _config(n_layer=1), _config(n_inner=20), _config(n_layer=11)
day01_shape = exercise(
    "weight_shape(name, config): the shape of a weight, a tuple.",
    cases=lambda: [
        (name, config)  # few of the deep model: an answer may build it each time
        for config, part in ((FEW, ""), (WIDE, "1.mlp"), (DEEP, "10.attn.c_attn"))
        for name in _built(config.to_json_string())
        if part in name
    ],
    each=True,
    hint=_shape_hint,
    right=_shape,
    wrong={
        "the axes are swapped: an embedding is (rows, d_model), and GPT-2 stores "
        "(in, out), unlike torch's nn.Linear": lambda x, c: _shape(x, c)[::-1],
        "n_inner is given: 4 * n_embd holds for None": lambda x, c: _shape(x, DEEP),
        "(3) is a number, a tuple of one is (3,)": lambda x, c: _shape(x, c)[0],
    },
)


def _sound(seed=0, **changes):
    torch.manual_seed(seed)
    model = GPT2LMHeadModel(_config(**changes)).eval()
    for weight in model.parameters():
        weight.data.normal_()  # biases and norms, too
    return model


def _loaded(sound, **changes):
    model = _sound(**changes)
    model.load_state_dict(sound.state_dict())
    return model


def _suspects():
    sound, shuffled, other = _sound(), _sound(), _sound()
    weight = shuffled.transformer.h[1].mlp.c_fc.weight  # one of them is enough
    order = torch.randperm(weight.numel())
    weight.data = weight.data.flatten()[order].view_as(weight)
    weight = other.transformer.h[2].attn.c_attn.weight
    weight.data = 2 * weight.data.mean() - weight.data  # the same sum, the same spread
    suspects = (_sound(), _loaded(sound, tie_word_embeddings=False))
    suspects += (_loaded(sound, n_head=4), shuffled, _sound().train(), other)
    return [(suspect, sound) for suspect in suspects]


def _same_numbers(mine, theirs):
    return mine.flatten().sort()[0].equal(theirs.flatten().sort()[0])


def _same_total(mine, theirs):
    return torch.allclose(mine.sum(), theirs.sum(), atol=1e-2)


def _diagnose(suspect, sound, same=_same_numbers, **said):  # said: by who is mistaken
    pairs = [*zip(suspect.parameters(), sound.parameters(), strict=False)]
    name = "random weights"
    if suspect.training:
        name = "train mode"
    elif suspect.config.n_head != sound.config.n_head:
        name = "other heads"
    elif suspect.num_parameters() != sound.num_parameters():
        name = "untied head"
    elif all(a.equal(b) for a, b in pairs):
        name = "sound"
    elif all(same(*pair) for pair in pairs):
        name = "shuffled weights"
    return said.get(name.split()[0], name)


day01_diagnose = exercise(
    "diagnose(suspect, sound): what is wrong with a model, beside the sound one.",
    cases=_suspects,
    each=True,
    hint=lambda case, right, said: f"here it is {right!r}, you said {said!r}",
    right=_diagnose,
    wrong={
        "equal weights are not all: read suspect.training": dict(train="sound"),
        "all weights are equal, and yet attention cuts its width at other places: "
        "compare n_head": dict(other="sound"),
        "state_dict() lists the head in both models: compare num_parameters(), or the "
        "addresses, data_ptr()": dict(untied="sound"),
        "the same numbers, each in another place: sort all of a weight, flattened, "
        "before you call them random": dict(shuffled="random weights"),
        "names, shapes and their count are right: now look at the numbers, of every "
        "weight": dict(random="sound", shuffled="sound"),
        "other numbers may have the same sum and the same spread: sort, and compare "
        "all": dict(same=_same_total),
    },
)
