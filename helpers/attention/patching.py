"""Patching: give a GPT-2 a part of what it computed on another text."""

from functools import partial

import torch

from helpers.attention import hooks
from helpers.inputs import check_ids


@torch.no_grad()
def patch(
    model, input_ids, source_ids, *, layer: int, part=None, head=None, positions=None
) -> torch.Tensor:
    """Return the logits, (batch, seq, vocab), with a part taken from another text.

    Args:
        model: a GPT-2 of transformers or the engine.
        input_ids: (batch, seq), the text that is read.
        source_ids: (batch, seq), the text from which the part's output comes.
        layer: of the part.
        part: ``block`` (the stream behind the layer, the default), ``attention`` or
            ``mlp`` (what one of them adds to the stream).
        head: one head of the attention, in place of the whole part.
        positions: where; None is everywhere.

    Source: Meng et al. 2022, "Locating and Editing Factual Associations in GPT".
    Raises ValueError for a part that is not there, or texts of different shapes.
    """
    check_ids(model, input_ids)
    check_ids(model, source_ids)
    if input_ids.shape != source_ids.shape:
        shapes = f"{tuple(source_ids.shape)} beside {tuple(input_ids.shape)}"
        raise ValueError(f"source_ids has another shape than input_ids: {shapes}")
    site = _site(model, layer, part, head)
    seq = input_ids.shape[1]
    at = range(seq) if positions is None else positions
    at = hooks.check_places("positions", at, seq)
    # Values are (batch, seq, d_model) or, for a head, (batch, seq, head, d_head).
    place = (slice(None), at) if head is None else (slice(None), at, head)
    source = []

    def put(value):
        if not source:  # the first text that is read is the source
            source.append(value.clone())
            return value
        value = value.clone()
        value[place] = source[0][place]
        return value

    with site(put):
        hooks.logits_of(model, source_ids)
        return hooks.logits_of(model, input_ids)


def _site(model, layer: int, part: str | None, head: int | None):
    """Return the function that puts a change where the part computes."""
    hooks.check_heads(model, [(layer, 0 if head is None else head)])
    block = hooks.body(model).h[layer]
    parts = {"block": block, "attention": block.attn, "mlp": block.mlp}
    if part not in (None, *parts):
        raise ValueError(f"part is {part!r}, expected one of {', '.join(parts)}")
    if head is None:
        return partial(hooks.change_output, parts[part or "block"])
    if part not in (None, "attention"):
        raise ValueError(f"part is {part!r}, but a head belongs to the attention")
    return partial(hooks.change_heads, model, layer)
