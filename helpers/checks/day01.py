"""Checks for day 1: what is in a GPT-2."""

import copy
from numbers import Integral

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import exercise, expect

__all__ = ["day01_copies", "day01_count", "day01_shape", "day01_shared"]


@exercise
def day01_copies(copies_that_fit) -> None:
    """Whole copies of a model that fit: memory in bytes // bytes of one copy."""
    cases = [(124_439_808, 8, torch.float32), (124_439_808, 8, torch.bfloat16)]
    cases += [(2**28, 1, torch.float32), (1_557_611_200, 2, torch.float32)]
    for case in cases:
        found = copies_that_fit(*case)
        expect(found is not None, "copies_that_fit gave None: return the number")
        parameters, gib, dtype = case
        one, memory = parameters * dtype.itemsize, gib * 2**30
        said = f"copies_that_fit{case} gave {found!r}, {memory // one} was expected: "
        hint = {
            gib * 10**9 // one: "a GiB is 2**30 bytes, 10**9 bytes are a GB",
            memory // (parameters * 4): "count the bytes of this dtype: dtype.itemsize",
            memory // (parameters * 2): "count the bytes of this dtype: dtype.itemsize",
            memory // (one * 8): "itemsize is in bytes already, 8 bits each",
            memory / one: "round down, there is no half copy",
            -(-memory // one): "a copy that fits in part does not fit, round down",
        }.get(found, "divide the memory in bytes by the bytes of one copy")
        expect(found == memory // one, said + hint)
        whole = isinstance(found, Integral)
        expect(whole, said + "count in whole numbers, with // in place of /")


@exercise
def day01_shape(weight_shape) -> None:
    """The shape of every weight, from its name and the config."""
    for config in (_config(), _config(n_inner=20)):
        for name, weight in _shapes(config).items():
            answer, right = weight_shape(name, config), tuple(weight)
            given = f"for {name} you gave {answer!r}: a shape is a tuple, such as "
            expect(isinstance(answer, tuple | list), given + "(3, 4), or (3,)")
            found = tuple(answer)
            said = f"{name} has the shape {right}, you said {found}: "
            expect(found == right, said + _shape_hint(name, found, right, config))


@exercise
def day01_count(count_by_hand) -> None:
    """The number of parameters of a GPT-2, from its config."""
    for changes in ({}, {"n_layer": 5}, {"n_positions": 33}, {"n_head": 6}):
        config = _config(**changes)
        found, right = count_by_hand(config), _count(config)
        expect(found is not None, "count_by_hand gave None: it must return the count")
        if found != right:
            raise AssertionError(
                f"you counted {found}, the model has {right}: "
                + _count_hint(found - right, config)
            )


@exercise
def day01_shared(shared_weights) -> None:
    """Names of the state dict's tensors that lie in the same memory as another."""
    tied = GPT2LMHeadModel(_config())
    untied = GPT2LMHeadModel(_config(tie_word_embeddings=False))
    head = {"transformer.wte.weight", "lm_head.weight"}
    answer = shared_weights(tied)
    expect(
        answer is not None, "shared_weights gave None: it must return a set of names"
    )
    expect(
        not isinstance(answer, str) and all(isinstance(name, str) for name in answer),
        f"you gave {answer!r}: return one set of names, not groups or tensors",
    )
    found = set(answer)
    expect(
        bool(found),
        "the embedding and the head share memory, you found nothing. Two traps: "
        "state_dict() wraps every tensor anew, so `is` and id() never match (compare "
        "data_ptr()), and named_parameters() drops the second name of a shared tensor "
        "(use state_dict())",
    )
    expect(
        found <= head,
        f"{min(found - head, default=None)} shares no memory: equal values are not "
        "the same tensor; compare data_ptr()",
    )
    expect(
        found == head,
        f"name all tensors that share memory: {sorted(head)}, not {sorted(found)}",
    )
    expect(
        not set(shared_weights(untied)),
        "with tie_word_embeddings=False nothing is shared: look at the tensors, not "
        "at the names",
    )
    looped = copy.deepcopy(untied)
    first, second = looped.transformer.h[0].mlp, looped.transformer.h[1].mlp
    second.c_fc.weight = nn.Parameter(torch.ones(1))
    second.c_fc.weight = first.c_fc.weight
    expect(
        set(shared_weights(looped))
        == {f"transformer.h.{layer}.mlp.c_fc.weight" for layer in (0, 1)},
        "when two blocks share an MLP weight, both its names must be found: look at "
        "every tensor, not only at the head",
    )


def _config(**changes) -> GPT2Config:
    """A tiny GPT-2 whose dimensions are all different."""
    options = {"n_layer": 2, "n_head": 3, "n_embd": 24, "n_positions": 17}
    options |= {"vocab_size": 53, "bos_token_id": 0, "eos_token_id": 0}
    return GPT2Config(**options | changes)


def _shapes(config: GPT2Config) -> dict[str, torch.Size]:
    with torch.device("meta"):
        model = GPT2LMHeadModel(config)
    return {name: weight.shape for name, weight in model.named_parameters()}


def _count(config: GPT2Config) -> int:
    return sum(shape.numel() for shape in _shapes(config).values())


def _shape_hint(name: str, found: tuple, right: tuple, config: GPT2Config) -> str:
    d = config.n_embd
    if len(found) != len(right):
        return "a bias and a norm have one axis, a matrix has two"
    if found == right[::-1]:
        if "wte" in name or "wpe" in name:
            return "the axes are swapped; an embedding is (rows, d_model)"
        return "the axes are swapped; GPT-2 stores (in, out), unlike torch's nn.Linear"
    if "mlp" in name and config.n_inner and 4 * d in found:
        return "n_inner is given here; the default 4 * n_embd holds only for None"
    if name.endswith(".bias") and "ln_" not in name:
        return "a bias is added to what comes out, one number for each output: (out,)"
    if "c_attn" in name and found[-1] == d:
        return "query, key and value lie side by side in one weight"
    if "c_proj" in name:
        return "there are two c_proj, one in attention and one in the MLP; which is it?"
    return "follow the data: what goes in, what comes out?"


def _count_hint(excess: int, config: GPT2Config) -> str:
    d, layers = config.n_embd, config.n_layer
    vocab, positions = config.vocab_size * d, config.n_positions * d
    biases = layers * (3 * d + d + 4 * d + d)
    norms = "each block has two norms, with a weight and a bias each"
    rule = "12 * d**2 is a rule of thumb; a block has biases and norms besides"
    return {
        vocab: "the head is the token embedding again (tied), count it once",
        -vocab: "the token embedding (vocab_size, n_embd) is missing",
        -positions: "the position embedding (n_positions, n_embd) is missing",
        -2 * d: "one more norm, ln_f, comes after the last block",
        -biases: "every matrix of a block has a bias",
        -layers * 4 * d: norms,
        -layers * 2 * d: norms,
        -layers * 2 * d - d: norms,
        -layers * 13 * d: rule,
        -layers * 13 * d - 2 * d: rule,
        -layers * 2 * d * d: "query, key and value are three matrices, not one",
        -layers * (d * d + d): "attention has an output matrix too, c_proj",
    }.get(excess, "count one block weight by weight, then the rest")
