"""Figures of day 10: a loss on its way, learned or by heart, rates and epochs."""

from collections.abc import Mapping, Sequence

from helpers.plots.colours import BLUE, GREY, ORANGE, PALETTE
from helpers.plots.style import CENTRE, SMALL, grid, heatmap, new_axes

LOSS = "loss (nats per token)"


def loss_curve(
    losses: Sequence[float], *, lines: Mapping[str, float], title="", ax=None
):
    """Draw the loss of each step, and named heights as dashed lines."""
    ax = new_axes(ax, title=title)
    steps = range(1, len(losses) + 1)
    ax.plot(steps, losses)
    for name, height in lines.items():
        ax.axhline(height, color=GREY, linewidth=1, linestyle="--")
        ax.text(len(losses), height, name, ha="right", va="top", color=GREY, **SMALL)
    ax.set(xlabel="step", ylabel=LOSS, ylim=(0, None))
    return ax


def overfitting(tracks: Mapping[str, tuple], *, floor: float, title=""):
    """Draw training and held-out loss, a panel for each name; return the axes.

    ``tracks``: name to (the loss of each step, {step: held-out loss}).
    """
    size = (3.4 * len(tracks), 3.2)
    axes = grid(1, len(tracks), names=tracks, size=size, title=title, sharey=True)
    for ax, (losses, held_out) in zip(axes.flat, tracks.values(), strict=True):
        width = min(held_out)  # steps of a mean, so that both lines can be compared
        ends = [end for end in held_out if end <= len(losses)]
        means = [sum(losses[end - width : end]) / width for end in ends]
        ax.plot(ends, means, color=BLUE)
        ax.plot([*held_out], [*held_out.values()], "o-", ms=4, color=ORANGE)
        ax.axhline(floor, color=GREY, linewidth=1, linestyle="--")
        ax.set(xlabel="step", ylim=(0, None))
    first = axes.flat[0]
    first.set_ylabel(LOSS)
    style = {"transform": first.transAxes, "ha": "right", **SMALL}
    for height, name, colour in ((0.93, "held-out", ORANGE), (0.84, "training", BLUE)):
        first.text(0.97, height, name, color=colour, **style)
    first.text(0.97, 0.75, "dashed: floor", color=GREY, **style)
    return axes.flat


def sweep(rows: Sequence[Mapping], *, floor: float, title="", ax=None):
    """Draw the held-out loss of each rate and number of epochs, above the floor.

    ``rows`` have ``learning_rate``, ``epochs`` and ``nll``; the best one is framed.
    """
    ax = new_axes(ax, title=title, size=(6.5, 3.8))
    rates = sorted({row["learning_rate"] for row in rows})
    epochs = sorted({row["epochs"] for row in rows})
    found = {(row["learning_rate"], row["epochs"]): row["nll"] - floor for row in rows}
    values = [[found[rate, n] for n in epochs] for rate in rates]
    low, high = min(found.values()), min(max(found.values()), 5)
    options = {"vmin": low, "vmax": high, "cmap": "viridis_r", "aspect": "auto"}
    heatmap(ax, values, **options)
    for i, line in enumerate(values):
        for j, value in enumerate(line):
            colour = "black" if value < (low + high) / 2 else "white"
            weight = "bold" if value == low else "normal"
            ax.text(j, i, f"{value:.1f}", color=colour, weight=weight, **CENTRE)
    ax.set_xticks(range(len(epochs)), epochs)
    ax.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    ax.set(xlabel="epochs", ylabel="learning rate")
    return ax


def two_trainings(saves: Sequence[Mapping], *, title="", ax=None):
    """Draw what the saves of trainings lose above the floor, over the tokens read.

    ``saves`` have ``targets`` ("truth" or "words"), ``tokens`` and ``excess``, a mean
    with its error, in nats per token.
    """
    ax = new_axes(ax, title=title)
    ways = (("truth", "from probabilities", BLUE), ("words", "from words", ORANGE))
    sides = ({"xytext": (-8, -2), "ha": "right", "va": "top"}, {"xytext": (6, 2)})
    for (targets, name, colour), side in zip(ways, sides, strict=True):
        some = [save for save in saves if save["targets"] == targets]
        tokens = [save["tokens"] / 1e6 for save in some]
        values, errors = zip(*(save["excess"] for save in some), strict=True)
        ax.errorbar(tokens, values, errors, marker="o", markersize=4, color=colour)
        place = {"textcoords": "offset points", **side, **SMALL}
        ax.annotate(name, (tokens[-1], values[-1]), color=colour, **place)
    ax.set(xscale="log", yscale="log", xlabel="million tokens read")
    ax.set(ylabel="loss above the floor (nats per token)")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    return ax


def kept_and_learned(rows: Sequence[Mapping], *, best: tuple, title="", ax=None):
    """Draw the old world's loss over the new one's, a line for each way to learn.

    ``rows`` have ``way``, ``steps``, ``rate``, and the losses ``old`` and ``new``
    (means with their errors); lessons that differ in nothing else are averaged. More
    steps are a dashed line; the first and the last rate of each line are named.
    ``best`` are the floors, (new, old), drawn as a star.
    """
    ax = new_axes(ax, title=title, size=(6.8, 4.2))
    ways = [*dict.fromkeys(row["way"] for row in rows)]
    fewest = min(row["steps"] for row in rows)
    for way, steps in dict.fromkeys((row["way"], row["steps"]) for row in rows):
        colour = PALETTE[ways.index(way)]
        form = "o-" if steps == fewest else "o--"
        some = [row for row in rows if (row["way"], row["steps"]) == (way, steps)]
        rates = sorted({row["rate"] for row in some})
        points = []
        for rate in rates:
            same = [row for row in some if row["rate"] == rate]
            sums = [sum(row[world][0] for row in same) for world in ("new", "old")]
            points.append([total / len(same) for total in sums])
        ax.plot(*zip(*points, strict=True), form, markersize=4, color=colour)
        for rate, point in {rates[0]: points[0], rates[-1]: points[-1]}.items():
            style = {"textcoords": "offset points", "color": colour, **SMALL}
            ax.annotate(f"{rate:g}", point, (5, 3), **style)
        name = way if steps == fewest else f"{way}, {steps} steps"
        ax.plot([], [], form, markersize=4, color=colour, label=name)
    ax.plot(*best, "*", markersize=10, color=GREY)
    ax.annotate("floor of both", best, (8, -3), textcoords="offset points", **SMALL)
    ax.set(yscale="log", xlabel="held-out loss on verse (nats per token)")
    ax.set(ylabel="loss on stories (log scale)")
    ax.set_yticks([0.5, 1, 2, 5, 10], ["0.5", "1", "2", "5", "10"])
    ax.yaxis.set_minor_formatter("")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), **SMALL)
    return ax
