"""Options: names, defaults, ranges; told in one line if wrong. Needs no torch."""

import argparse
import math
import re
import sys
from numbers import Integral, Real
from typing import NamedTuple


class Number(NamedTuple):
    """An option that is a number, from ``least`` to ``most``, both included."""

    kind: type
    least: float
    most: float
    about: str


# The ends lie far outside what is useful; at none of them does float32 overflow.
NUMBERS = {
    "temperature": Number(float, 1e-4, 1e4, "divides the logits; for 0 use greedy"),
    "top_k": Number(int, 1, math.inf, "keep the k likeliest tokens"),
    "top_p": Number(float, 1e-4, 1, "keep this much probability"),
    "min_p": Number(float, 1e-4, 1, "keep this share of the largest probability"),
    "typical_p": Number(float, 1e-4, 1 - 1e-4, "keep this much probability"),
    "num_beams": Number(int, 1, math.inf, "beginnings kept at each step"),
    "length_penalty": Number(float, -10, 10, "above 0 favours longer texts"),
    "k": Number(int, 1, math.inf, "candidates"),
    "alpha": Number(float, 0, 1, "weight of novelty, 0 is greedy"),
    "repetition_penalty": Number(float, 1e-4, 1e4, "above 1: less of what was there"),
    "no_repeat_ngram": Number(int, 1, math.inf, "never write the same n tokens twice"),
    "max_new_tokens": Number(int, 1, math.inf, "stop after so many tokens, else 250"),
}
STRATEGIES = {  # what belongs to each, and its default
    "greedy": {},
    "sample": {"temperature": 0.8},
    "top_k": {"temperature": 0.8, "top_k": 50},
    "top_p": {"temperature": 0.8, "top_p": 0.9},
    "min_p": {"temperature": 0.8, "min_p": 0.1},
    "typical": {"temperature": 0.8, "typical_p": 0.9},
    "beam": {"num_beams": 4, "length_penalty": 1.0},
    "contrastive": {"k": 4, "alpha": 0.6},
}
SEARCHES = ("beam", "contrastive")  # their choice comes last: nothing to stream
SEEDS = 2**32  # a seed is taken modulo this, so a larger one is another's twin


def taken(strategy: str) -> list[str]:
    """Return the names of the options that a strategy takes."""
    names = ["max_new_tokens", *STRATEGIES[strategy]]
    if strategy != "contrastive":
        names += ["repetition_penalty", "no_repeat_ngram"]
    return names if strategy in SEARCHES else [*names, "stop"]


def complaint(name: str, value) -> str | None:
    """Return what is wrong with a value, to be said after the name, or None."""
    if value is None or name not in NUMBERS:
        return None
    kind, least, most, about = NUMBERS[name]
    number = isinstance(value, Integral if kind is int else Real)
    if number and not isinstance(value, bool) and least <= value <= most:
        return None
    words = "a whole number" if kind is int else "a number"
    words += f" from {least:g}" + (f" to {most:g}" if most < math.inf else "")
    return f"is {value!r:.40}, expected {words} ({about})"


class UsageError(Exception):
    """A mistake of the user's, told in one line."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    advice = ""

    def __init__(self, **options):
        super().__init__(**options)
        # argparse's own takes -1e3 for an option.
        self._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|nan)")

    def _print_message(self, message, file=None):  # argparse's own hides a full disk
        print(message, end="", file=file or sys.stderr, flush=True)

    def error(self, message: str) -> None:
        """Raise the complaint, which `main` prints."""
        advice = "" if "invalid" in message else self.advice
        raise UsageError(f"{message}{advice} (see {self.prog} --help)")
