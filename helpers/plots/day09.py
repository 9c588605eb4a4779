"""Figures of day 9: windows, surprise along a story, perplexity beside a verdict."""

from collections.abc import Mapping, Sequence

from helpers.plots.colours import BLACK, BLUE, GREEN, GREY, ORANGE, PALETTE
from helpers.plots.style import SMALL, grid, new_axes


def stride_curve(rows: Mapping[int, tuple], *, lines: Mapping[str, float], title=""):
    """Draw perplexity against its cost, {stride: (tokens read per token, perplexity)}.

    ``lines`` are two perplexities to compare with, dashed, each with its name.
    """
    ax = new_axes(title=title)
    costs, values = zip(*rows.values(), strict=True)
    ax.plot(costs, values, marker="o", color=BLUE)
    for stride, place in rows.items():
        side = "right" if place[0] == max(costs) else "left"
        style = {"textcoords": "offset points", "color": BLUE, "ha": side, **SMALL}
        ax.annotate(f"stride {stride}", place, (5, 7), **style)
    for side, (name, value) in zip(("bottom", "top"), lines.items(), strict=False):
        ax.axhline(value, color=BLACK, linewidth=1, linestyle="--")
        ax.text(max(costs), value, name, ha="right", va=side, **SMALL)
    ax.set(xlabel="tokens read per token scored", ylabel="perplexity")
    ax.margins(0.15, 0.12)
    return ax


def along(ends: Sequence[int], curves: Mapping[str, Sequence], *, title: str = ""):
    """Draw means with their errors, panel by panel, over the words of a story.

    ``curves``: {panel: a Mean for each stretch of words}; a stretch ends at ``ends``.
    """
    size = (3.4 * len(curves), 3)
    axes = grid(1, len(curves), size=size, title=title, names=curves)[0]
    width = ends[1] - ends[0]
    for ax, means, colour in zip(axes, curves.values(), PALETTE, strict=False):
        values, errors = zip(*means, strict=True)
        places = [end - width / 2 for end in ends]
        ax.errorbar(places, values, errors, marker="o", markersize=4, color=colour)
        ax.set(ylim=(0, None), xlabel="words of the story", ylabel="nats per word")
    return axes


def beside(panels: Mapping[str, Mapping[float, Sequence]], *, x, log=False, title=""):
    """Draw two measures over one ``x``, {measure: {x: its Mean}}.

    The first has a log scale, and with ``log`` both have one for ``x``.
    """
    size = (3.4 * len(panels), 3.1)
    axes = grid(1, len(panels), size=size, title=title, names=panels)[0]
    for ax, points, colour in zip(axes, panels.values(), (BLUE, ORANGE), strict=False):
        values, errors = zip(*points.values(), strict=True)
        style = {"marker": "o", "markersize": 5, "color": colour}
        ax.errorbar([*points], values, errors, **style)
        ax.set(xlabel=x, xscale="log" if log else "linear")
        ax.xaxis.set_major_formatter("{x:g}")
    axes[0].set_yscale("log")
    low, high = axes[0].get_ylim()
    ticks = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
    axes[0].set_yticks([tick for tick in ticks if low <= tick <= high])
    axes[0].yaxis.set_major_formatter("{x:g}")
    axes[0].yaxis.set_minor_formatter("")
    return axes


def domain_dots(rows: Mapping[str, Mapping[str, float]], *, title: str = ""):
    """Draw bits per byte of each text, {text: {reader: bits}}, on a log axis."""
    ax = new_axes(title=title, size=(6.5, 0.9 + 0.5 * len(rows)))
    readers = list(next(iter(rows.values())))
    colours = dict(zip(readers, (BLUE, GREEN, ORANGE, GREY), strict=False))
    for y, of_row in enumerate(rows.values()):
        ax.plot([min(of_row.values()), max(of_row.values())], [y, y], color="#DDDDDD")
    for reader, colour in colours.items():
        known = [
            (row[reader], y) for y, row in enumerate(rows.values()) if reader in row
        ]
        values, heights = zip(*known, strict=True)
        ax.plot(values, heights, "o", color=colour, label=reader)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="bits per byte (log scale; left is better)")
    ax.set_xticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
    ax.xaxis.set_minor_formatter("")
    place = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
    ax.legend(**place, **SMALL)
    return ax


def dots(rows: Mapping[str, Sequence[float]], *, x: str, title: str = ""):
    """Draw the values of each row as dots, its mean as a bar."""
    ax = new_axes(title=title, size=(6, 1 + 0.5 * len(rows)))
    for y, (values, colour) in enumerate(zip(rows.values(), PALETTE, strict=False)):
        heights = [y + 0.25 * (2 * (i * 0.618 % 1) - 1) for i in range(len(values))]
        ax.plot(values, heights, "o", color=colour, alpha=0.5, markersize=4)
        ax.plot([sum(values) / len(values)] * 2, [y - 0.4, y + 0.4], color=BLACK)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set(xlabel=x)
    return ax
