"""What a suspect is."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from helpers.parity.checkpoints import Values

Operation = Callable[[Values], torch.Tensor]


class Suspect(NamedTuple):
    """A mistake: what is wrong and what to do, and how to make it.

    ``swaps`` are wrong functions by operation; ``order`` tells from the number of
    layers whose weights each layer takes; ``change`` maps every weight to a wrong one.
    """

    cause: str
    swaps: dict[str, Operation] = {}
    order: Callable[[int], list[int]] | None = None
    change: Callable[[torch.Tensor], torch.Tensor] | None = None
