"""Figures of day 1: what a model is made of."""

from collections.abc import Mapping

import numpy as np

from helpers.plots.style import new_axes, share_bars


def parameter_parts(counts: Mapping[str, Mapping[str, int]]):
    """Draw the shares of parameters: {model: {part: number}}, parts in one order."""
    title = "Bigger GPT-2s grow in their blocks, not in their words"
    ax = share_bars(counts, title=title, size=(6, 0.55 * len(counts) + 1.4), columns=5)
    for row, parts in enumerate(counts.values()):
        ax.text(102, row, short_number(sum(parts.values())), va="center")
    ax.set_xlabel("share of the parameters in % (total at the right)")
    return ax


def weight_histogram(weights: Mapping[str, object], *, bins: int = 80, ax=None):
    """Draw how the numbers of some weights are distributed.

    ``weights``: {label: tensor of any shape, on the CPU}, drawn over the same bins; the
    narrowest first. The range of the bins holds all but 1 in 1,000 of the numbers.
    """
    ax = new_axes(ax, title="Same shape, same count, different numbers")
    flat = {name: np.asarray(weight).ravel() for name, weight in weights.items()}
    limit = max(np.quantile(np.abs(numbers), 0.999) for numbers in flat.values())
    edges = np.linspace(-limit, limit, bins + 1)
    for index, (name, numbers) in enumerate(flat.items()):
        share = 100 * np.histogram(numbers, edges)[0] / len(numbers)
        (line,) = ax.step(edges[:-1], share, where="post")
        place = peak = int(share.argmax())
        if index:  # on the right shoulder, where the share has fallen to a third
            place += int(np.argmax(share[peak:] < share[peak] / 3))
        style = {"color": line.get_color(), "weight": "bold"}
        at = (edges[place], share[place])
        ax.annotate(name, at, (10, 2), textcoords="offset points", **style)
    ax.set(xlabel="value of a parameter", ylabel="share of the parameters in %")
    ax.set_ylim(bottom=0)
    return ax


def short_number(number: float) -> str:
    """Write a number as people say it: 4.5 M, 124 M, 1.56 B."""
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
