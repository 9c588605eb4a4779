"""The course's look: axes in its style, and what several figures draw."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.pyplot as plt

from helpers.plots.colours import PARTS
from helpers.tokens import visible

STYLE = str(Path(__file__).with_name("course.mplstyle"))
SMALL = {"fontsize": 9}
TINY = {"fontsize": 8}
CENTRE = {"ha": "center", "va": "center"}


def new_axes(ax=None, *, title: str, size: tuple[float, float] | None = None):
    """Return ``ax``, or new axes in the course's style, under a title.

    The style stays on, so that labels written later have it too. (A style context
    around the first figure of a notebook would, on leaving, also undo the notebook's
    switch to showing figures by itself.) ``size`` is in inches.
    """
    if ax is None:
        plt.style.use(STYLE)
        ax = plt.subplots(figsize=size)[1]
    ax.set_title(title)
    return ax


def grid(rows: int, columns: int, *, size, title: str, names=(), **options):
    """Return new axes (rows, columns) under one title, without those left unnamed."""
    plt.style.use(STYLE)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    names = list(names) or [""] * axes.size
    for ax, name in zip(axes.flat, names, strict=False):
        ax.set_title(name, fontsize=10, fontweight="normal")
    for ax in axes.flat[len(names) :]:
        ax.remove()
    return axes


def label(text: str, most: int | None = None) -> str:
    """Return a token or word as one sees it: · for a space, ``<1B>`` for an escape."""
    shown = visible(text.encode("utf-8", errors="replace"))
    return shown if most is None or len(shown) <= most else shown[: most - 1] + "…"


def heatmap(ax, values, **options):
    """Draw numbers from 0 to 1 (rows, columns) as colours; return the image."""
    ax.grid(visible=False)
    numbers = values.tolist() if hasattr(values, "tolist") else values
    return ax.imshow(numbers, **{"vmin": 0, "vmax": 1, "cmap": "viridis", **options})


def share_bars(wholes: Mapping[str, Mapping[str, float]], *, title, size, columns=3):
    """Draw wholes as bars of 100 %, their parts named above in ``columns``."""
    ax = new_axes(title=title, size=size)
    parts, left = list(next(iter(wholes.values()))), [0.0] * len(wholes)
    for part, colour in zip(parts, PARTS, strict=False):
        shares = [100 * whole[part] / sum(whole.values()) for whole in wholes.values()]
        style = {"left": left, "height": 0.65, "color": colour, "ec": "white"}
        bars = ax.barh(list(wholes), shares, label=part, **style)
        numbers = [f"{share:.0f} %" if share >= 6.5 else "" for share in shares]
        ax.bar_label(bars, numbers, label_type="center", color="white")
        left = [a + b for a, b in zip(left, shares, strict=True)]
    place = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0}
    ax.legend(ncols=columns, handlelength=0.7, handletextpad=0.4, **place, **SMALL)
    ax.set_title(title, pad=12 + 14 * -(-len(parts) // columns))
    ax.set(xlim=(0, 100), xlabel="share in %")
    ax.invert_yaxis()
    ax.grid(visible=False)
    return ax


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Return the heights of labels, moved up where they would cover each other."""
    placed = {}
    for i in sorted(range(len(heights)), key=heights.__getitem__):
        below = max(placed.values(), default=-math.inf)
        placed[i] = max(heights[i], below + gap)
    return [placed[i] for i in range(len(heights))]
