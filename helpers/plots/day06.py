"""Figures of day 6: rules at work, first slips, what a cut costs, the frontier."""

from collections.abc import Mapping

from matplotlib.text import Text

from helpers.plots.colours import BLUE, GREEN, GREY, OCHRE, ORANGE, PALE, PALETTE
from helpers.plots.style import CENTRE, SMALL, grid, label, new_axes, spread

HEAT = (BLUE, GREEN, OCHRE, ORANGE)  # from cold to hot
JOINED = ("temperature", "top-k", "top-p")  # families whose points a line joins
SIDES = [(1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)]


def before_after(before, after, *, names=(), top=24, counts=True, title=""):
    """Draw one distribution (vocab,) and what several rules make of it, panel by panel.

    Grey bars stand behind: the distribution before; coloured bars in front: after. A
    token without a coloured bar has probability 0. The ``top`` likeliest tokens are
    shown, with the first of their ``names`` below, and with ``counts`` a note says how
    many are left. The panels of a row share their scale.
    """
    rows = -(-len(after) // 2)
    options = {"names": after, "sharex": True, "sharey": "row"}
    axes = grid(rows, 2, size=(7, 0.6 + 1.7 * rows), title=title, **options)
    order = before.argsort(descending=True, stable=True)[:top]
    for ax, probs in zip(axes.flat, after.values(), strict=False):
        ax.bar(range(len(order)), before[order].tolist(), color=PALE, width=0.9)
        ax.bar(range(len(order)), probs[order].tolist(), color=BLUE, width=0.5)
        kept = int((probs > 0).sum())
        note = f"{kept:,} of {len(probs):,} tokens left" if counts else ""
        ax.text(0.98, 0.9, note, transform=ax.transAxes, ha="right", va="top", **SMALL)
        ax.grid(axis="x", visible=False)
    for line in axes:
        line[0].set_ylabel("probability")
    shown = [label(name) for name in names[: len(order)]]
    for ax in axes.flat[max(0, len(after) - 2) : len(after)]:
        ax.set_xticks(range(len(shown)), shown, rotation=90, fontsize=8)
        ax.tick_params(axis="x", labelbottom=True)
    return axes.flat[: len(after)]


def right_lines(lines, *, risk, given=0, title="", ax=None):
    """Draw the share of stories still without a slip after 0, 1, 2 … words.

    A line per strategy, its name at its right end, coloured from cold to hot in the
    order given. Dashed: (1 - risk) to the power of the words after the ``given`` ones.
    """
    ax = new_axes(ax, title=title)
    longest = max(map(len, lines.values()))
    heights = spread([line[-1] for line in lines.values()], gap=0.07)
    for (name, line), height, colour in zip(lines.items(), heights, HEAT, strict=False):
        ax.plot(line, color=colour)
        ax.text(longest, height, name, color=colour, va="center", **SMALL)
    law = [(1 - risk) ** max(n - given, 0) for n in range(longest)]
    ax.plot(law, "--", color=GREY, linewidth=1)
    note = f"dashed: {risk:.3f} risk per word"
    ax.text(0.02, 0.05, note, transform=ax.transAxes, color=GREY)
    ax.set(xlim=(0, 1.17 * longest), ylim=(-0.03, 1.05))
    ax.set(xlabel="words of the story", ylabel="stories without a slip so far")
    return ax


def cut_curves(panels: Mapping[str, Mapping[float, tuple]], *, title: str = ""):
    """Draw what a cut gains and costs, a panel for each model; return the axes.

    ``panels``: model to strength of the cut to (share of stories without a slip, share
    of the true stories that can still be told).
    """
    size = (2.6 * len(panels), 3.2)
    axes = grid(1, len(panels), names=panels, size=size, title=title, sharey=True)
    for ax, curves in zip(axes.flat, panels.values(), strict=True):
        right, tellable = zip(*curves.values(), strict=True)
        ax.plot([*curves], right, marker="o", ms=4, color=ORANGE)
        ax.plot([*curves], tellable, marker="s", ms=4, color=BLUE)
        ax.set(xscale="log", ylim=(-0.03, 1.05), xlabel="min-p (log scale)")
        ax.set_xticks([0.001, 0.01, 0.1], ["0.001", "0.01", "0.1"])
    first = axes.flat[0]
    first.set_ylabel("share of stories")
    style = {"transform": first.transAxes, **SMALL}
    first.text(0.05, 0.3, "without a slip", color=ORANGE, **style)
    first.text(0.05, 0.2, "still tellable", color=BLUE, **style)
    return axes.flat


def frontier(families, *, truth, title="", ax=None):
    """Draw the points of ``evaluation.frontier``, a colour and a line for each family.

    ``families``: family to label to ``Point``, as {"top-p": {"p = 0.9": point}};
    ``truth``: the point of the world's own stories. Likeness grows to the right.
    """
    ax = new_axes(ax, title=title, size=(7.5, 5))
    spots = []  # (place, name, colour)
    for (family, points), colour in zip(families.items(), PALETTE, strict=False):
        alike, xerr = zip(*(point.self_bleu for point in points.values()), strict=True)
        alike = [max(share, 1e-3) for share in alike]  # the axis is logarithmic
        whole, yerr = zip(*(point.accepted for point in points.values()), strict=True)
        style = {"elinewidth": 0.8, "markersize": 5, "alpha": 0.9}
        ax.errorbar(alike, whole, yerr, xerr, fmt="o", color=colour, **style)
        if family in JOINED:
            ax.plot(alike, whole, color=colour, linewidth=1, alpha=0.5)
        places = zip(alike, whole, strict=True)
        spots += [(at, name, colour) for at, name in zip(places, points, strict=True)]
    place = (truth.self_bleu.value, truth.accepted.value)
    ax.plot(*place, "*", color="black", markersize=14)
    spots.append((place, "the world's own", "black"))
    ax.set(xlabel="self-BLEU, likeness of the stories to one another (log scale)")
    ax.set(ylabel="whole: stories right to the end, share", xscale="log")
    ax.set_xticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    ax.xaxis.set_minor_formatter("")
    ax.margins(0.1, 0.2)  # room for names above the best
    _label(ax, spots)
    return ax


def _label(ax, spots) -> None:
    """Write each spot's name where it covers neither a spot nor another name."""
    ax.figure.draw_without_rendering()
    frame, dots = ax.get_window_extent(), ax.figure.dpi / 72  # in a point
    points, boxes = [ax.transData.transform(place) for place, _, _ in spots], []

    def covered(box) -> int:
        outside = not (frame.x0 < box.x0 < box.x1 < frame.x1)
        outside |= not (frame.y0 < box.y0 < box.y1 < frame.y1)
        hits = sum(box.overlaps(other) for other in boxes)
        return 4 * outside + 2 * hits + sum(box.contains(*p) for p in points)

    for place, name, colour in spots:
        line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5}
        options = {"textcoords": "offset points", "color": colour, "arrowprops": line}
        note = ax.annotate(name, place, (0, 0), **options, **CENTRE, **SMALL)
        note.update_positions(note.figure.canvas.get_renderer())
        box = Text.get_window_extent(note)  # without its line
        width, height = box.width / dots / 2, box.height / dots / 2
        ways = {}  # how far it may be moved, in points, the nearest first, to its box
        for far in (4, 12, 20, 30, 42, 56, 72):
            for a, b in SIDES:
                across, up = a * (far + width), b * (far + height)
                ways[across, up] = box.translated(across * dots, up * dots).padded(2)
        best = min(ways, key=lambda way: covered(ways[way]))
        note.set_position(best)
        boxes.append(ways[best])
