"""The figure of the quality-diversity frontier, a labelled point per strategy."""

from collections.abc import Collection, Mapping

from matplotlib.text import Text
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from helpers.plots.day06 import PALETTE
from helpers.plots.style import new_axes

NAMES = {
    "accepted": "stories right to the end, share",
    "right": "told before the first slip, share",
    "distinct": "repeated word pairs, share (log scale): less to the right",
    "self_bleu": "self-BLEU, likeness of the stories (log scale): less to the right",
}


def frontier(
    families: Mapping[str, Mapping[str, tuple]],
    *,
    x: str = "distinct",
    y: str = "accepted",
    joined: Collection[str] = ("temperature", "top-k", "top-p"),
    truth: tuple | None = None,
    title: str = "",
    ax=None,
):
    """Draw points of ``helpers.frontier``, a colour and a line for each family.

    Args:
        families: family to label to ``Point``, as {"top-p": {"p = 0.9": point}}.
        x: "distinct", drawn as the share of word pairs that repeat, or "self_bleu".
            Both fall from left to right, so that diversity grows to the right.
        y: "accepted" or "right".
        joined: families whose points a line joins.
        truth: the point of the world's own stories, a star.
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax, figsize=(7.5, 5))
    spots = []
    for (family, points), colour in zip(families.items(), PALETTE, strict=False):
        for label, point in points.items():
            (place, error), high = _diversity(point, x), getattr(point, y)
            bars = {"xerr": error, "yerr": high.error, "elinewidth": 0.8, "ms": 5}
            ax.errorbar(place, high.mean, fmt="o", color=colour, alpha=0.9, **bars)
            spots.append((place, high.mean, label, colour))
        if family in joined:
            line = [spot[:2] for spot in spots[-len(points) :]]
            ax.plot(*zip(*line, strict=True), color=colour, linewidth=1, alpha=0.5)
    if truth is not None:
        at = _diversity(truth, x)[0], getattr(truth, y).mean
        ax.plot(*at, "*", color="black", ms=14)
        spots.append((*at, "the world's own", "black"))
    ax.set(xlabel=NAMES[x], ylabel=NAMES[y], title=title, xscale="log")
    ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    ax.set_xticks([0.05, 0.1, 0.2, 0.5])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(0.1)
    ax.invert_xaxis()
    _label(ax, spots)
    return ax


def _diversity(point, x: str) -> tuple[float, float]:
    measured = getattr(point, x)
    mean = 1 - measured.mean if x == "distinct" else measured.mean
    return max(mean, 1e-3), measured.error


def _label(ax, spots) -> None:
    """Write each spot's label where it covers neither a spot nor another label."""
    ax.figure.draw_without_rendering()
    frame, boxes = ax.get_window_extent(), []
    points = [ax.transData.transform(spot[:2]) for spot in spots]
    sides = [(1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)]
    places = [(far * a, far * b) for far in (4, 12, 20, 30, 42) for a, b in sides]
    for *at, text, colour in spots:
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5}
        options = {"textcoords": "offset points", "fontsize": 9, "color": colour}
        note = ax.annotate(text, at, (0, 0), arrowprops=line, **options)
        note.arrow_patch.set_visible(False)

        def covered(place, note=note):
            box = _move(note, place).padded(2)
            outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0
            hits = sum(box.overlaps(other) for other in boxes)
            return 4 * outside + 2 * hits + sum(box.contains(*p) for p in points)

        best = min(places, key=covered)  # the first, nearest one of the best
        boxes.append(_move(note, best))
        note.arrow_patch.set_visible(max(map(abs, best)) > 4)


def _move(note, place: tuple[int, int]):
    """Put a label there; return the box of its text, without its line."""
    across, up = place
    note.set_position(place)
    note.set_ha("left" if across > 0 else "right" if across else "center")
    note.set_va("bottom" if up > 0 else "top" if up else "center")
    note.update_positions(note.figure.canvas.get_renderer())
    return Text.get_window_extent(note)
