"""A model run while every tensor that its operations touch is recorded."""

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from itertools import permutations
from typing import NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TOLERANCE = 1e-4  # relative to a tensor's mean size and to each number
HIDDEN, NOT_A_NUMBER = -1e4, 1e4  # stand for minus infinity and for NaN


class Recording:
    """Tensors, found again in any order of their axes.

    Args:
        sizes: numbers of elements worth keeping; other tensors are passed over.
    """

    def __init__(self, sizes: set[int]):
        self.sizes, self.prints = sizes, set()
        self.tensors = defaultdict(list)  # by number of elements: (tensor, mean)

    def add(self, tensor: torch.Tensor) -> None:
        """Keep a copy, unless it is no wanted size or was kept before."""
        if tensor.numel() not in self.sizes or not tensor.is_floating_point():
            return
        copy = plain(tensor.detach())
        print_ = (copy.shape, (copy.flatten().double() @ _ramp(copy.numel())).item())
        if print_ not in self.prints:
            self.prints.add(print_)
            self.tensors[copy.numel()].append((copy.clone(), copy.mean().item()))

    def holds(self, value: torch.Tensor) -> bool:
        """Tell whether a value was recorded: whole, or head by head, or row by row."""
        if self._find(plain(value)):
            return True
        axes = [1] if value.dim() == 4 and value.shape[1] > 1 else []
        axes += [0] if value.dim() > 2 and len(value) > 1 else []
        return any(all(map(self.holds, value.split(1, dim=axis))) for axis in axes)

    def shaped(self, value: torch.Tensor) -> list[torch.Tensor]:
        """Return the recorded tensors with these axes, in any order, put in order."""
        places = torch.arange(value.numel()).view(value.shape).squeeze()
        return [
            tensor.flatten()[layout.flatten().argsort()].view(places.shape)
            for layout in _layouts(places)
            for tensor, _ in self.tensors[value.numel()]
            if tensor.shape == layout.shape
        ]

    def _find(self, value: torch.Tensor) -> bool:
        mean, slack = value.mean().item(), 2 * TOLERANCE * value.abs().mean().item()
        tensors = self.tensors[value.numel()]
        near = [tensor for tensor, m in tensors if abs(m - mean) <= slack + 1e-6]
        if not near:
            return False
        room = allowed(value)
        return any(
            tensor.shape == layout.shape
            and bool(((tensor - layout).abs() <= gap).all())
            for layout, gap in zip(_layouts(value), _layouts(room), strict=True)
            for tensor in near
        )


class Recorder(TorchDispatchMode):
    """While it is on, what every operation reads and returns goes to a recording."""

    def __init__(self, recording: Recording):
        super().__init__()
        self.recording = recording

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation; keep its arguments too, since some are changed in place."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, torch.Tensor):
                self.recording.add(tensor)
        return result


class Run(NamedTuple):
    """What a model did: its tensors, then its logits or its error."""

    recording: Recording
    logits: torch.Tensor | None = None
    error: Exception | None = None


def run(model, input_ids: torch.Tensor, shape, *, sizes=frozenset(), seed=None) -> Run:
    """Run a model on (batch, seq) ids; where it refuses (1, seq), on (seq,).

    Random numbers are drawn from the state as it is, or from ``seed``; the state is the
    same afterwards. ``shape`` is that of the logits.
    """
    first = _run(model, input_ids, shape, sizes, seed)
    if first.error is None or len(input_ids) > 1:
        return first
    second = _run(model, input_ids[0], shape, sizes, seed)
    further = len(second.recording.prints) > len(first.recording.prints)
    return second if second.error is None or further else first


@torch.no_grad()
def _run(model, input_ids: torch.Tensor, shape, sizes, seed: int | None) -> Run:
    recording = Recording(sizes)
    try:
        with torch.random.fork_rng(), Recorder(recording):
            if seed is not None:
                torch.manual_seed(seed)
            output = model(input_ids)
    except Exception as error:  # whatever a learner's model may raise
        return Run(recording, error=error)
    return Run(recording, _logits(output, shape))


def _logits(output, shape: torch.Size) -> torch.Tensor:
    """Return (batch, seq, vocab) from a tensor, a tuple, or what has .logits."""
    logits = output[0] if isinstance(output, tuple) else output
    logits = getattr(output, "logits", logits)
    got = tuple(getattr(logits, "shape", ())) or type(logits).__name__
    if got != shape and (1, *got) != shape:
        advice = "logits for every position; build it from reference.config"
        message = f"the model returned {got}, expected {tuple(shape)}"
        raise ValueError(f"{message}: {advice}")
    return logits.detach().to("cpu", torch.float32).reshape(shape)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as float32 on the CPU, finite, without axes of length 1."""
    tensor = tensor.to("cpu", torch.float32).squeeze()
    return tensor.nan_to_num(NOT_A_NUMBER, NOT_A_NUMBER, HIDDEN).clamp(min=HIDDEN)


def allowed(value: torch.Tensor) -> torch.Tensor:
    """Return by how much each number may differ and still count as the same."""
    size = value.abs()
    usual = size[size < NOT_A_NUMBER].mean().nan_to_num(0)
    return TOLERANCE * (size + usual) + 1e-6


@lru_cache(maxsize=64)
def _ramp(size: int) -> torch.Tensor:
    """Return numbers with which a sum tells orders apart."""
    return torch.arange(size, dtype=torch.float64).cos()


def _layouts(value: torch.Tensor) -> Iterator[torch.Tensor]:
    """Yield a tensor in every order of its axes, and with its first two joined."""
    for axes in permutations(range(value.dim())):
        yield value.permute(axes)
    if value.dim() > 2:
        yield value.flatten(0, 1)
        yield value.transpose(0, 1).flatten(0, 1)
