"""Ablation: silence heads while a GPT-2 reads, and see what it costs.

An attention weight is a correlation; this is an experiment. What a head has gathered
stands in its slice of what ``c_proj`` reads, d_head numbers wide; it is changed there.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

import torch

from helpers.attention.hooks import (
    Head,
    body,
    by_head,
    checked,
    projection_input,
    run_with,
)

WAYS = ("zero", "mean", "resample")


@contextmanager
def ablate(
    model,
    heads: Iterable[Head],
    *,
    how: str = "zero",
    reference: torch.Tensor | list[torch.Tensor] | None = None,
    seed: int = 0,
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

    Raises:
        ValueError: for a head that is not there, another way, or no reference.

    Source: for ``resample``, Chan et al. 2022, "Causal Scrubbing".
    """
    heads = checked(model, heads)
    if how not in WAYS:
        raise ValueError(f"how is {how!r}, expected one of {', '.join(WAYS)}")
    if how != "zero" and reference is None:
        raise ValueError(f"{how} needs texts to draw from: give reference=input_ids")
    ids_given = how != "zero" and isinstance(reference, torch.Tensor)
    seen = gathered(model, reference) if ids_given else reference
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
            split = by_head(model, args[0]).clone()  # (batch, seq, head, d_head)
            for head in chosen:
                split[:, :, head] = instead(layer, head, split[:, :, head])
            return (split.flatten(2), *args[1:])

        return hook

    with ExitStack() as stack:
        for layer in {layer for layer, _ in heads}:
            chosen = [head for at, head in heads if at == layer]
            register = projection_input(body(model).h[layer])
            stack.callback(register(silence(layer, chosen)).remove)
        yield


@torch.no_grad()
def gathered(model, input_ids: torch.Tensor) -> list[torch.Tensor]:
    """Return what the heads gather, a (batch, seq, head, d_head) for each layer."""
    found = []

    def keep(part, args):
        found.append(by_head(model, args[0]).detach().clone())

    hooks = {projection_input(block): keep for block in body(model).h}
    run_with(model, input_ids, hooks)
    return found
