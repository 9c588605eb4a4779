"""Figures about what a model is made of."""

from collections.abc import Mapping

import numpy as np

from helpers.plots.style import new_axes

COLOURS = ("#0072B2", "#56B4E9", "#D55E00", "#009E73", "#000000")
DARK = {"#0072B2", "#D55E00", "#000000"}


def parameter_parts(counts: Mapping[str, Mapping[str, int]], *, ax=None):
    """Draw how the parameters of each model are shared out, and return the axes.

    Args:
        counts: {model: {part: number of parameters}}, the parts in one order.
        ax: axes to draw on; new ones where none are given.
    """
    ax = new_axes(ax, figsize=(6, 0.55 * len(counts) + 1.4))
    for row, parts in enumerate(counts.values()):
        total, left = sum(parts.values()), 0.0
        for number, colour in zip(parts.values(), COLOURS, strict=False):
            share = 100 * number / total
            ax.barh(row, share, left=left, color=colour, height=0.72)
            if share >= 6:
                style = {"color": "white" if colour in DARK else "black"}
                style |= {"ha": "center", "va": "center"}
                ax.text(left + share / 2, row, f"{share:.0f} %", **style)
            left += share
        ax.text(102, row, short_number(total), va="center")
    _label_parts(ax, next(iter(counts.values())))
    ax.set_yticks(range(len(counts)), counts)
    ax.set(xlim=(0, 100), xlabel="share of the parameters in % (total at the right)")
    ax.invert_yaxis()
    ax.grid(False)
    ax.set_title("Bigger GPT-2s grow in their blocks, not in their words", pad=26)
    return ax


def weight_histogram(weights: Mapping[str, object], *, bins: int = 80, ax=None):
    """Draw how the numbers of some weights are distributed, and return the axes.

    Args:
        weights: {label: tensor of any shape, on the CPU}, drawn over the same bins;
            the narrowest first.
        bins: number of bins; their range holds all but 1 in 1,000 of the numbers.
        ax: axes to draw on; new ones where none are given.
    """
    ax = new_axes(ax)
    flat = {label: np.asarray(weight).ravel() for label, weight in weights.items()}
    limit = max(np.quantile(np.abs(numbers), 0.999) for numbers in flat.values())
    edges = np.linspace(-limit, limit, bins + 1)
    for index, (label, numbers) in enumerate(flat.items()):
        share = 100 * np.histogram(numbers, edges)[0] / len(numbers)
        (line,) = ax.step(edges[:-1], share, where="post")
        place = _shoulder(share) if index else int(share.argmax())
        ax.annotate(
            label,
            (edges[place], share[place]),
            xytext=(10, 2),
            textcoords="offset points",
            color=line.get_color(),
            weight="bold",
        )
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


def _label_parts(ax, parts: Mapping[str, int]) -> None:
    """Name the parts above the first bar, each in its colour."""
    places = np.linspace(0, 1, len(parts) + 1)[:-1]
    for place, part, colour in zip(places, parts, COLOURS, strict=False):
        ax.text(place, 1.03, f"■ {part}", color=colour, transform=ax.transAxes, size=9)


def _shoulder(share: np.ndarray) -> int:
    """Return the bin right of the peak where the share has fallen to a third."""
    peak = int(share.argmax())
    return peak + int(np.argmax(share[peak:] < share[peak] / 3))
