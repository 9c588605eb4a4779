"""Figures of day 3: next words, attention weights, n-grams, where a model is wrong."""

from collections.abc import Mapping

import torch

from helpers.plots.colours import BLUE, GREY, ORANGE, PALE, PALETTE, ink
from helpers.plots.style import CENTRE, SMALL, grid, heatmap, label, new_axes, spread

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


def next_word_panels(panels, *, title="", top=6):
    """Draw several pairs (truth, model) side by side, each below its name."""
    size = (4.6 * len(panels), 1.2 + 0.42 * top)
    axes = grid(1, len(panels), size=size, title=title, names=panels)[0]
    for ax, (name, pair) in zip(axes, panels.items(), strict=True):
        next_word_bars(*pair, top=top, ax=ax)
        ax.set_title(name, color=GREY, fontweight="normal", **SMALL)
    return axes


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


def ngram_curves(curves, levels, *, title="", ax=None):
    """Draw losses in nats per token against the order n, from 1, a line per name.

    ``levels`` are losses that know no order: dashed lines, each with its name.
    """
    ax = new_axes(ax, title=title)
    for (name, losses), colour in zip(curves.items(), PALETTE, strict=False):
        orders = range(1, len(losses) + 1)
        ax.plot(orders, losses, "o-", color=colour, markersize=4)
        ax.text(orders[-1] + 0.1, losses[-1], name, color=colour, va="center")
    heights = spread(list(levels.values()), gap=0.35)
    for (name, loss), height in zip(levels.items(), heights, strict=True):
        ax.axhline(loss, color=GREY, linewidth=1, linestyle="--")
        ax.text(1, height + 0.05, name, color=GREY, va="bottom", **SMALL)
    ax.set(xlabel="order n: reads n − 1 tokens", ylabel="loss, nats per token")
    ax.set(xticks=orders, xlim=(0.8, len(orders) + 1.3), ylim=(0, None))
    return ax


def belief_scatter(truth, belief, *, far=None, title="", ax=None):
    """Draw words as points: true probability to the right, the model's upwards.

    Points that the mask ``far`` marks are blue, and counted beside their median.
    """
    ax = new_axes(ax, title=title, size=(4.8, 4.6))
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
    ax.plot(truth, belief, "o", color=ORANGE, markersize=5, alpha=0.4)
    if far is not None and far.any():
        ax.plot(truth[far], belief[far], "o", color=BLUE, markersize=5, alpha=0.4)
        place = truth[far].median() + 0.04, belief[far].median()
        ax.text(*place, f"{far.sum()} words", color=BLUE, va="center")
    ax.set(xlabel="true probability", ylabel="the model's", aspect="equal")
    return ax


def gap_stems(words, gaps, entropies, *, title="", most=3, ax=None):
    """Draw the divergence at each word upwards, the entropy of the truth downwards.

    The ``most`` largest divergences are named by their word. All in nats.
    """
    ax = new_axes(ax, title=title, size=(7.5, 3.6))
    places = range(len(words))
    ax.vlines(places, 0, [-entropy for entropy in entropies], color=PALE)
    ax.vlines(places, 0, gaps, color=ORANGE, linewidth=2)
    top = max(gaps)
    for place in sorted(places, key=gaps.__getitem__)[-most:]:
        text = f" {label(words[place])}"
        ax.text(place, gaps[place], text, color=ORANGE, ha="center", va="bottom")
    right = {"x": len(words) + 4, "va": "center"}
    ax.text(y=top / 2, s="divergence", color=ORANGE, **right)
    ax.text(y=-max(entropies) / 2, s="entropy", color=GREY, **right)
    ax.set(xlabel="word of the story", ylabel="nats", ylim=(None, 1.25 * top))
    ax.set_xlim(-4, len(words) + 2)
    ax.yaxis.set_major_formatter(lambda nats, _: f"{abs(nats):g}")
    return ax
