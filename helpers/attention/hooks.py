"""Hooks: where one can look into a GPT-2 while it reads, and change what it computes.

Both kinds of model work: the library's and the engine.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack

import torch
from torch import nn

from helpers.inputs import check_ids

Head = tuple[int, int]  # (layer, head), both counted from 0


def body(model) -> nn.Module:
    """Return what holds the blocks ``h`` and the norm ``ln_f``.

    Raises:
        ValueError: for what is not a GPT-2, or one whose parts are plain functions.
    """
    found = getattr(model, "transformer", model)
    blocks = getattr(found, "h", None)
    if not blocks:
        raise ValueError(f"a GPT-2 with blocks is needed, not {type(model).__name__}")
    if not isinstance(getattr(blocks[0].attn, "c_proj", None), nn.Module):
        raise ValueError("a packed engine cannot be looked into: give GPT2.from_hf(…)")
    return found


def run_with(model, input_ids: torch.Tensor, hooks: dict[Callable, Callable]):
    """Return the logits, with hooks in place: {where to register: hook}."""
    check_ids(model, input_ids)
    with ExitStack() as stack:
        for register, hook in hooks.items():
            stack.callback(register(hook).remove)
        output = model(input_ids)
    return getattr(output, "logits", output)


def projection_input(block: nn.Module) -> Callable:
    """Return what registers a hook on the input of a block's attention projection."""
    return block.attn.c_proj.register_forward_pre_hook


def by_head(model, merged: torch.Tensor) -> torch.Tensor:
    """Split (batch, seq, d_model) into (batch, seq, head, d_head)."""
    return merged.unflatten(-1, (model.config.n_head, -1))


def first(output):
    """Return a part's output, which some parts give in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def checked(model, heads: Iterable[Head]) -> list[Head]:
    """Return the heads as a list; raise ValueError for one that is not there."""
    layers, n_head = len(body(model).h), model.config.n_head
    heads = [tuple(head) for head in heads]
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < n_head):
            there = f"layers 0 … {layers - 1} with heads 0 … {n_head - 1}"
            raise ValueError(f"no head {head} in a layer {layer}: there are {there}")
    return heads
