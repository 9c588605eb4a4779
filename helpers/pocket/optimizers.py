"""The optimizers of pretraining: Muon inside the blocks, AdamW for the rest."""

import math
from typing import NamedTuple

import torch


class Matrix(NamedTuple):
    """A matrix for Muon: a weight of a block, or the query, key or value part of one.

    Together, the values' large gradients would leave next to nothing to queries, keys.
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
    model, matrices: list[Matrix], *, muon: float, adamw: float, precision: torch.dtype
) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the blocks, AdamW for everything else."""
    inside = {id(matrix.weight) for matrix in matrices}
    others = [p for p in model.parameters() if id(p) not in inside]
    first = Muon([matrix.part for matrix in matrices], lr=muon, precision=precision)
    second = torch.optim.AdamW(others, lr=adamw, betas=(0.9, 0.95), weight_decay=0.0)
    return [first, second]


class Muon(torch.optim.Optimizer):
    """Momentum whose every update of a matrix is made orthogonal, in ``precision``.

    So all directions of a matrix learn at the same pace (Jordan et al. 2024). In
    bfloat16 it is ``torch.optim.Muon``, which knows no other precision.
    """

    def __init__(self, matrices, *, lr: float, precision: torch.dtype):
        super().__init__(matrices, {"lr": lr, "precision": precision})

    @torch.no_grad()
    def step(self) -> None:
        """Move every matrix, by about as much as AdamW would."""
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                momentum = state.get("momentum", torch.zeros_like(matrix))
                state["momentum"] = momentum = momentum.lerp(matrix.grad, 0.05)
                update = matrix.grad.lerp(momentum, 0.95)  # looks ahead (Nesterov)
                update = orthogonal(update.to(group["precision"]))
                scale = 0.2 * math.sqrt(max(matrix.shape))
                matrix.add_(update, alpha=-group["lr"] * scale)


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """Return the matrix with all singular values near 1, by Newton-Schulz steps."""
    tall = matrix.shape[0] > matrix.shape[1]
    matrix = matrix.T if tall else matrix
    matrix = matrix / matrix.norm().clamp(min=1e-7)
    for _ in range(5):
        gram = matrix @ matrix.T
        gram = torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        matrix = torch.addmm(matrix, gram, matrix, beta=3.4445)
    return matrix.T if tall else matrix


def learning_rate(done: float, warmup: float) -> float:
    """Return the share of the peak rate: up in a line, down in a cosine to zero."""
    if done < warmup:
        return done / warmup
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - warmup) / (1 - warmup))))
