"""Patching: give a GPT-2 a part of what it computed on another text, or cut a line."""

from collections.abc import Iterable

import torch

from helpers.attention.hooks import (
    Head,
    body,
    by_head,
    checked,
    first,
    projection_input,
    run_with,
)
from helpers.attention.weights import attention_weights, projections

PARTS = ("block", "attention", "mlp")


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
    checked(model, [(layer, head or 0)])
    if part not in PARTS:
        raise ValueError(f"part is {part!r}, expected one of {', '.join(PARTS)}")
    places = slice(None) if positions is None else list(positions)
    block, kept = body(model).h[layer], []
    if head is not None:

        def keep(part, args):
            kept.append(by_head(model, args[0]).clone())

        def exchange(part, args):
            split = by_head(model, args[0]).clone()
            split[:, places, head] = kept[0][:, places, head]
            return (split.flatten(2), *args[1:])

        site = projection_input(block)
    else:

        def keep(part, args, output):
            kept.append(first(output).clone())

        def exchange(part, args, output):
            changed = first(output).clone()
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
    [(layer, number)] = checked(model, [head])
    seq = input_ids.shape[-1]
    if not 0 <= key <= query < seq:
        wanted = f"positions with 0 <= key <= query < {seq}"
        raise ValueError(f"query {query} and key {key}: expected {wanted}")
    weight = attention_weights(model, input_ids)[layer, :, number, query, key]
    value = projections(model, input_ids)[2][layer, :, number, key]  # (batch, d_head)

    def subtract(part, args):
        split = by_head(model, args[0]).clone()
        split[:, query, number] -= weight[:, None] * value
        return (split.flatten(2), *args[1:])

    return run_with(
        model, input_ids, {projection_input(body(model).h[layer]): subtract}
    )
