"""Figures of day 7: attention weights, head scores, what parts say and cost."""

import torch

from helpers.plots.colours import BLUE, GREEN, GREY, ORANGE, PURPLE
from helpers.plots.style import CENTRE, SMALL, TINY, grid, heatmap, label, new_axes


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


def strips(panels, *, title: str = "", named=(), shared: bool = False):
    """Draw values as dots, {panel: {row: values}}; a bar is their mean, ± its error.

    The texts of a row stand in the same order everywhere. ``named`` rows are coloured;
    ``shared``: all panels have the same axis.
    """
    rows = list(next(iter(panels.values())))
    size = (7.2, 0.9 + 0.33 * len(rows))
    options = {"sharey": True, "sharex": shared}
    axes = grid(1, len(panels), size=size, title=title, **options)[0]
    for ax, (name, of_row) in zip(axes, panels.items(), strict=True):
        for y, row in enumerate(rows):
            values = torch.as_tensor(of_row[row], dtype=torch.float32)
            heights = y + torch.linspace(-0.3, 0.3, len(values))
            colour = ORANGE if row in named else BLUE
            ax.plot(values, heights, "o", color=colour, alpha=0.35, markersize=3)
            error = values.std() / len(values) ** 0.5
            style = {"fmt": "|", "markersize": 13, "color": "black", "elinewidth": 1.5}
            ax.errorbar(values.mean(), y, xerr=error, **style)
        ax.set_xlabel(name, **SMALL)
        ax.tick_params(labelsize=8)
    axes[0].set_yticks(range(len(rows)), rows)
    axes[0].invert_yaxis()
    return axes
