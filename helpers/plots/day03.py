"""Figures of day 3: next words, attention weights, entropies, surprise."""

from collections.abc import Mapping

import torch

from helpers.plots.colours import BLUE, GREY, ORANGE, ink
from helpers.plots.style import CENTRE, SMALL, grid, heatmap, label, new_axes

REST = "(others)"  # all other words together; always the last bar


def next_word_bars(truth, model, *, title="", note="", top=6, ax=None):
    """Draw two next-word distributions as pairs of bars, a note below the title."""
    ax = new_axes(ax, title=title, size=(6, 0.9 + 0.42 * top))
    likely = {*truth, *model}
    both = {word: (truth.get(word, 0.0), model.get(word, 0.0)) for word in likely}
    words = sorted(both, key=lambda word: (-max(both[word]), word))[:top]
    words = [w for w in words if w != REST] + [w for w in words if w == REST]
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
    limit = 1.22 * max(0.1, *(max(both[word]) for word in words))
    ax.set(xlabel="probability of the next word", xlim=(0, limit))
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= min(1, limit)])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    if note:
        ax.set_title(title, pad=20)
        ax.text(0, 1.02, note, transform=ax.transAxes, color=GREY, **SMALL)
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


def entropy_scatter(truth, model, *, title="", ax=None):
    """Draw the model's entropy against the true one, in nats, a point per place."""
    ax = new_axes(ax, title=title)
    limit = 1.05 * max(*truth, *model)
    ax.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle="--")
    ax.text(limit, limit, "equal", ha="right", va="bottom", color=GREY, **SMALL)
    ax.scatter(truth, model, color=BLUE, alpha=0.5, s=22, linewidths=0)
    ax.set(xlabel="entropy of the truth, nats", ylabel="entropy of the model, nats")
    ax.set_ylim(-0.15, limit * 1.08)
    return ax


def surprise_lines(words, lines, *, mark, world, title="", ax=None):
    """Draw the surprise of each word, in nats, a line per text.

    The texts share their ``words`` but for word ``mark``, where the lines carry their
    names. The surprise of the ``world`` itself is a thin grey line.
    """
    ax = new_axes(ax, title=title, size=(6, 4))
    top = max(max(costs) for costs in [*lines.values(), world])
    ax.axvline(mark, color=GREY, linewidth=1, linestyle="--")
    peak = max(range(len(world)), key=world.__getitem__)
    ax.plot(world, color=GREY, linewidth=0.9)
    ax.text(peak, world[peak] + 0.06 * top, "world", color=GREY, ha="center")
    for (name, costs), colour in zip(lines.items(), (ORANGE, BLUE), strict=False):
        ax.plot(costs, color=colour, linewidth=1.4)
        ax.plot(mark, costs[mark], "o", color=colour, markersize=5)
        height = costs[mark] + 0.08 * top
        ax.text(mark - 0.4, height, name, color=colour, ha="right", va="bottom")
    labels = ["…" if i == mark else label(word) for i, word in enumerate(words)]
    ax.set_xticks(range(len(words)), labels, rotation=90, fontsize=8)
    ax.set(xlabel="word", ylabel="surprise, nats", ylim=(-0.03 * top, top * 1.2))
    return ax
