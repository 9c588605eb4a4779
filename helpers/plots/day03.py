"""Figures of day 3: next words, attention weights, where a model is wrong."""

from collections.abc import Mapping

import torch

from helpers.plots.colours import BLUE, GREY, ORANGE, ink
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
    hidden = [odds for word, odds in both.items() if word not in words]
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


def gap_stems(words, gaps, entropies, *, title="", most=3):
    """Draw at each word the divergence upwards and, below it, the entropy downwards.

    The ``most`` largest divergences are named by their word. All in nats, each on a
    scale of its own, so that none is too small to be seen.
    """
    upper, lower = grid(2, 1, size=(7.5, 4), title=title, sharex=True)[:, 0]
    places = range(len(words))
    upper.vlines(places, 0, gaps, color=ORANGE, linewidth=2)
    lower.vlines(places, 0, entropies, color=GREY)
    for place in sorted(places, key=gaps.__getitem__)[-most:]:
        style = {"color": ORANGE, "ha": "center", "va": "bottom"}
        upper.text(place, gaps[place], f" {label(words[place])}", **style)
    upper.set(ylabel="divergence, nats", ylim=(0, 1.25 * max(gaps)))
    lower.set(ylabel="entropy, nats", ylim=(1.1 * max(entropies), 0))
    lower.set(xlabel="word of the story", xlim=(-4, len(words) + 3))
    return upper, lower
