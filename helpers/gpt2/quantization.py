"""Weights of one byte each: the engine in a quarter of the memory, and faster.

A matrix W (in, out) becomes whole numbers from -127 to 127, stored as rows, one for
each output, and one scale for each row: W[i, j] is about rows[j, i] * scale[j]. With
scale[j] = max |W[:, j]| / 127, no weight is off by more than half a scale.

What is multiplied with it is rounded to eight bits too, at that moment, each token's
numbers with a scale of their own. Products of whole numbers are summed exactly.
"""

import torch

from helpers.gpt2.model import GPT2
from helpers.gpt2.packing import replace_matrices


def quantize(engine: GPT2) -> GPT2:
    """Return an engine with int8 matrices, for inference on a CPU.

    Embeddings, norms and biases stay in float32 and are shared with the engine. It
    does not follow when the engine it came from is trained.

    Raises:
        ValueError: for an engine whose weights are not float32 on a CPU.
    """
    weight = engine.wte.weight
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        kind = f"{weight.dtype} on {weight.device}"
        raise ValueError(f"quantize takes float32 weights on the CPU, got {kind}")
    return replace_matrices(engine, Int8Matrix)


def to_int8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Round each row to whole numbers times a scale of its own.

    Args:
        x: (rows, columns), float32.

    Returns:
        The numbers (rows, columns), int8, and the scales (rows, 1): their product
        differs from ``x`` by half a scale at most.
    """
    scale = x.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / 127  # not 0 / 0
    return (x / scale).round_().to(torch.int8), scale


class Int8Matrix:
    """x W + b with W in int8, from W (in, out) in float32."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None):
        self.rows, scale = to_int8(weight.t().contiguous())  # (out, in)
        self.scale, self.bias = scale.t().contiguous(), bias  # (1, out), (out,)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, in) to (batch, seq, out)."""
        numbers, scale = to_int8(x.flatten(0, 1))
        sums = torch._int_mm(numbers, self.rows.t())  # (batch * seq, out), int32
        y = sums * self.scale
        y = y * scale if self.bias is None else torch.addcmul(self.bias, y, scale)
        return y.unflatten(0, x.shape[:2])
