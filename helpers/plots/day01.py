"""Figures of day 1: what a model is made of."""

from collections.abc import Mapping

import numpy as np

from helpers.plots.style import new_axes, share_bars


def parameter_parts(counts: Mapping[str, Mapping[str, int]], *, ax=None):
    """Draw how the parameters of each model are shared out.

    Args:
        counts: {model: {part: number of parameters}}, the parts in one order.
        ax: axes to draw on; new ones where none are given.
    """
    ax = new_axes(ax, figsize=(6, 0.55 * len(counts) + 1.4))
    parts = share_bars(ax, counts)
    for row, whole in enumerate(counts.values()):
        ax.text(102, row, short_number(sum(whole.values())), va="center")
    for column, (part, colour) in enumerate(parts):
        place = column / len(parts)
        ax.text(place, 1.03, f"■ {part}", color=colour, transform=ax.transAxes, size=9)
    ax.set_xlabel("share of the parameters in % (total at the right)")
    ax.set_title("Bigger GPT-2s grow in their blocks, not in their words", pad=26)
    return ax


def weight_histogram(weights: Mapping[str, object], *, bins: int = 80, ax=None):
    """Draw how the numbers of some weights are distributed.

    Args:
        weights: {label: tensor of any shape, on the CPU}, drawn over the same bins;
            the narrowest first.
        bins: number of bins; their range holds all but 1 in 1,000 of the numbers.
        ax: axes to draw on; new ones where none are given.
    """
    ax = new_axes(ax)
    flat = {name: np.asarray(weight).ravel() for name, weight in weights.items()}
    limit = max(np.quantile(np.abs(numbers), 0.999) for numbers in flat.values())
    edges = np.linspace(-limit, limit, bins + 1)
    for index, (name, numbers) in enumerate(flat.items()):
        share = 100 * np.histogram(numbers, edges)[0] / len(numbers)
        (line,) = ax.step(edges[:-1], share, where="post")
        place = _shoulder(share) if index else int(share.argmax())
        style = {"color": line.get_color(), "weight": "bold"}
        at = (edges[place], share[place])
        ax.annotate(name, at, (10, 2), textcoords="offset points", **style)
    ax.set(xlabel="value of a parameter", ylabel="share of the parameters in %")
    ax.set_ylim(bottom=0)
    ax.set_title("Same shape, same count, different numbers")
    return ax


def short_number(number: float) -> str:
    """Write a number as people say it: 4.5 M, 124 M, 1.56 B."""
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def _shoulder(share: np.ndarray) -> int:
    """Return the bin right of the peak where the share has fallen to a third."""
    peak = int(share.argmax())
    return peak + int(np.argmax(share[peak:] < share[peak] / 3))
