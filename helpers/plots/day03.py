"""Figures of day 3: next words, attention weights, entropies, surprise."""

from collections.abc import Mapping

import torch

from helpers.plots.style import (
    BLUE,
    CENTRE,
    GREY,
    ORANGE,
    SMALL,
    heatmap,
    ink,
    label,
    new_axes,
    panel_title,
    row,
)

REST = "(others)"  # all other words together; always the last bar


def next_word_bars(truth, model, *, title="", note="", top=6, ax=None):
    """Draw two distributions over the next word as pairs of bars.

    The words shown are the likeliest by either of the two, ``"(others)"`` last if it
    is among them. The note stands below the title.
    """
    ax = new_axes(ax, figsize=(6, 0.9 + 0.42 * top))
    likeliest = {word: _larger(word, truth, model) for word in {*truth, *model}}
    words = sorted(likeliest, key=lambda word: (-likeliest[word], word))[:top]
    words = [w for w in words if w != REST] + [w for w in words if w == REST]
    _bars(ax, "truth", [truth.get(word, 0.0) for word in words], -0.2, BLUE)
    _bars(ax, "model", [model.get(word, 0.0) for word in words], 0.2, ORANGE)
    names = [word if word == REST else label(word) for word in words]
    ax.set_yticks(range(len(words)), names)
    ax.set(xlabel="probability of the next word")
    ax.set_title(title, pad=20 if note else None)
    limit = 1.22 * max(0.1, *(likeliest[word] for word in words))
    ax.set_xlim(0, limit)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= min(1, limit)])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.text(0, 1.02, note, transform=ax.transAxes, color=GREY, **SMALL)
    return ax


def _larger(word: str, *distributions: Mapping[str, float]) -> float:
    return max(probs.get(word, 0.0) for probs in distributions)


def _bars(ax, name: str, widths: list[float], offset: float, colour: str) -> None:
    """Draw one distribution, its name at the first bar, its number at each."""
    places = [place + offset for place in range(len(widths))]
    ax.barh(places, widths, height=0.36, color=colour)
    for place, width in zip(places, widths, strict=True):
        number = f"{width:.3f}" if 0.0005 <= width < 0.0995 else f"{width:.2f}"
        text = f" {number}  {name}" if place == places[0] else f" {number}"
        ax.text(width, place, text, va="center", color=colour, **SMALL)


def weight_maps(maps: Mapping[str, torch.Tensor], *, title: str = ""):
    """Draw square matrices of attention weights side by side, with their row sums.

    Returns the axes, one for each of the maps.
    """
    axes = row(len(maps), size=(3 * len(maps), 3.3), title=title)
    for ax, (name, weights) in zip(axes, maps.items(), strict=True):
        heatmap(ax, weights)
        n = len(weights)
        for query, shares in enumerate(weights.tolist()):
            for key, weight in enumerate(shares):
                text = "0" if weight == 0 else f"{weight:.2f}".removeprefix("0")
                ax.text(key, query, text, color=ink(weight), **CENTRE)
            ax.text(n - 0.3, query, f"sum {sum(shares):.2f}", va="center", **SMALL)
        ax.set(xticks=range(n), yticks=range(n), xlabel="position looked at")
        panel_title(ax, name)
    axes[0].set_ylabel("position that looks")
    return axes


def entropy_scatter(truth, model, *, title="", ax=None):
    """Draw the model's entropy against the true one, in nats, a point per place."""
    ax = new_axes(ax)
    limit = 1.05 * max(*truth, *model)
    ax.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle="--")
    ax.text(limit, limit, "equal", ha="right", va="bottom", color=GREY, **SMALL)
    ax.scatter(truth, model, color=BLUE, alpha=0.5, s=22, linewidths=0)
    ax.set(xlabel="entropy of the truth, nats", ylabel="entropy of the model, nats")
    ax.set_ylim(-0.15, limit * 1.08)
    ax.set_title(title)
    return ax


def surprise_lines(words, lines, *, mark, world=(), title="", ax=None):
    """Draw the surprise of each word, in nats, a line per text.

    The texts share their ``words`` but for word ``mark``, which gets a vertical line;
    there the lines carry their names. The surprise of the ``world`` itself, if given,
    is a thin grey line with its name at its highest peak.
    """
    ax = new_axes(ax, figsize=(6, 4))
    top = max(max(costs) for costs in [*lines.values(), world or [0]])
    ax.axvline(mark, color=GREY, linewidth=1, linestyle="--")
    if world:
        peak = max(range(len(world)), key=world.__getitem__)
        ax.plot(world, color=GREY, linewidth=0.9)
        ax.text(peak, world[peak] + 0.06 * top, "world", color=GREY, ha="center")
    for (name, costs), colour in zip(lines.items(), (ORANGE, BLUE), strict=False):
        ax.plot(costs, color=colour, linewidth=1.4)
        ax.plot(mark, costs[mark], "o", color=colour, markersize=5)
        place = (mark - 0.4, costs[mark] + 0.08 * top)
        ax.text(*place, name, color=colour, ha="right", va="bottom")
    labels = ["…" if i == mark else label(word) for i, word in enumerate(words)]
    ax.set_xticks(range(len(words)), labels, rotation=90, fontsize=8)
    ax.set(xlabel="word", ylabel="surprise, nats", ylim=(-0.03 * top, top * 1.2))
    ax.set_title(title)
    return ax
