"""Figures of day 7: attention weights, head scores, costs of silencing, cut lines."""

from textwrap import wrap

import torch
from matplotlib.colors import PowerNorm

from helpers.plots.style import (
    BLACK,
    BLUE,
    CENTRE,
    GREEN,
    GREY,
    OCHRE,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SMALL,
    TINY,
    grid,
    heatmap,
    label,
    new_axes,
    row,
    spread,
)

HEADS = (GREEN, PURPLE, OCHRE, SKY, GREY, BLACK)  # blue and orange are for roles
ROLES = {"lookup heads": ORANGE, "previous-token heads": BLUE}  # all others grey


def weight_map(
    weights, tokens, *, rows=None, scale="attention weight", title="", ax=None
):
    """Draw a matrix (rows, tokens) of numbers from 0 to 1 as colours, with a scale.

    Without names for its ``rows`` it is a square of attention weights: the tokens that
    look are its rows, those looked at its columns.
    """
    height = 0.9 + (0.21 if rows is None else 0.4) * len(weights)
    ax = new_axes(ax, figsize=(max(4.2, 1.8 + 0.21 * len(tokens)), height))
    image = heatmap(ax, weights, aspect="auto")
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label=scale)
    names = [label(token) for token in tokens]
    ax.set_xticks(range(len(names)), names, rotation=90, **TINY)
    ax.set_yticks(range(len(weights)), names if rows is None else rows, **TINY)
    ax.set_title(title)
    if rows is None:
        ax.set(xlabel="token looked at", ylabel="token that looks")
    return ax


def head_lines(weights, tokens, *, names, title="", ax=None):
    """Draw attention as lines from the looking tokens, left, to those looked at.

    Args:
        weights: (head, seq, seq); a line is as solid as its weight. Weights below 0.2
            are left out.
        tokens: seq of them.
        names: one for each head, in its colour above the lines.
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax, figsize=(6, 1 + 0.24 * len(tokens)))
    for y, token in enumerate(tokens):
        ax.text(-0.02, y, label(token), ha="right", va="center", **TINY)
        ax.text(1.02, y, label(token), ha="left", va="center", **TINY)
    for number, (name, square) in enumerate(zip(names, weights, strict=True)):
        colour = HEADS[number % len(HEADS)]
        aside = 0.15 * (number - (len(names) - 1) / 2)  # equal lines stay apart
        for query, key in (square > 0.2).nonzero().tolist():
            shade = min(1.0, square[query, key].item())
            ends = [query + aside, key + aside]
            ax.plot([0, 1], ends, color=colour, alpha=shade, linewidth=1)
        at = (number + 0.5) / len(names)
        ax.text(at, -1.1, name, color=colour, **CENTRE, **SMALL)
    ax.text(-0.02, -1.1, "looks", ha="right", va="center", color=GREY, **TINY)
    ax.text(1.02, -1.1, "is looked at", ha="left", va="center", color=GREY, **TINY)
    ax.set(xlim=(-0.35, 1.35), ylim=(len(tokens) - 0.5, -1.8), title=title)
    ax.axis("off")
    return ax


def head_grid(weights: torch.Tensor, *, title: str = ""):
    """Draw every head (layer, head, seq, seq) as a small map. Returns the axes."""
    layers, heads = weights.shape[:2]
    axes = grid(layers, heads, size=(7, 0.7 + 6.6 * layers / heads), title=title)
    norm = PowerNorm(0.5, vmin=0, vmax=1)  # so that weights of a few hundredths show
    for layer, line in enumerate(axes):
        for head, ax in enumerate(line):
            heatmap(ax, weights[layer, head], norm=norm)
            ax.set(xticks=[], yticks=[])
            if layer == 0:
                ax.set_title(f"{head}", loc="center", fontsize=9, fontweight="normal")
        line[0].set_ylabel(f"{layer}", rotation=0, labelpad=10, va="center")
    axes[0, 0].figure.supylabel("layer", **SMALL)
    axes[0, 0].figure.supxlabel("columns: heads", **SMALL)
    return axes


def neuron_bars(query, keys, weights, *, title=""):
    """Draw the products of a query with some keys, dimension by dimension.

    Args:
        query: (d_head,).
        keys: for each token looked at, its key, (d_head,).
        weights: the attention weights of the same tokens.
        title: the message.

    Returns:
        The axes, one for each key: what its bars add up to, divided by the root of
        d_head, is the score.
    """
    size, shared = (6.5, 0.9 + 0.85 * len(keys)), {"sharex": True, "sharey": True}
    axes = grid(len(keys), 1, size=size, title=title, **shared)[:, 0]
    for ax, (name, key) in zip(axes, keys.items(), strict=True):
        products = (query * key / len(query) ** 0.5).tolist()
        colours = [GREEN if product > 0 else PURPLE for product in products]
        ax.bar(range(len(products)), products, color=colours)
        ax.axhline(0, color=GREY, linewidth=0.8)
        text = f"{name}\nscore {sum(products):.1f}\nweight {weights[name]:.2f}"
        ax.text(1.02, 0.5, text, transform=ax.transAxes, va="center", **SMALL)
        ax.grid(axis="x", visible=False)
    axes[-1].set_xlabel("dimension of query and key")
    axes[-1].figure.supylabel("query × key / √d", **SMALL)
    return axes


def score_maps(scores, *, chance=None, title=""):
    """Draw scores (layer, head) from 0 to 1: a row for each text, a column a kind.

    Returns the axes, (texts, kinds).
    """
    kinds = list(next(iter(scores.values())))
    layers, heads = next(iter(scores.values()))[kinds[0]].shape
    size = (1.9 * len(kinds) + 0.5, (0.5 + 1.6 * layers / heads) * len(scores) + 0.8)
    axes = grid(len(scores), len(kinds), size=size, title=title)
    for line, (text, maps) in zip(axes, scores.items(), strict=True):
        for ax, kind in zip(line, kinds, strict=True):
            image = heatmap(ax, maps[kind])
            level = f", chance {chance[text][kind]:.2f}" if chance else ""
            ax.set_title(kind + level, fontsize=9, fontweight="normal")
            ax.set(xticks=range(0, heads, 2), yticks=range(0, layers, 2))
            ax.tick_params(labelsize=7)
        line[0].set_ylabel(f"{text}\nlayer", **SMALL)
    for ax in axes[-1]:
        ax.set_xlabel("head", **SMALL)
    axes[0, 0].figure.colorbar(image, ax=axes, shrink=0.7, label="score")
    return axes


def dose_lines(curves, *, measure="", title="", ax=None):
    """Draw a measure against the number of heads silenced.

    A choice of heads has several curves where it was drawn by lot several times.
    """
    ax = new_axes(ax)
    for name, several in curves.items():
        colour = ROLES.get(name, GREY)
        for values in several:
            shade = 1 if len(several) == 1 else 0.5
            ax.plot(values, "o-", markersize=4, color=colour, alpha=shade)
        end = sum(values[-1] for values in several) / len(several)
        wrapped = "\n".join(wrap(name, 15))
        ax.text(len(values) - 0.85, end, wrapped, color=colour, va="center")
    ax.set(xlabel="heads silenced", ylabel=measure, title=title, ylim=(0, None))
    ax.set(xlim=(-0.2, 1.28 * len(values)), xticks=range(len(values)))
    return ax


def choice_points(named, others, *, groups, measure="", title="", ax=None):
    """Draw a measure for choices of heads to be silenced, each choice a point.

    Args:
        named: what a choice is called, written beside its point, to (heads silenced,
            what is left of the measure).
        others: points of the control, without names.
        groups: what the two kinds of points are called.
        measure: label of the upright axis.
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax)
    colours = [ROLES.get(group, GREY) for group in groups]
    counts, left = zip(*named.values(), strict=True)
    ax.plot(counts, left, "o", color=colours[0], alpha=0.8)
    counts, left = zip(*others, strict=True)  # aside, so that none hides another
    ax.plot([n + 0.1 for n in counts], left, "o", color=colours[1], alpha=0.8)
    for count in {n for n, _ in named.values()}:
        column = {name: left for name, (n, left) in named.items() if n == count}
        # Spread downwards: what is left is often everything, at the top of the axes.
        heights = [-h for h in spread([-left for left in column.values()], gap=0.06)]
        for name, height in zip(column, heights, strict=True):
            style = {"color": colours[0], "ha": "right", "va": "center", **TINY}
            ax.text(count - 0.06, height, name, **style)
    for place, group, colour in zip((0.16, 0.08), groups, colours, strict=True):
        ax.text(0.02, place, group, transform=ax.transAxes, color=colour)
    most = max(n for n, _ in [*named.values(), *others])
    ax.set(xlabel="heads silenced", ylabel=measure, title=title)
    ax.set(xlim=(0.5, most + 0.4), ylim=(-0.05, 1.05), xticks=range(1, most + 1))
    return ax


def ranked_costs(costs, *, groups, labels=2, title=""):
    """Draw what each head costs, the costliest first, a panel for each measure.

    Args:
        costs: name of the measure, with its unit, to {head: (mean, error)}. Bars are
            two standard errors long on each side.
        groups: name of a group to its heads; they are drawn in its colour.
        labels: how many of the costliest heads are named.
        title: the message.

    Returns:
        The axes, one for each measure.
    """
    axes = row(len(costs), size=(8.5, 3.4), title=title)
    colours = {}
    for name, heads in groups.items():
        colours |= dict.fromkeys(heads, ROLES.get(name, GREY))
    for ax, (measure, of_head) in zip(axes, costs.items(), strict=True):
        for rank, head in enumerate(sorted(of_head, key=lambda h: -of_head[h][0])):
            mean, error = of_head[head]
            style = {"fmt": "o", "markersize": 3, "elinewidth": 1}
            colour = colours.get(head, PALE)
            ax.errorbar(rank, mean, yerr=2 * error, color=colour, **style)
            if rank < labels:
                text, place = f" {head[0]}.{head[1]}", (rank, mean + 2 * error)
                dark = colours.get(head, GREY)
                ax.text(*place, text, color=dark, va="bottom", **TINY)
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_title(measure, fontsize=9, fontweight="normal")
        ax.set(xlabel="heads, the costliest first", xticks=[])
        ax.grid(axis="x", visible=False)
    for number, name in enumerate(groups):
        style = {"transform": axes[0].transAxes, "color": ROLES.get(name, GREY)}
        axes[0].text(0.98, 0.93 - 0.08 * number, name, ha="right", **style, **SMALL)
    axes[0].set_ylabel("what silencing costs")
    return axes


def effect_scatter(weights, effects, *, marks, floor=1e-05, title="", ax=None):
    """Draw the effect of cutting each line against its weight, both on log axes.

    Args:
        weights: of all lines, any shape.
        effects: of the same lines.
        marks: name to (weight, effect) of lines to be pointed at.
        floor: smaller numbers are drawn there.
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax, figsize=(6, 4))
    x, y = (numbers.flatten().clamp(min=floor) for numbers in (weights, effects))
    ax.scatter(x, y, s=9, color=PALE, linewidths=0)
    highest = max(effect for _, effect in marks.values())
    for (name, point), shape in zip(marks.items(), "soD^", strict=False):
        ax.plot(*point, shape, color=BLACK, markersize=7)
        box = {"facecolor": "white", "alpha": 0.85, "pad": 0.6, "linewidth": 0}
        aside = (0, 14 if point[1] >= highest else -14)
        style = {"textcoords": "offset points", "color": BLACK, "bbox": box}
        ax.annotate(name, point, aside, **style, **CENTRE, **SMALL)
    ax.set(xscale="log", yscale="log", title=title, ylim=(floor / 2, 2))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    ax.set_xlabel("attention weight of the line")
    ax.set_ylabel("share of the forecast that moves\nwhen it is cut")
    return ax
