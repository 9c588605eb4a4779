"""The engine's matrices in the order in which the processor multiplies fastest.

A matrix kernel reads its weights in small blocks. Blocks laid one behind the other in
memory beforehand cost a second copy of the weights and save their reordering at every
token. For reading and writing texts, not for training: the copies do not learn.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from helpers.gpt2 import GPT2

ROWS = 8  # the blocks are chosen for so many rows, and serve any number


class PackedMatrix(nn.Module):
    """x W + b with W in oneDNN's blocks, from W (in, out) in any layout.

    In float32 a single row goes faster through W as it is, in rows of outputs.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None):
        super().__init__()
        rows = weight.detach().t().contiguous()  # (out, in), as oneDNN expects it
        self.packed = torch.ops.mkldnn._reorder_linear_weight(rows, ROWS)
        plain = weight.dtype == torch.float32
        self.weight = weight.detach().contiguous().t() if plain else None
        self.bias = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, in) to (batch, seq, out)."""
        if self.weight is not None and x.shape[:2].numel() == 1:
            return F.linear(x, self.weight, self.bias)
        multiply = torch.ops.mkldnn._linear_pointwise
        return multiply(x, self.packed, self.bias, "none", [], "")


class PackedGPT2(GPT2):
    """An engine for inference, with its head as a matrix of its own."""

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, d_model) to logits (batch, seq, vocab) in float32."""
        return self.unembed(hidden).float()


def pack(engine: GPT2) -> GPT2:
    """Return an engine with the same logits, faster on a CPU with oneDNN.

    It takes the memory of the weights once more, and does not follow when the engine
    it came from is trained. Where there is no oneDNN, or the weights are elsewhere
    than on a CPU, the engine itself is returned.
    """
    half = engine.wte.weight.dtype == torch.bfloat16
    known = torch.backends.mkldnn.is_available() and engine.device.type == "cpu"
    if not known or half and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return engine
    return replace_matrices(engine, PackedMatrix)


def replace_matrices(engine: GPT2, kind: Callable[..., nn.Module]) -> PackedGPT2:
    """Return an engine with ``kind(weight, bias)`` for each matrix, the head's too.

    Embeddings and norms are shared with the engine. A weight is (in, out), the head's
    the transposed token embedding, whose bias is None.
    """
    with torch.device("meta"):
        new = PackedGPT2(engine.config)
    new.load_state_dict(engine.state_dict(), assign=True)
    new.requires_grad_(False)
    for block in new.h:
        for part in (block.attn, block.mlp):
            for name, old in list(part.named_children()):
                setattr(part, name, kind(old.weight, old.bias))
    new.unembed = kind(new.wte.weight.t(), None)
    return new.eval()
