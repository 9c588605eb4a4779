"""The course's look: one style file, one palette, axes made in it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from helpers.tokens import visible

STYLE = str(Path(__file__).with_name("course.mplstyle"))
# Okabe and Ito's colours, told apart by all eyes; on white, the light ones darkened.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, OCHRE, SKY = "#A6508A", "#B07800", "#3A8FC0"
GREY, PALE, BLACK = "#555555", "#BBBBBB", "#222222"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, OCHRE, SKY)
PARTS = (BLUE, SKY, ORANGE, GREEN, BLACK, GREY)  # of a whole: each bears white letters
SMALL = {"fontsize": 9}
TINY = {"fontsize": 8}
CENTRE = {"ha": "center", "va": "center"}


def new_axes(ax=None, **figure):
    """Return ``ax``, or new axes in the course's style where none are given.

    The style stays on, so that titles and labels written later have it too. (A style
    context around the first figure of a notebook would, on leaving, also undo the
    notebook's switch to showing figures by itself.)
    """
    if ax is not None:
        return ax
    plt.style.use(STYLE)
    return plt.subplots(**figure)[1]


def grid(rows: int, columns: int, *, size: tuple[float, float], title: str, **options):
    """Return new axes (rows, columns) under one title; ``size`` is in inches."""
    plt.style.use(STYLE)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    return axes


def row(columns: int, *, size: tuple[float, float], title: str, **options):
    """Return new axes side by side under one title."""
    return grid(1, columns, size=size, title=title, **options)[0]


def panel_title(ax, text: str) -> None:
    """Name one panel of several, below the title of all."""
    ax.set_title(text, fontsize=10, fontweight="normal")


def label(text: str, most: int | None = None) -> str:
    """Return a token or word as one sees it: · for a space, ``<1B>`` for an escape."""
    shown = visible(text.encode("utf-8", errors="replace"))
    return shown if most is None or len(shown) <= most else shown[: most - 1] + "…"


def heatmap(ax, values, **options):
    """Draw numbers from 0 to 1 (rows, columns) as colours; return the image."""
    ax.grid(visible=False)
    numbers = values.tolist() if hasattr(values, "tolist") else values
    scale = {} if "norm" in options else {"vmin": 0, "vmax": 1}
    return ax.imshow(numbers, **{**scale, "cmap": "viridis", **options})


def ink(value: float) -> str:
    """Return the colour of letters that can be read on a heatmap's colour."""
    return "black" if value > 0.6 else "white"


def share_bars(ax, wholes: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str]]:
    """Draw wholes as bars of 100 %, the first on top, the same parts in each.

    Shares with room for it bear their number. Returns each part with its colour.
    """
    parts = list(next(iter(wholes.values())))
    for place, whole in enumerate(wholes.values()):
        total, left = sum(whole.values()), 0.0
        for part, colour in zip(parts, PARTS, strict=False):
            share = 100 * whole[part] / total
            ax.barh(place, share, left=left, height=0.65, color=colour, ec="white")
            if share >= 6.5:
                number = f"{share:.0f} %"
                ax.text(left + share / 2, place, number, color="white", **CENTRE)
            left += share
    ax.set_yticks(range(len(wholes)), list(wholes))
    ax.set_xlim(0, 100)
    ax.invert_yaxis()
    ax.grid(visible=False)
    return list(zip(parts, PARTS, strict=False))


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return the heights of labels, moved up where they would cover each other."""
    placed = {}
    for i in sorted(range(len(heights)), key=heights.__getitem__):
        below = max(placed.values(), default=-gap)
        placed[i] = max(heights[i], below + gap)
    return [placed[i] for i in range(len(heights))]
