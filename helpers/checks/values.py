"""Answers as values: of which kind, how equal, how shown in one line."""

import math
import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AnySet
from numbers import Integral, Real

import numpy as np
import torch

LISTS = (list, tuple)


def kind(value) -> str:
    """Say what a value is, as a message does; of a tensor its shape as well."""
    value = plain(value)
    names = {bool: "True or False", str: "a string", torch.Tensor: "a tensor"}
    names |= {Integral: "a whole number", Real: "a number", Mapping: "a dict"}
    names |= {list: "a list", tuple: "a tuple", AnySet: "a set", type(None): "None"}
    for family, name in names.items():
        if isinstance(value, family):
            shape = f" of shape {tuple(value.shape)}" if family is torch.Tensor else ""
            return name + shape
    return f"an object of type {type(value).__name__}"


def form(value, expected) -> str | None:
    """Return what is wrong with a value's type or shape, not with its contents."""
    value, expected = plain(value), plain(expected)
    kinds = kind(expected), kind(value)
    if kinds not in {(kinds[0],) * 2, ("a number", "a whole number")}:
        shown = (
            "" if kinds[1] == "None" or "tensor" in kinds[1] else f", {short(value)}"
        )
        return f"expected {kinds[0]}, got {kinds[1]}{shown}"
    if isinstance(expected, torch.Tensor):
        types = _numbers(expected), _numbers(value)
        if types[0] != types[1] and types != ("real numbers", "whole numbers"):
            return f"expected a tensor of {types[0]}, got {value.dtype}"
    pairs = list(_pairs(value, expected))
    if isinstance(expected, LISTS) and len(value) != len(expected):
        if any(isinstance(item, (*LISTS, torch.Tensor)) for item in expected[:1]):
            return f"expected {kinds[0]} of {len(expected)}, got {len(value)} in it"
    problems = (form(*pair) for pair in pairs)
    return next((f"in {kinds[0]}: {found}" for found in problems if found), None)


def _pairs(value, expected) -> Iterator[tuple]:
    """Items of a value, each with an expected one of the kind that it should have."""
    if isinstance(expected, Mapping):
        yield from _pairs(list(value), list(expected))
        value, expected = list(value.values()), list(expected.values())
    if isinstance(expected, (*LISTS, AnySet)) and expected:
        model = list(expected)
        model += model[:1] * (len(value) - len(model))
        yield from zip(value, model, strict=False)


def same(value, expected, *, atol: float = 1e-5) -> bool:
    """Say whether two values are equal, real numbers up to rounding."""
    value, expected = plain(value), plain(expected)
    if isinstance(expected, torch.Tensor):
        if not isinstance(value, torch.Tensor) or value.shape != expected.shape:
            return False
        value, expected = value.double(), expected.double()
        return torch.allclose(value, expected, rtol=1e-4, atol=atol, equal_nan=True)
    if kind(expected) == "a number" and isinstance(value, Real):
        close = math.isclose(value, expected, rel_tol=1e-4, abs_tol=atol)
        return close or (math.isnan(value) and math.isnan(expected))
    if isinstance(expected, LISTS) and isinstance(value, LISTS):
        pairs = zip(value, expected, strict=False)
        return len(value) == len(expected) and all(same(*p, atol=atol) for p in pairs)
    if isinstance(expected, Mapping) and isinstance(value, Mapping):
        return set(value) == set(expected) and all(
            same(value[key], expected[key], atol=atol) for key in expected
        )
    if type(expected).__eq__ is object.__eq__:  # it equals itself only, not its copy
        return type(value) is type(expected)
    return bool(kind(value) == kind(expected) and value == expected)


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


def parts(value) -> Iterator:
    """Yield a value's lists, dicts, sets and tensors, itself included."""
    if isinstance(value, (list, dict, set, torch.Tensor)):
        yield value
    if isinstance(value, (dict, *LISTS)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from parts(item)


def difference(expected, value) -> str:
    """Show what was expected and what came, with as many digits as tell them apart."""
    expected, value, place = plain(expected), plain(value), ""
    if isinstance(expected, torch.Tensor) and expected.numel() > 8:
        wrong = ~torch.isclose(value.double(), expected.double(), rtol=1e-4, atol=1e-5)
        index = (
            tuple(wrong.nonzero()[0].tolist()) if wrong.any() else (0,) * wrong.dim()
        )
        expected, value = expected[index].item(), value[index].item()
        place = f"at {index} "
    for digits in range(4, 17):
        shown = short(expected, digits), short(value, digits)
        if shown[0] != shown[1]:
            break
    return f"{place}expected {shown[0]}, got {shown[1]}"


def short(value, digits: int = 4) -> str:
    """Write a value in at most 100 characters."""
    value = value if isinstance(value, torch.nn.Module) else plain(value)
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, torch.Tensor):
        if value.numel() > 8:
            return f"<{kind(value)}>"
        value = value.tolist()
    if type(value) in LISTS:
        inside = ", ".join(short(item, digits) for item in value)
        comma = "," if type(value) is tuple and len(value) == 1 else ""
        text = f"[{inside}]" if type(value) is list else f"({inside}{comma})"
    elif isinstance(value, (str, int, dict, set, type(None), torch.dtype)):
        text = repr(value)
    else:
        text = getattr(value, "__name__", type(value).__name__)
    text = re.sub(r"\s+", " ", text)
    return text if len(text) <= 100 else text[:97] + "…"


def _numbers(tensor: torch.Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "True and False"
    return "real numbers" if tensor.is_floating_point() else "whole numbers"
