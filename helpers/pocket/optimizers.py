"""The optimizers of pretraining: Muon inside the blocks, AdamW for the rest.

Muon (Jordan et al. 2024, as in ``torch.optim.Muon``) makes each update of a matrix
orthogonal, so that all its directions learn at the same pace.
"""

import math
from typing import NamedTuple

import torch


class Matrix(NamedTuple):
    """A matrix for Muon: a weight of a block, or the query, key or value part of one.

    Orthogonalised together, the large gradients of the values would leave next to
    nothing for queries and keys.
    """

    part: torch.nn.Parameter  # shares its memory with the weight
    weight: torch.nn.Parameter
    columns: slice

    def take_gradient(self) -> None:
        """Give the part its share of the weight's gradient."""
        self.part.grad = self.weight.grad[:, self.columns]


def block_matrices(model) -> list[Matrix]:
    """Return the matrices inside the blocks, ``c_attn`` in its three parts."""
    found = []
    for name, weight in model.transformer.h.named_parameters():
        if weight.ndim == 2:
            width = weight.shape[1] // (3 if "c_attn" in name else 1)
            for start in range(0, weight.shape[1], width):
                columns = slice(start, start + width)
                part = torch.nn.Parameter(weight.data[:, columns])
                found.append(Matrix(part, weight, columns))
    return found


def optimizers(
    model, matrices: list[Matrix], *, muon: float, adamw: float
) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the blocks, AdamW for everything else."""
    inside = {id(matrix.weight) for matrix in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    first = torch.optim.Muon(
        [matrix.part for matrix in matrices],
        lr=muon,
        weight_decay=0.0,
        adjust_lr_fn="match_rms_adamw",
    )
    second = torch.optim.AdamW(others, lr=adamw, betas=(0.9, 0.95), weight_decay=0.0)
    return [first, second]


def learning_rate(done: float, warmup: float) -> float:
    """Return the share of the peak rate: up in a line, down in a cosine to zero."""
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / (1 - warmup))))
