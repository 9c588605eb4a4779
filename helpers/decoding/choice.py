"""Pickers: how one token is chosen from the next logits.

A picker is a function ``next_logits (batch, vocab) -> ids (batch,)``.
"""

from collections.abc import Callable

import torch

Picker = Callable[[torch.Tensor], torch.Tensor]  # next_logits to ids (batch,)


def greedy(next_logits: torch.Tensor) -> torch.Tensor:
    """Pick the likeliest token of each row: (batch, vocab) to (batch,)."""
    return next_logits.argmax(dim=-1)


def sample(generator: torch.Generator | int) -> Picker:
    """Return a picker that draws from the distribution; an int is a new seed.

    The picker goes on in its sequence of random numbers from call to call, so the
    same seed gives the same ids only for the same calls in the same order.

    Raises:
        TypeError: for anything else, such as the logits themselves.
    """
    seed = isinstance(generator, int) and not isinstance(generator, bool)
    if not seed and not isinstance(generator, torch.Generator):
        came = type(generator).__name__
        raise TypeError(
            f"sample takes a seed, as sample(0), or a Generator: not {came}"
        )

    def pick(next_logits: torch.Tensor) -> torch.Tensor:
        nonlocal generator
        if isinstance(generator, int):
            generator = torch.Generator(next_logits.device).manual_seed(generator)
        probs = next_logits.softmax(dim=-1).to(generator.device)
        return _draw(probs, generator).to(next_logits.device)

    return pick


def _draw(probs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw one id per row, (batch, vocab) to (batch,), by inverse transform.

    The interval from 0 to 1 is cut into pieces as long as the probabilities, and a
    number drawn from it says which. ``torch.multinomial`` draws a number for every
    token of the vocabulary, which takes ten times as long.
    """
    exact = torch.float32 if probs.device.type == "mps" else torch.float64
    ends = probs.cumsum(dim=-1, dtype=exact)  # where each token's piece ends
    kind = {"dtype": ends.dtype, "device": ends.device}
    place = torch.rand(len(ends), 1, generator=generator, **kind) * ends[:, -1:]
    return torch.searchsorted(ends, place, right=True).squeeze(-1)
