"""Figures of day 3: next words, attention weights, where a model is wrong."""

from collections.abc import Mapping

import torch

from helpers.plots.colours import BLACK, BLUE, GREY, ORANGE, ink
from helpers.plots.style import CENTRE, SMALL, grid, heatmap, label, new_axes

REST = "(others)"  # all other words together; always the last bar


def next_word_bars(truth, model, *, title="", top=6, ax=None):
    """Draw two distributions over the next word as pairs of bars.

    The words shown are the likeliest by either of the two, and ``"(others)"``, last,
    if it is given; below the axis stands what the words not shown have together.
    """
    ax = new_axes(ax, title=title, size=(6, 0.9 + 0.42 * top))
    likely = {*truth, *model}
    both = {word: (truth.get(word, 0.0), model.get(word, 0.0)) for word in likely}
    words = sorted(both, key=lambda word: (word != REST, -max(both[word]), word))[:top]
    words.sort(key=lambda word: word == REST)
    hidden = [p for word, p in both.items() if word not in words]
    kinds = (("truth", -0.2, BLUE), ("model", 0.2, ORANGE))
    for which, (name, offset, colour) in enumerate(kinds):
        places = [place + offset for place in range(len(words))]
        widths = [both[word][which] for word in words]
        ax.barh(places, widths, height=0.36, color=colour)
        for place, width in zip(places, widths, strict=True):
            number = f"{width:.3f}" if 0.0005 <= width < 0.0995 else f"{width:.2f}"
            text = f" {number}  {name}" if place == places[0] else f" {number}"
            ax.text(width, place, text, va="center", color=colour, **SMALL)
    names = [word if word == REST else label(word) for word in words]
    ax.set_yticks(range(len(words)), names)
    limit = 1.3 * max(max(both[word]) for word in words)
    name = "probability of the next word"
    if hidden:
        truths, beliefs = map(sum, zip(*hidden, strict=True))
        name += f"\n{len(hidden)} more: truth {truths:.2f}, model {beliefs:.2f}"
    ax.set(xlabel=name, xlim=(0, limit))
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= min(1, limit)])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    return ax


def weight_maps(maps: Mapping[str, torch.Tensor], *, title: str = ""):
    """Draw square matrices of attention weights side by side, with their row sums."""
    size = (3 * len(maps), 3.3)
    axes = grid(1, len(maps), size=size, title=title, names=maps)[0]
    for ax, weights in zip(axes, maps.values(), strict=True):
        heatmap(ax, weights)
        n = len(weights)
        for query, shares in enumerate(weights.tolist()):
            for key, weight in enumerate(shares):
                text = "0" if weight == 0 else f"{weight:.2f}".removeprefix("0")
                ax.text(key, query, text, color=ink(weight), **CENTRE)
            ax.text(n - 0.3, query, f"sum {sum(shares):.2f}", va="center", **SMALL)
        ax.set(xticks=range(n), yticks=range(n), xlabel="position looked at")
    axes[0].set_ylabel("position that looks")
    return axes


def against_truth(truth, model, special, *, title="", ax=None):
    """Draw the model's probabilities of words against the true ones, both (places,).

    Where ``special`` is True the dots are orange. Dots are moved sideways by up to a
    sixth, so that those of equal truth can be told apart.
    """
    ax = new_axes(ax, title=title, size=(6, 4.5))
    moved = truth * (0.3 * (torch.arange(len(truth)) * 0.618 % 1 - 0.5)).exp()
    style = {"s": 7, "linewidths": 0}
    ax.scatter(moved[~special], model[~special], color=GREY, alpha=0.3, **style)
    ax.scatter(moved[special], model[special], color=ORANGE, **style)
    least = truth.min().item()
    ax.plot([least, 1], [least, 1], color=BLACK, linewidth=1)
    for factor in (0.5, 2):
        ax.plot([least, 1], [factor * least, factor], "--", color=BLACK, linewidth=0.7)
    name, where = "line: as the truth\ndashed: half of it, twice it", ax.transAxes
    ax.text(0.7, 0.05, name, transform=where, color=BLACK, ha="right", **SMALL)
    ax.text(0.45, 1.3, "settled by memory", color=ORANGE, ha="right", **SMALL)
    ax.set(xscale="log", yscale="log", ylim=(None, 2.5))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.set(xlabel="true probability of the word that came")
    ax.set(ylabel="the model's probability")
    return ax
