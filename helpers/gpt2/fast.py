"""The engine's fast forms: matrices as the processor likes them, and a cache.

``pack`` lays each matrix out in the small blocks that a matrix kernel reads, one behind
the other, which costs a second copy and saves their reordering at every token.
``quantize`` stores a byte for each weight. Both are for reading and writing texts: the
copies do not follow when the engine is trained. Decoding reads with ``FastCache``.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from helpers.gpt2.cache import Cache
from helpers.gpt2.model import GPT2, Projection
from helpers.inputs import check_within

ROWS = 8  # oneDNN's blocks are chosen for so many rows, and serve any number


def pack(engine: GPT2) -> GPT2:
    """Return an engine with the same logits, faster on a CPU with oneDNN.

    It takes the memory of the matrices once more, in float32 of the head's twice. Where
    there is no oneDNN, or the weights are elsewhere than on a CPU, the engine itself is
    returned. Raises TypeError for what is no engine with plain matrices.
    """
    _check("pack", engine)
    return replace_matrices(engine, PackedMatrix) if supported(engine) else engine


def quantize(engine: GPT2) -> GPT2:
    """Return an engine with int8 matrices, for inference on a CPU.

    Embeddings, norms and biases stay in float32 and are shared with the engine. Raises
    TypeError for what is no engine with plain matrices, ValueError for weights that are
    not finite, or not float32 on a CPU.
    """
    _check("quantize", engine)
    weight = engine.wte.weight
    if weight.dtype != torch.float32 or weight.device.type != "cpu":
        kind = f"{weight.dtype} on {weight.device}"
        raise ValueError(f"quantize takes float32 weights on the CPU, got {kind}")
    return replace_matrices(engine, Int8Matrix)


class PackedGPT2(GPT2):
    """An engine for inference, with its head as a matrix of its own."""

    def head(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, d_model) to logits (batch, seq, vocab) in float32."""
        return self.unembed(hidden).float()


class PackedMatrix:
    """x W + b with W in oneDNN's blocks, from W (in, out) in any layout."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None):
        rows = weight.t().contiguous()  # (out, in), as oneDNN expects it
        self.packed = torch.ops.mkldnn._reorder_linear_weight(rows, ROWS)
        # In float32 a single row goes faster through W as it is, in rows of outputs.
        plain = weight.dtype == torch.float32
        self.weight = weight.contiguous().t() if plain else None  # (out, in)
        self.bias = bias
        # What torch.compile calls too; a PyTorch without oneDNN lacks it.
        self.linear = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, in) to (batch, seq, out)."""
        if self.weight is not None and x.shape[0] * x.shape[1] == 1:
            return F.linear(x, self.weight, self.bias)
        return self.linear(x, self.packed, self.bias, "none", [], "")


class Int8Matrix:
    """x W + b with W in int8, from W (in, out) in float32.

    W[i, j] is about rows[j, i] * scale[j], off by half a scale at most, with scale[j] =
    max |W[:, j]| / 127. What is multiplied with it is rounded too, at that moment, each
    token's numbers with a scale of their own; products of whole numbers sum exactly.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None):
        if not weight.isfinite().all():
            raise ValueError("quantize takes finite weights, some are infinite or NaN")
        self.rows, scale = to_int8(weight.t().contiguous())  # (out, in), (out, 1)
        self.scale, self.bias = scale.t().contiguous(), bias  # (1, out), (out,)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Map (batch, seq, in) to (batch, seq, out)."""
        numbers, scale = to_int8(x.flatten(0, 1))  # (batch * seq, in), (…, 1)
        sums = torch._int_mm(numbers, self.rows.t())  # (batch * seq, out), int32
        y = sums * self.scale  # (batch * seq, out), float32
        y = y * scale if self.bias is None else torch.addcmul(self.bias, y, scale)
        return y.unflatten(0, x.shape[:2])


def to_int8(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return whole numbers, int8, for (rows, columns), and a scale for each row.

    Their product differs from ``x`` by half a scale (rows, 1) at most. The scale of a
    row that is not finite is not finite either: nothing made of it passes for right.
    """
    scale = x.abs().amax(dim=1, keepdim=True).clamp(min=1e-30) / 127  # not 0 / 0
    return (x / scale).round_().to(torch.int8), scale


class FastCache(Cache):
    """A cache that copies only what differs when rows are selected.

    Two rows that come from one row are alike up to there, as the beams of a search
    mostly are. ``alike`` says how many first tokens each two rows have in common; rows
    that stay, and what all that move have in common, are not copied.
    """

    def __init__(self, model, batch: int, room: int):
        super().__init__(model, batch, room)
        self._hold(self.memory)
        self.alike = torch.zeros(batch, batch, dtype=torch.long, device=model.device)

    def _hold(self, memory: torch.Tensor) -> None:
        """Take (layer, key or value, batch, head, room, d_head), and cut it up once."""
        self.memory, self.batch = memory, memory.shape[2]
        self.keys, self.values = memory[:, 0].unbind(), memory[:, 1].unbind()

    def append(self, layer: int, key: torch.Tensor, value: torch.Tensor):
        """Write (batch, head, seq, d_head) behind what is there; return all so far."""
        keys, values, seq = self.keys[layer], self.values[layer], key.shape[2]
        keys.narrow(2, self.length, seq).copy_(key)  # cheaper than slices in brackets
        values.narrow(2, self.length, seq).copy_(value)
        end = self.length + seq
        return keys.narrow(2, 0, end), values.narrow(2, 0, end)

    def select(self, rows: torch.Tensor) -> None:
        """Go on with these rows of the batch, in this order; a row may come twice."""
        check_within("row", rows, "the batch", self.batch)
        self.alike.fill_diagonal_(self.length)
        if len(rows) != self.batch:
            self._hold(self.memory.index_select(2, rows))
        else:
            common = self.alike.gather(1, rows[:, None]).flatten()  # (batch,), tokens
            moves = (common < self.length).nonzero().flatten()  # rows that change
            if len(moves):
                start = common.min().item()
                behind = self.memory.narrow(4, start, self.length - start)
                behind.index_copy_(2, moves, behind.index_select(2, rows[moves]))
        self.alike = self.alike[rows][:, rows]  # (batch, batch), tokens


def supported(engine: GPT2) -> bool:
    """Whether oneDNN can multiply with this engine's weights on this computer."""
    here = torch.backends.mkldnn.is_available() and engine.device.type == "cpu"
    if not here or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return False
    dtype = engine.wte.weight.dtype
    half = dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return half or dtype == torch.float32


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
            if isinstance(old, (Projection, nn.LayerNorm)):
                weights = {"weight": old.weight.data, "bias": old.bias.data}
                delattr(part, name)  # or a plain function is refused there
            if isinstance(old, Projection):
                setattr(part, name, kind(*weights.values()))
            if isinstance(old, nn.LayerNorm):
                weights |= {"normalized_shape": old.normalized_shape, "eps": old.eps}
                setattr(part, name, partial(torch.layer_norm, **weights))
    new.unembed = kind(new.wte.weight.data.t(), None)
    return new.eval()


def _check(name: str, engine) -> None:
    if not isinstance(engine, GPT2) or isinstance(engine, PackedGPT2):
        kind = type(engine).__name__
        raise TypeError(f"{name} takes what GPT2.from_hf(model) returns, got {kind}")
