"""The engine's matrices in the order in which the processor multiplies fastest.

A matrix kernel reads its weights in small blocks. Blocks laid one behind the other in
memory beforehand cost a second copy of the weights and save their reordering at every
token. For reading and writing texts, not for training: the copies do not learn.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from helpers.gpt2.model import GPT2, Projection

ROWS = 8  # the blocks are chosen for so many rows, and serve any number


class PackedMatrix:
    """x W + b with W in oneDNN's blocks, from W (in, out) in any layout.

    In float32 a single row goes faster through W as it is, in rows of outputs.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None):
        rows = weight.t().contiguous()  # (out, in), as oneDNN expects it
        self.packed = torch.ops.mkldnn._reorder_linear_weight(rows, ROWS)
        plain = weight.dtype == torch.float32
        self.weight = weight.contiguous().t() if plain else None
        self.bias = bias
        # What torch.compile calls too; a PyTorch without oneDNN lacks it.
        self.linear = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, in) to (batch, seq, out)."""
        if self.weight is not None and x.shape[0] * x.shape[1] == 1:
            return F.linear(x, self.weight, self.bias)
        return self.linear(x, self.packed, self.bias, "none", [], "")


class PackedGPT2(GPT2):
    """An engine for inference, with its head as a matrix of its own."""

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, d_model) to logits (batch, seq, vocab) in float32."""
        return self.unembed(hidden).float()


def pack(engine: GPT2) -> GPT2:
    """Return an engine with the same logits, faster on a CPU with oneDNN.

    It takes the memory of the matrices once more, in float32 of the head's twice, and
    does not follow when the engine it came from is trained. Where there is no oneDNN,
    or the weights are elsewhere than on a CPU, the engine itself is returned.
    """
    if not supported(engine):
        return engine
    return replace_matrices(engine, PackedMatrix)


def supported(engine: GPT2) -> bool:
    """Whether oneDNN can multiply with this engine's weights on this computer."""
    if engine.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    if engine.wte.weight.dtype == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return engine.wte.weight.dtype == torch.float32


def replace_matrices(engine: GPT2, kind: Callable) -> PackedGPT2:
    """Return an engine with ``kind(weight, bias)`` for each matrix, the head's too.

    Embeddings and norms are shared with the engine. A weight is (in, out), the head's
    the transposed token embedding, whose bias is None. Matrices and norms become plain
    functions: at one token a time, calling a module costs as much as a small matrix.
    """
    with torch.device("meta"):
        new = PackedGPT2(engine.config)
    new.load_state_dict(engine.state_dict(), assign=True)
    new.requires_grad_(False)
    for part in list(new.modules()):
        for name, old in list(part.named_children()):
            if isinstance(old, Projection):
                put(part, name, kind(old.weight.data, old.bias.data))
            if isinstance(old, nn.LayerNorm):
                put(part, name, norm(old))
    new.unembed = kind(new.wte.weight.data.t(), None)
    return new.eval()


def norm(old: nn.LayerNorm) -> Callable:
    """Return the function that a layer norm computes."""
    shared = {"weight": old.weight.data, "bias": old.bias.data, "eps": old.eps}
    return partial(torch.layer_norm, normalized_shape=old.normalized_shape, **shared)


def put(part: nn.Module, name: str, function: Callable) -> None:
    """Put a plain function where a module was, which assigning alone refuses."""
    delattr(part, name)
    setattr(part, name, function)
