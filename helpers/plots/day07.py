"""Figures of day 7: attention weights, head scores, what is left when silenced."""

from textwrap import fill

import torch

from helpers.plots.colours import BLUE, GREEN, GREY, ORANGE, PURPLE
from helpers.plots.style import (
    CENTRE,
    SMALL,
    TINY,
    grid,
    heatmap,
    label,
    new_axes,
    spread,
)

ROLES = {"lookup heads": ORANGE, "previous-token heads": BLUE}  # all others grey


def weight_map(weights, tokens, *, title="", ax=None):
    """Draw (seq, seq) as colours: which token looks at which."""
    size = (max(4.2, 1.8 + 0.21 * len(tokens)), 0.9 + 0.21 * len(weights))
    ax = new_axes(ax, title=title, size=size)
    image = heatmap(ax, weights, aspect="auto")
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label="attention weight")
    names = [label(token) for token in tokens]
    ax.set_xticks(range(len(names)), names, rotation=90, **TINY)
    ax.set_yticks(range(len(names)), names, **TINY)
    ax.set(xlabel="token looked at", ylabel="token that looks")
    return ax


def head_grid(weights: torch.Tensor, *, title: str = ""):
    """Draw every head (layer, head, seq, seq) as a small map. Returns the axes."""
    layers, heads = weights.shape[:2]
    axes = grid(layers, heads, size=(7, 0.7 + 6.6 * layers / heads), title=title)
    for ax, square in zip(axes.flat, weights.flatten(0, 1), strict=True):
        heatmap(ax, square.sqrt())  # so that weights of a few hundredths show
        ax.set(xticks=[], yticks=[])
    for head, ax in enumerate(axes[0]):
        ax.set_title(f"{head}", loc="center", fontsize=9, fontweight="normal")
    for layer, ax in enumerate(axes[:, 0]):
        ax.set_ylabel(f"{layer}", rotation=0, labelpad=10, va="center")
    axes[0, 0].figure.supylabel("layer", **SMALL)
    axes[0, 0].figure.supxlabel("columns: heads", **SMALL)
    return axes


def neuron_bars(query, keys, weights, *, title=""):
    """Draw the products of a query with some keys, dimension by dimension.

    ``query``: (d_head,); ``keys``: for each token looked at, its key, (d_head,);
    ``weights``: those of the same tokens. The bars of a key add up to its score.
    """
    size, shared = (6.5, 0.9 + 0.85 * len(keys)), {"sharex": True, "sharey": True}
    axes = grid(len(keys), 1, size=size, title=title, **shared)[:, 0]
    for ax, (name, key) in zip(axes, keys.items(), strict=True):
        products = (query * key / len(query) ** 0.5).tolist()
        colours = [GREEN if product > 0 else PURPLE for product in products]
        ax.bar(range(len(products)), products, color=colours)
        ax.axhline(0, color=GREY, linewidth=0.8)
        text = f"{name}\nsum {sum(products):.1f}\nweight {weights[name]:.2f}"
        ax.text(1.02, 0.5, text, transform=ax.transAxes, va="center", **SMALL)
        ax.grid(axis="x", visible=False)
    axes[-1].set_xlabel("dimension of query and key")
    axes[-1].figure.supylabel("query × key / √d", **SMALL)
    return axes


def score_maps(scores, *, title=""):
    """Draw scores (layer, head) from 0 to 1: a row for each text, a column a kind."""
    kinds = list(next(iter(scores.values())))
    layers, heads = next(iter(scores.values()))[kinds[0]].shape
    size = (1.9 * len(kinds) + 0.5, (0.5 + 1.6 * layers / heads) * len(scores) + 0.8)
    names = kinds * len(scores)
    axes = grid(len(scores), len(kinds), size=size, title=title, names=names)
    for line, (text, maps) in zip(axes, scores.items(), strict=True):
        for ax, kind in zip(line, kinds, strict=True):
            image = heatmap(ax, maps[kind])
            ax.set(xticks=range(0, heads, 2), yticks=range(0, layers, 2))
            ax.tick_params(labelsize=7)
            for layer, head in (maps[kind] > 0.5).nonzero().tolist():
                name = f"{layer}.{head}"
                ax.text(head, layer, name, **CENTRE, fontsize=6)
        line[0].set_ylabel(f"{text}\nlayer", **SMALL)
    for ax in axes[-1]:
        ax.set_xlabel("head", **SMALL)
    axes[0, 0].figure.colorbar(image, ax=axes, shrink=0.7, label="score")
    return axes


def dose_lines(curves, *, measure="", title="", ax=None):
    """Draw a measure against the number of heads silenced, a curve for each draw."""
    ax = new_axes(ax, title=title)
    for name, several in curves.items():
        colour = ROLES.get(name, GREY)
        for values in several:
            shade = 1 if len(several) == 1 else 0.5
            ax.plot(values, "o-", markersize=4, color=colour, alpha=shade)
        end = sum(values[-1] for values in several) / len(several)
        ax.text(len(values) - 0.85, end, fill(name, 15), color=colour, va="center")
    ax.set(xlabel="heads silenced", ylabel=measure, ylim=(0, None))
    ax.set(xlim=(-0.2, 1.28 * len(values)), xticks=range(len(values)))
    return ax


def choice_points(named, others, *, groups, measure="", title="", ax=None):
    """Draw a measure for choices of heads to be silenced, each choice a point.

    ``named``: name of a choice to (heads silenced, what is left, its standard error).
    ``others``: such points of the control. ``groups``: names of the two kinds.
    """
    ax = new_axes(ax, title=title)
    aside = [n + 0.1 + 0.05 * (i % 3) for i, (n, _, _) in enumerate(others)]
    moved = [(x, *point[1:]) for x, point in zip(aside, others, strict=True)]
    points = [*named.values()], moved
    for place, group, kind in zip((0.16, 0.08), groups, points, strict=True):
        colour = ROLES.get(group, GREY)
        x, left, error = zip(*kind, strict=True)
        ax.errorbar(x, left, error, fmt="o", color=colour, elinewidth=1)
        ax.text(0.02, place, group, transform=ax.transAxes, color=colour)
    style = {"color": ROLES.get(groups[0], GREY), "ha": "right", "va": "center"}
    for count in {n for n, _, _ in named.values()}:
        column = {name: left for name, (n, left, _) in named.items() if n == count}
        # Spread downwards: what is left is often everything, at the top of the axes.
        heights = [-h for h in spread([-left for left in column.values()], gap=0.06)]
        for name, height in zip(column, heights, strict=True):
            ax.text(count - 0.06, height, name, **style, **TINY)
    most = max(n for n, _, _ in [*named.values(), *others])
    ax.set(xlabel="heads silenced", ylabel=measure, xticks=range(1, most + 1))
    ax.set(xlim=(0.5, most + 0.4), ylim=(-0.05, 1.05))
    return ax
