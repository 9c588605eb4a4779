"""The parts of the lesson's block, small and random, for the checks of day 8."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D


def _linear(inputs: int, outputs: int) -> Conv1D:
    part = Conv1D(outputs, inputs)
    nn.init.normal_(part.weight, std=1.5 / math.sqrt(inputs))
    nn.init.normal_(part.bias, std=0.3)
    return part


def _norm(d: int) -> nn.LayerNorm:
    norm = nn.LayerNorm(d)
    nn.init.normal_(norm.weight, mean=1, std=0.3)
    nn.init.normal_(norm.bias, std=0.3)
    return norm


class Attention(nn.Module):
    """The lesson's attention; its parts may be used one by one."""

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.heads, self.c_attn, self.c_proj = heads, _linear(d, 3 * d), _linear(d, d)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """Cut (batch, seq, d_model) into (batch, head, seq, d_head)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def attend(self, query, key, value) -> torch.Tensor:
        """Gather values, head by head, from what each position may see."""
        return F.scaled_dot_product_attention(query, key, value, is_causal=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, d_model) to the same."""
        query, key, value = map(self.split, self.c_attn(x).chunk(3, dim=-1))
        return self.c_proj(self.attend(query, key, value).transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """The lesson's feed-forward."""

    def __init__(self, d: int):
        super().__init__()
        self.c_fc, self.c_proj = _linear(d, 4 * d), _linear(4 * d, d)

    def bend(self, x: torch.Tensor) -> torch.Tensor:
        """Apply GPT-2's GELU."""
        return F.gelu(x, approximate="tanh")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, d_model) to the same."""
        return self.c_proj(self.bend(self.c_fc(x)))


class Parts(nn.Module):
    """A block's parts, without the block that would put them together."""

    def __init__(self, d: int, heads: int):
        super().__init__()
        self.ln_1, self.attn = _norm(d), Attention(d, heads)
        self.ln_2, self.mlp = _norm(d), FeedForward(d)

    def forward(self, *args, **options):
        """Refuse: this is the exercise."""
        raise AssertionError("block(x) is what you are writing: it would call itself")
