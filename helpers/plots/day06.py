"""Figures of day 6: rules at work, first slips, the truth, the frontier."""

from collections.abc import Mapping

from matplotlib.text import Text
from matplotlib.ticker import FormatStrFormatter, NullFormatter

from helpers.plots.style import (
    BLUE,
    GREY,
    OCHRE,
    ORANGE,
    PALE,
    PALETTE,
    SKY,
    SMALL,
    grid,
    label,
    new_axes,
    panel_title,
    spread,
)

HEAT = (BLUE, SKY, OCHRE, ORANGE)  # from cold to hot
AXES = {
    "accepted": "stories right to the end, share",
    "right": "told before the first slip, share",
    "distinct": "repeated word pairs, share (log scale): less to the right",
    "self_bleu": "self-BLEU, likeness of the stories (log scale): less to the right",
}


def before_after(before, after, *, names=(), top=24, counts=True, title=""):
    """Draw one distribution (vocab,) and what several rules make of it, panel by panel.

    Grey bars stand behind: the distribution before; coloured bars in front: after. A
    token without a coloured bar has probability 0. The ``top`` likeliest tokens are
    shown, with the first of their ``names`` below, and with ``counts`` a note says how
    many are left. The panels of a row share their scale. Returns the axes.
    """
    rows = -(-len(after) // 2)
    shared = {"sharex": True, "sharey": "row"}
    axes = grid(rows, 2, size=(7, 0.6 + 1.7 * rows), title=title, **shared).flatten()
    order = before.argsort(descending=True, stable=True)[:top]
    for ax, (name, probs) in zip(axes, after.items(), strict=False):
        ax.bar(range(len(order)), before[order].tolist(), color=PALE, width=0.9)
        ax.bar(range(len(order)), probs[order].tolist(), color=BLUE, width=0.5)
        panel_title(ax, name)
        kept = int((probs > 0).sum())
        note = f"{kept:,} of {len(probs):,} tokens left" if counts else ""
        ax.text(0.98, 0.9, note, transform=ax.transAxes, ha="right", va="top", size=9)
        ax.grid(axis="x", visible=False)
    for ax in axes[len(after) :]:
        ax.remove()
    shown = [label(name) for name in names[: len(order)]]
    for ax in axes[max(0, len(after) - 2) : len(after)]:
        ax.set_xticks(range(len(shown)), shown, rotation=90, fontsize=8)
        ax.tick_params(axis="x", labelbottom=True)
    for ax in axes[: len(after) : 2]:
        ax.set_ylabel("probability")
    return axes[: len(after)]


def right_lines(lines, *, risk=None, given=0, title="", ax=None):
    """Draw the share of stories still without a slip after 0, 1, 2 … words.

    A line per strategy, its name at its right end, coloured from cold to hot in the
    order given. Dashed: (1 - risk) to the power of the words after the ``given`` ones.
    """
    ax = new_axes(ax)
    longest = max(map(len, lines.values()))
    heights = spread([line[-1] for line in lines.values()], gap=0.07)
    for (name, line), height, colour in zip(lines.items(), heights, HEAT, strict=False):
        ax.plot(line, color=colour)
        ax.text(longest, height, name, color=colour, va="center", **SMALL)
    if risk is not None:
        law = [(1 - risk) ** max(n - given, 0) for n in range(longest)]
        ax.plot(law, "--", color=GREY, linewidth=1)
        note = f"dashed: {risk:.3f} risk per word"
        ax.text(0.98, 0.95, note, transform=ax.transAxes, color=GREY, ha="right")
    ax.set(xlim=(0, 1.17 * longest), ylim=(-0.03, 1.05), title=title)
    ax.set(xlabel="words of the story", ylabel="stories without a slip so far")
    return ax


def truth_bars(rows: Mapping[str, Mapping[str, float]], *, title: str = "", ax=None):
    """Draw how each rule's distribution differs from the true one.

    Args:
        rows: name of the rule to "let in" (probability of what is impossible), "cut
            off" (true probability of what the rule forbids) and "distance" (total
            variation).
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax, figsize=(6.5, 0.8 + 0.3 * len(rows)))
    places = range(len(rows))
    let_in = [row["let in"] for row in rows.values()]
    cut_off = [-row["cut off"] for row in rows.values()]
    distance = [row["distance"] for row in rows.values()]
    ax.barh(places, let_in, color=ORANGE, height=0.6)
    ax.barh(places, cut_off, color=BLUE, height=0.6)
    ax.plot(distance, places, "D", color="black", ms=5)
    ax.axvline(0, color=GREY, linewidth=1)
    ax.set_yticks(places, list(rows))
    ax.set_ylim(len(rows) - 0.5, -1.6)
    right = max(*distance, *let_in)
    ax.text(right / 60, -1, "nonsense let in", color=ORANGE, va="center")
    ax.text(-right / 60, -1, "truth cut off", color=BLUE, ha="right", va="center")
    ax.text(right, -1, "◆ distance", ha="right", va="center")
    ax.set_xlim(min(-0.6 * right, 1.1 * min(cut_off)), 1.05 * right)
    ticks = [tick for tick in ax.get_xticks() if -1 <= tick <= 1]
    ax.set_xticks(ticks, [f"{abs(tick):.2f}" for tick in ticks])
    ax.set_xlim(min(-0.6 * right, 1.1 * min(cut_off)), 1.05 * right)
    ax.set(xlabel="probability, mean over the places", title=title)
    ax.grid(axis="y", visible=False)
    return ax


def frontier(
    families,
    *,
    x="distinct",
    y="accepted",
    joined=("temperature", "top-k", "top-p"),
    truth=None,
    title="",
    ax=None,
):
    """Draw the points of ``evaluation.frontier``, a colour and a line for each family.

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
        for name, point in points.items():
            (place, error), high = _diversity(point, x), getattr(point, y)
            bars = {"xerr": error, "yerr": high.error, "elinewidth": 0.8, "ms": 5}
            ax.errorbar(place, high.value, fmt="o", color=colour, alpha=0.9, **bars)
            spots.append((place, high.value, name, colour))
        if family in joined:
            line = [spot[:2] for spot in spots[-len(points) :]]
            ax.plot(*zip(*line, strict=True), color=colour, linewidth=1, alpha=0.5)
    if truth is not None:
        at = _diversity(truth, x)[0], getattr(truth, y).value
        ax.plot(*at, "*", color="black", ms=14)
        spots.append((*at, "the world's own", "black"))
    ax.set(xlabel=AXES[x], ylabel=AXES[y], title=title, xscale="log")
    ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    ax.set_xticks([0.05, 0.1, 0.2, 0.5])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.margins(0.1)
    ax.invert_xaxis()
    _label(ax, spots)
    return ax


def _diversity(point, x: str) -> tuple[float, float]:
    measured = getattr(point, x)
    mean = 1 - measured.value if x == "distinct" else measured.value
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
