"""Values that come back from an answer: of which kind, how equal, how shown."""

import math
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AnySet
from numbers import Integral, Real

import numpy as np
import torch

KINDS = {bool: "True or False", Integral: "a whole number", Real: "a number"}
KINDS |= {str: "a string", list: "a list", tuple: "a tuple", Mapping: "a dict"}
KINDS |= {AnySet: "a set", type(None): "None"}


def plain(value):
    """Return arrays as tensors, tensors without axes as numbers, models as dicts."""
    if isinstance(value, torch.nn.Module):
        return dict(value.state_dict())
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.as_tensor(value)
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
    single = isinstance(value, torch.Tensor) and value.dim() == 0
    return value.item() if single or isinstance(value, np.generic) else value


def kind(value) -> str:
    """Say what a plain value is; of a tensor what it holds and its shape, too."""
    if isinstance(value, torch.Tensor):
        held = "real" if value.is_floating_point() else "whole"
        held = "True and False" if value.dtype == torch.bool else f"{held} numbers"
        return f"a tensor of {held} of shape {tuple(value.shape)}"
    names = [name for family, name in KINDS.items() if isinstance(value, family)]
    return names[0] if names else f"an object of type {type(value).__name__}"


def form(value, expected) -> str | None:
    """Return what is wrong with a value's type or shape, not with its contents."""
    value, expected = plain(value), plain(expected)
    nested = isinstance(expected, (list, tuple)) and any(
        isinstance(item, (list, tuple, torch.Tensor)) for item in expected
    )
    if nested and isinstance(expected, tuple) and isinstance(value, list):
        value = tuple(value)  # several results
    needed, got = kind(expected), kind(value)
    if got != needed and got.replace("whole ", "") != needed.replace("real ", ""):
        shown = "" if isinstance(value, torch.Tensor) else f", {short(value)}"
        shown = ": is a return missing?" if value is None else shown
        return f"expected {needed}, got {got}{shown}"
    if nested and len(value) != len(expected):
        return f"expected {needed} of {len(expected)}, got one of {len(value)}"
    problems = (form(*pair) for pair in _pairs(value, expected))
    return next((f"in {needed}: {problem}" for problem in problems if problem), None)


def _pairs(value, expected) -> Iterator[tuple]:
    """Items of a value, each with an expected one of the kind that it should have."""
    if isinstance(expected, Mapping):
        yield from _pairs(list(value), list(expected))
        yield from _pairs(list(value.values()), list(expected.values()))
    elif isinstance(expected, (list, tuple, AnySet)) and expected:
        models = list(expected)
        models += models[:1] * (len(value) - len(models))
        yield from zip(value, models, strict=False)


def same(value, expected, *, atol: float = 1e-5) -> bool:
    """Say whether two values are equal, real numbers up to rounding."""
    value, expected = plain(value), plain(expected)
    tensors = isinstance(value, torch.Tensor), isinstance(expected, torch.Tensor)
    if all(tensors) and value.shape == expected.shape:
        value, expected = value.double(), expected.double()
        return torch.allclose(value, expected, rtol=1e-4, atol=atol, equal_nan=True)
    if any(tensors):
        return False
    if isinstance(value, Real) and type(expected) is float:
        close = math.isclose(value, expected, rel_tol=1e-4, abs_tol=atol)
        return close or (math.isnan(value) and math.isnan(expected))
    if isinstance(expected, (list, tuple)) and isinstance(value, (list, tuple)):
        pairs = zip(value, expected, strict=False)
        return len(value) == len(expected) and all(same(*p, atol=atol) for p in pairs)
    if isinstance(expected, Mapping) and isinstance(value, Mapping):
        return value.keys() == expected.keys() and all(
            same(value[key], expected[key], atol=atol) for key in expected
        )
    if type(expected).__eq__ is object.__eq__:  # equals itself only, not its copy
        return type(value) is type(expected)
    return bool(kind(value) == kind(expected) and value == expected)


def difference(expected, value) -> str:
    """Show what was expected and what came, with as many digits as tell them apart."""
    expected, value, place = plain(expected), plain(value), ""
    shapes = [getattr(one, "shape", None) for one in (expected, value)]
    if shapes[0] is not None and shapes[0] == shapes[1] and expected.numel() > 8:
        wrong = ~torch.isclose(value.double(), expected.double(), rtol=1e-4, atol=1e-5)
        index = tuple(wrong.nonzero()[0].tolist()) if wrong.any() else ()
        place = f"at {index} " if index else ""
        expected, value = expected[index], value[index]
    for digits in range(4, 17):
        shown = short(expected, digits), short(value, digits)
        if shown[0] != shown[1]:
            break
    return f"{place}expected {shown[0]}, got {shown[1]}"


def short(value, digits: int = 4) -> str:
    """Write a value in at most 100 characters."""
    value = value if isinstance(value, torch.nn.Module) else plain(value)
    if isinstance(value, torch.Tensor):
        value = value.tolist() if value.numel() <= 8 else f"<{kind(value)}>"
    if type(value) is float:
        text = f"{value:.{digits}g}"
    elif isinstance(value, (list, tuple)):
        text = ", ".join(short(item, digits) for item in value)
        comma = "," if len(value) == 1 else ""
        text = f"[{text}]" if isinstance(value, list) else f"({text}{comma})"
    elif isinstance(value, (str, int, dict, set, type(None), torch.dtype)):
        text = repr(value)
    else:
        text = getattr(value, "__name__", type(value).__name__)
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 100 else f"{text[:97]}…"
