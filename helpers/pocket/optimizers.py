"""The optimizers of pretraining: Muon inside the blocks, AdamW for the rest."""

import math

import torch


def optimizers(
    model, *, muon: float, adamw: float, precision: torch.dtype
) -> list[torch.optim.Optimizer]:
    """Return Muon for the matrices inside the blocks, AdamW for everything else."""
    blocks = model.transformer.h.named_parameters()
    inside = {name: weight for name, weight in blocks if weight.ndim == 2}
    groups = [
        {"params": [w for n, w in inside.items() if "c_attn" not in n], "parts": 1},
        {"params": [w for n, w in inside.items() if "c_attn" in n], "parts": 3},
    ]
    taken = set(map(id, inside.values()))
    others = [p for p in model.parameters() if id(p) not in taken]
    second = torch.optim.AdamW(others, lr=adamw, betas=(0.9, 0.95), weight_decay=0.0)
    return [Muon(groups, lr=muon, precision=precision), second]


class Muon(torch.optim.Optimizer):
    """Momentum whose every update of a matrix is made orthogonal, in ``precision``.

    So all directions of a matrix learn at the same pace (Jordan et al. 2024). In
    bfloat16 it is ``torch.optim.Muon``, which knows no other precision. A group of
    weights (in, out) may say how many ``parts`` lie side by side in each: query, key
    and value together would leave next to nothing to the first two.
    """

    def __init__(self, weights, *, lr: float, precision: torch.dtype):
        super().__init__(weights, {"lr": lr, "precision": precision, "parts": 1})

    @torch.no_grad()
    def step(self) -> None:
        """Move every matrix, by about as much as AdamW would."""
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                momentum = state.get("momentum", torch.zeros_like(weight))
                state["momentum"] = momentum = momentum.lerp(weight.grad, 0.05)
                ahead = weight.grad.lerp(momentum, 0.95)  # Nesterov
                parts = (both.chunk(group["parts"], dim=1) for both in (weight, ahead))
                for matrix, update in zip(*parts, strict=True):
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
