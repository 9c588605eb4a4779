"""Figures of day 8: where parameters and work sit, what the lens sees."""

from collections.abc import Mapping

from helpers.plots import style
from helpers.plots.colours import ink
from helpers.plots.style import CENTRE, TINY, heatmap, label, new_axes


def share_bars(counts: Mapping[str, Mapping[str, float]], *, title: str = ""):
    """Draw the shares of the same parts in several wholes, a bar for each whole."""
    return style.share_bars(counts, title=title, size=(7, 1.4 + 0.5 * len(counts)))


def lens_map(chances, guesses, read, came, *, title="", ax=None):
    """Draw what a model would say after each layer, at each position.

    ``chances``: (depth, position), the probability of the token that really came;
    ``guesses``: the likeliest token, by depth and position, written into the cells;
    ``read``: the token read at each position, below the map; ``came``: the token that
    really came next, above it.
    """
    depth, positions = chances.shape
    size = (1.4 + 0.72 * positions, 1.7 + 0.36 * depth)
    ax = new_axes(ax, title=title, size=size)
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
    ax.figure.colorbar(image, ax=ax, pad=0.02, label="probability of what came")
    return ax
