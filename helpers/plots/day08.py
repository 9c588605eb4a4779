"""Figures of day 8: where parameters and work sit, what the lens sees."""

from collections.abc import Mapping

from helpers.plots import style
from helpers.plots.style import CENTRE, SMALL, TINY, heatmap, ink, label, new_axes


def share_bars(counts: Mapping[str, Mapping[str, float]], *, title: str = "", ax=None):
    """Draw the shares of the same parts in several wholes, a bar for each whole.

    The parts are named above the bars in their colours; parts that are nowhere one
    part in a hundred are left out of the names.
    """
    ax = new_axes(ax, figsize=(7, 1.4 + 0.5 * len(counts)))
    parts = style.share_bars(ax, counts)
    wholes = counts.values()
    large = {
        p for whole in wholes for p in whole if whole[p] >= sum(whole.values()) / 100
    }
    names = [(part, colour) for part, colour in parts if part in large]
    for place, (name, colour) in enumerate(names):
        line, column = divmod(place, 3)
        at = (0.36 * column, 1.13 - 0.09 * line)
        options = {"transform": ax.transAxes, "va": "center", **SMALL}
        ax.text(*at, "■", color=colour, **options)
        ax.text(at[0] + 0.03, at[1], name, **options)
    ax.set_xlabel("share in %")
    ax.set_title(title, pad=34)
    return ax


def lens_map(chances, guesses, read, came, *, title="", ax=None):
    """Draw what a model would say after each layer, at each position.

    Args:
        chances: (depth, position), the probability of the token that really came.
        guesses: the likeliest token, by depth and position, written into the cells.
        read: the token read at each position, below the map.
        came: the token that really came next, above it.
        title: the message.
        ax: where to draw; left out, new axes.
    """
    depth, positions = chances.shape
    ax = new_axes(ax, figsize=(1.4 + 0.72 * positions, 1.7 + 0.36 * depth))
    image = heatmap(ax, chances, aspect="auto", origin="lower")
    for row in range(depth):
        for column in range(positions):
            colour, guess = ink(chances[row, column]), label(guesses[row][column], 9)
            ax.text(column, row, guess, color=colour, **CENTRE, **TINY)
    below, above = ([label(token, 9) for token in tokens] for tokens in (read, came))
    ax.set_xticks(range(positions), below, rotation=45, ha="right")
    names = ["embedding", *(f"layer {layer}" for layer in range(depth - 1))]
    ax.set_yticks(range(depth), names)
    ax.set(xlabel="token read")
    top = ax.secondary_xaxis("top")
    top.set_xticks(range(positions), above, rotation=45, ha="left")
    top.set_xlabel("token that came next")
    ax.set_title(title)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("probability of what came")
    return ax
