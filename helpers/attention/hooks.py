"""Hooks: where one can look into a GPT-2 while it reads, and change what it computes.

Both kinds of model work: the library's and the engine. A *change* is a function from
a tensor to the one that takes its place. It is made inside a ``with`` and gone after:
``with change_output(block.mlp, torch.zeros_like): logits_of(model, input_ids)``.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

from helpers.inputs import INTEGERS, check_ids, expect, whole

Head = tuple[int, int]  # (layer, head), both counted from 0
Change = Callable[[torch.Tensor], torch.Tensor]


def change_output(part: nn.Module, change: Change) -> RemovableHandle:
    """Let ``change`` see a part's output, (batch, seq, d_model), and replace it."""

    def hook(part, args, output):
        if isinstance(output, tuple):  # some of the library's parts return more
            return (change(output[0]), *output[1:])
        return change(output)

    return part.register_forward_hook(hook)


def change_heads(model, layer: int, change: Change) -> RemovableHandle:
    """Let ``change`` replace what heads gather, (batch, seq, head, d_head)."""

    def hook(projection, args):
        split = args[0].unflatten(-1, (model.config.n_head, -1))  # heads side by side
        return (change(split).flatten(2), *args[1:])

    return body(model).h[layer].attn.c_proj.register_forward_pre_hook(hook)


def record(model, input_ids: torch.Tensor, parts, *, output=False) -> list:
    """Return what each part reads, or its ``output``, as the model reads the ids."""
    seen = []

    def keep(part, args, returned):
        seen.append(returned if output else args[0])

    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(part.register_forward_hook(keep))
        logits_of(model, input_ids)
    return seen


def logits_of(model, input_ids: torch.Tensor) -> torch.Tensor:
    """Return the logits of either kind of model, (batch, seq, vocab)."""
    check_ids(model, input_ids)
    output = model(input_ids)
    return getattr(output, "logits", output)


def body(model) -> nn.Module:
    """Return what holds the blocks ``h`` and the norm ``ln_f``; ValueError if none."""
    inside = getattr(model, "transformer", model)
    blocks = getattr(inside, "h", None)
    if not blocks:
        raise ValueError(f"a GPT-2 with blocks is needed, not {type(model).__name__}")
    if not isinstance(getattr(blocks[0].attn, "c_proj", None), nn.Module):
        raise ValueError("a packed engine cannot be looked into: give GPT2.from_hf(…)")
    return inside


def check_heads(model, heads: Iterable[Head]) -> list[Head]:
    """Return the heads as a list; raise ValueError for one that is not there."""
    heads, last_head = list(heads), model.config.n_head - 1
    last = len(body(model).h) - 1
    if not all(isinstance(head, (tuple, list)) and len(head) == 2 for head in heads):
        raise ValueError(f"expected heads as a list of (layer, head), got {heads}")
    for layer, head in heads:
        expect("layer", layer, whole(last, least=0), f"a layer from 0 to {last}")
        expect("head", head, whole(last_head, least=0), f"a head from 0 to {last_head}")
    return heads


def check_places(name: str, places, size: int) -> torch.Tensor:
    """Return places as a tensor of ints; ValueError unless all are 0 … size - 1."""
    try:
        index = torch.as_tensor(places)  # bools and fractions are no places
    except (TypeError, ValueError, RuntimeError):
        index = torch.tensor(0.0)
    whole = index.dtype in INTEGERS and index.dim() == 1 and len(index) > 0
    if not whole or index.min() < 0 or index.max() >= size:
        raise ValueError(f"{name} are {places}, expected some of 0 … {size - 1}")
    return index
