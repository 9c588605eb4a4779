"""Ablation: silence heads while a GPT-2 reads, and see what it costs.

An attention weight is a correlation; this is an experiment. What a head has gathered,
d_head numbers at each position, is changed before the layer's projection reads it.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import torch

from helpers.attention.hooks import Head, body, change_heads, check_heads, record
from helpers.inputs import expect, whole


@contextmanager
def ablate(
    model, heads: Iterable[Head], *, how: str = "zero", reference=None, seed: int = 0
) -> Iterator[None]:
    """Silence heads while this is open; they come back when it is left.

    Args:
        model: a GPT-2 of transformers or the engine.
        heads: which ones, as (layer, head).
        how: ``zero``: they gather nothing. ``mean``: always the same, their mean over
            the reference. ``resample``: what they gathered at a place drawn at random
            from the reference, for each place anew.
        reference: ids (batch, seq) without pads, of texts like those to be read; or
            what ``gathered`` returned for them, to save its time.
        seed: draws the places.

    Source: for ``resample``, Chan et al. 2022, "Causal Scrubbing". Raises ValueError
    for a head that is not there, another way, or no reference.
    """
    heads = check_heads(model, heads)
    if how not in ("zero", "mean", "resample"):
        raise ValueError(f"how is {how!r}, expected one of zero, mean, resample")
    if how != "zero":
        if isinstance(reference, torch.Tensor):
            reference = gathered(model, reference)
        if len(reference or []) != len(body(model).h):
            wanted = "texts to draw from: give reference=input_ids"
            raise ValueError(f"{how} needs {wanted}")
    generator = seeded(seed)

    def silence(layer: int, head: int, values: torch.Tensor) -> torch.Tensor:
        values = values.clone()  # (batch, seq, head, d_head)
        if how == "zero":
            values[:, :, head] = 0
            return values
        there = reference[layer][:, :, head].flatten(0, 1)  # (places, d_head)
        if how == "mean":
            values[:, :, head] = there.mean(dim=0)
        else:
            drawn = torch.randint(len(there), values.shape[:2], generator=generator)
            values[:, :, head] = there[drawn.to(there.device)]
        return values

    with ExitStack() as stack:
        for layer, head in heads:
            change = partial(silence, layer, head)
            stack.enter_context(change_heads(model, layer, change))
        yield


@torch.no_grad()
def gathered(model, input_ids: torch.Tensor) -> list[torch.Tensor]:
    """Return what the heads gather, a (batch, seq, head, d_head) for each layer."""
    merged = record(model, input_ids, [block.attn.c_proj for block in body(model).h])
    return [values.unflatten(-1, (model.config.n_head, -1)) for values in merged]


def seeded(seed: int) -> torch.Generator:
    """Return a new generator; raise ValueError for what is no seed."""
    expect("seed", seed, whole(2**63 - 1, least=0), "a whole number from 0")
    return torch.Generator().manual_seed(seed)
