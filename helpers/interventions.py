"""Interventions: change one part of a GPT-2 while it reads, and see what follows.

An attention weight is a correlation; these are the experiments. What a head has
gathered stands, d_head numbers wide, in its slice of what ``c_proj`` reads; hooks
change it there. Both kinds of model work: the library's and the engine.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import nn

from helpers.inputs import check_ids
from helpers.patterns import attention_weights, projections

Head = tuple[int, int]  # (layer, head), both counted from 0
WAYS = ("zero", "mean", "resample")
PARTS = ("block", "attention", "mlp")


@contextmanager
def ablate(
    model,
    heads: Iterable[Head],
    *,
    how: str = "zero",
    reference: torch.Tensor | None = None,
    seed: int = 0,
) -> Iterator[None]:
    """Silence heads while this is open; they come back when it is left.

    Args:
        model: a GPT-2 of transformers or the engine.
        heads: which ones, as (layer, head).
        how: ``zero``: they gather nothing. ``mean``: always the same, their mean over
            the reference. ``resample``: what they gathered at a place drawn at random
            from the reference, for each place anew.
        reference: ids (batch, seq) without pads, of texts like those to be read.
        seed: draws the places.

    Raises:
        ValueError: for a head that is not there, another way, or no reference.

    Source: for ``resample``, Chan et al. 2022, "Causal Scrubbing".
    """
    heads = _checked(model, heads)
    if how not in WAYS:
        raise ValueError(f"how is {how!r}, expected one of {', '.join(WAYS)}")
    if how != "zero" and reference is None:
        raise ValueError(f"{how} needs texts to draw from: give reference=input_ids")
    seen = {} if how == "zero" else gathered(model, reference)
    luck = torch.Generator().manual_seed(seed)

    def instead(layer: int, head: int, now: torch.Tensor) -> torch.Tensor:
        if how == "zero":
            return torch.zeros_like(now)
        known = seen[layer][:, :, head].flatten(0, 1)  # (places, d_head)
        if how == "mean":
            return known.mean(dim=0).expand_as(now)
        drawn = torch.randint(len(known), now.shape[:2], generator=luck)
        return known[drawn.to(known.device)]

    def silence(layer: int, chosen: list[int]) -> Callable:
        def hook(part, args):
            split = _by_head(model, args[0]).clone()  # (batch, seq, head, d_head)
            for head in chosen:
                split[:, :, head] = instead(layer, head, split[:, :, head])
            return (split.flatten(2), *args[1:])

        return hook

    with ExitStack() as stack:
        for layer in {layer for layer, _ in heads}:
            chosen = [head for at, head in heads if at == layer]
            part = body(model).h[layer].attn.c_proj
            stack.callback(
                part.register_forward_pre_hook(silence(layer, chosen)).remove
            )
        yield


@torch.no_grad()
def gathered(model, input_ids: torch.Tensor) -> list[torch.Tensor]:
    """Return what the heads gather, a (batch, seq, head, d_head) for each layer."""
    found = []

    def keep(part, args):
        found.append(_by_head(model, args[0]).detach().clone())

    run_with(model, input_ids, {_projection(block): keep for block in body(model).h})
    return found


@torch.no_grad()
def patch(
    model,
    input_ids: torch.Tensor,
    source_ids: torch.Tensor,
    *,
    layer: int,
    part: str = "block",
    head: int | None = None,
    positions: Iterable[int] | None = None,
) -> torch.Tensor:
    """Return the logits of one text with a part's output taken from another text.

    Args:
        model: a GPT-2 of transformers or the engine.
        input_ids: (batch, seq), the text that is read.
        source_ids: (batch, seq), the text from which the part's output comes.
        layer: of the part.
        part: ``block`` (the stream behind the layer), ``attention`` or ``mlp`` (what
            one of them adds to the stream).
        head: one head of the attention, in place of the whole part.
        positions: where; None is everywhere.

    Returns:
        (batch, seq, vocab).

    Raises:
        ValueError: for a part that is not there, or texts of different shapes.

    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT".
    """
    if input_ids.shape != source_ids.shape:
        shapes = f"{tuple(source_ids.shape)} beside {tuple(input_ids.shape)}"
        raise ValueError(f"source_ids has another shape than input_ids: {shapes}")
    _checked(model, [(layer, head or 0)])
    if part not in PARTS:
        raise ValueError(f"part is {part!r}, expected one of {', '.join(PARTS)}")
    places = slice(None) if positions is None else list(positions)
    block, kept = body(model).h[layer], []
    if head is not None:

        def keep(part, args):
            kept.append(_by_head(model, args[0]).clone())

        def exchange(part, args):
            split = _by_head(model, args[0]).clone()
            split[:, places, head] = kept[0][:, places, head]
            return (split.flatten(2), *args[1:])

        site = _projection(block)
    else:

        def keep(part, args, output):
            kept.append(_first(output).clone())

        def exchange(part, args, output):
            changed = _first(output).clone()
            changed[:, places] = kept[0][:, places]
            is_tuple = isinstance(output, tuple)
            return (changed, *output[1:]) if is_tuple else changed

        module = {"block": block, "attention": block.attn, "mlp": block.mlp}[part]
        site = module.register_forward_hook
    run_with(model, source_ids, {site: keep})
    return run_with(model, input_ids, {site: exchange})


@torch.no_grad()
def cut(
    model, input_ids: torch.Tensor, head: Head, *, query: int, key: int
) -> torch.Tensor:
    """Return the logits when one position gets nothing from another, in one head.

    The weight is set to 0 behind the softmax and the others stay as they are, so
    exactly what flowed along this one line of a picture is missing.

    Args:
        model: a GPT-2 of transformers.
        input_ids: (batch, seq).
        head: (layer, head).
        query: the position that looks.
        key: the one it looks at.

    Returns:
        (batch, seq, vocab).

    Raises:
        ValueError: for a head that is not there, or a key behind its query.
    """
    [(layer, number)] = _checked(model, [head])
    seq = input_ids.shape[-1]
    if not 0 <= key <= query < seq:
        wanted = f"positions with 0 <= key <= query < {seq}"
        raise ValueError(f"query {query} and key {key}: expected {wanted}")
    weight = attention_weights(model, input_ids)[layer, :, number, query, key]
    value = projections(model, input_ids)[2][layer, :, number, key]  # (batch, d_head)

    def subtract(part, args):
        split = _by_head(model, args[0]).clone()
        split[:, query, number] -= weight[:, None] * value
        return (split.flatten(2), *args[1:])

    return run_with(model, input_ids, {_projection(body(model).h[layer]): subtract})


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


def _projection(block: nn.Module) -> Callable:
    """Return what registers a hook on the input of a block's attention projection."""
    return block.attn.c_proj.register_forward_pre_hook


def _by_head(model, merged: torch.Tensor) -> torch.Tensor:
    """Split (batch, seq, d_model) into (batch, seq, head, d_head)."""
    return merged.unflatten(-1, (model.config.n_head, -1))


def _first(output):
    """Return a part's output, which some parts give in a tuple."""
    return output[0] if isinstance(output, tuple) else output


def _checked(model, heads: Iterable[Head]) -> list[Head]:
    layers, n_head = len(body(model).h), model.config.n_head
    heads = [tuple(head) for head in heads]
    for layer, head in heads:
        if not (0 <= layer < layers and 0 <= head < n_head):
            there = f"layers 0 … {layers - 1} with heads 0 … {n_head - 1}"
            raise ValueError(f"no head {head} in a layer {layer}: there are {there}")
    return heads
