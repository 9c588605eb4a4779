"""LoRA: a layer learns by two thin matrices beside its own, which stay as they are.

Hu et al. 2021, *LoRA: Low-Rank Adaptation of Large Language Models*.
"""

import math

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

LAYERS = ("c_attn", "c_proj", "c_fc")  # the matrices of a GPT-2's blocks


class LoRA(nn.Module):
    """A layer x ↦ x W + b that learns as x (W + (alpha / rank) A B) + b."""

    def __init__(self, layer: Conv1D, rank: int, alpha: float):
        super().__init__()
        n_in, n_out = layer.weight.shape
        if not 1 <= rank <= min(n_in, n_out):
            most = min(n_in, n_out)
            raise ValueError(
                f"rank is {rank}, expected a whole number from 1 to {most}"
            )
        self.layer, self.scale = layer.requires_grad_(False), alpha / rank
        spread = 1 / math.sqrt(n_in)
        self.A = nn.Parameter(torch.empty(n_in, rank).uniform_(-spread, spread))
        self.B = nn.Parameter(torch.zeros(rank, n_out))  # so that it begins as it was

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (…, n_in) to (…, n_out)
        """Return what the layer says, and what was learned beside it."""
        return self.layer(x) + self.scale * (x @ self.A) @ self.B

    def merged(self) -> Conv1D:
        """Return the layer with what was learned added to its weights."""
        with torch.no_grad():
            self.layer.weight += self.scale * self.A @ self.B
        return self.layer.requires_grad_()


def add_lora(model, *, rank: int = 8, alpha: float = 16, layers=LAYERS):
    """Freeze a GPT-2 and put a ``LoRA`` around each of its named layers; return it."""
    model.requires_grad_(False)
    return _replaced(model, layers, Conv1D, lambda layer: LoRA(layer, rank, alpha))


def merge_lora(model):
    """Turn a model with ``LoRA`` into a plain GPT-2 that computes the same."""
    return _replaced(model, LAYERS, LoRA, LoRA.merged).requires_grad_()


def _replaced(model, layers, kind: type, new):
    """Put ``new(layer)`` in place of each layer of a kind and a name."""
    found = [name for name, part in model.named_modules() if isinstance(part, kind)]
    found = [name for name in found if name.split(".")[-1] in layers]
    if not found:
        raise ValueError(
            f"no {kind.__name__} of the model is named {', '.join(layers)}"
        )
    for name in found:
        parent, _, last = name.rpartition(".")
        setattr(model.get_submodule(parent), last, new(model.get_submodule(name)))
    return model
