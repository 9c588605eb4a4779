"""Figures of attention: the weights of one head, of several, of all."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.colors import PowerNorm

from helpers.plots.style import new_axes

GREY = "#555555"
PALETTE = ("#009E73", "#A6508A", "#B07800", "#3A8FC0", "#777777", "#222222")
SMALL = dict(fontsize=8)


def weight_map(
    weights: torch.Tensor,
    tokens: Sequence[str],
    *,
    rows: Sequence[str] | None = None,
    label: str = "attention weight",
    title: str = "",
    ax=None,
):
    """Draw a matrix (rows, tokens) of numbers from 0 to 1 as colours, with a scale.

    Without names for its ``rows`` it is a square of attention weights: the tokens that
    look are its rows, those looked at its columns.
    """
    height = 0.9 + (0.21 if rows is None else 0.4) * len(weights)
    ax = new_axes(ax, figsize=(max(4.2, 1.8 + 0.21 * len(tokens)), height))
    image = ax.imshow(weights.tolist(), vmin=0, vmax=1, cmap="viridis", aspect="auto")
    ax.figure.colorbar(image, ax=ax, shrink=0.8, label=label)
    ax.set_xticks(range(len(tokens)), tokens, rotation=90, **SMALL)
    names = tokens if rows is None else rows
    ax.set_yticks(range(len(names)), names, **SMALL)
    ax.set_title(title)
    if rows is None:
        ax.set(xlabel="token looked at", ylabel="token that looks")
    ax.grid(visible=False)
    return ax


def head_lines(
    weights: torch.Tensor,
    tokens: Sequence[str],
    *,
    names: Sequence[str],
    title: str = "",
    ax=None,
):
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
        ax.text(-0.02, y, token, ha="right", va="center", **SMALL)
        ax.text(1.02, y, token, ha="left", va="center", **SMALL)
    for number, (name, square) in enumerate(zip(names, weights, strict=True)):
        colour = PALETTE[number % len(PALETTE)]
        aside = 0.15 * (number - (len(names) - 1) / 2)  # equal lines stay apart
        for query, key in (square > 0.2).nonzero().tolist():
            shade = min(1.0, square[query, key].item())
            ends = [query + aside, key + aside]
            ax.plot([0, 1], ends, color=colour, alpha=shade, linewidth=1)
        at = (number + 0.5) / len(names)
        ax.text(at, -1.1, name, color=colour, ha="center", va="center", fontsize=9)
    ax.text(-0.02, -1.1, "looks", ha="right", va="center", color=GREY, **SMALL)
    ax.text(1.02, -1.1, "is looked at", ha="left", va="center", color=GREY, **SMALL)
    ax.set(xlim=(-0.35, 1.35), ylim=(len(tokens) - 0.5, -1.8), title=title)
    ax.axis("off")
    return ax


def head_grid(weights: torch.Tensor, *, title: str = ""):
    """Draw every head (layer, head, seq, seq) as a small map. Returns the axes."""
    layers, heads = weights.shape[:2]
    first = new_axes(figsize=(7, 0.7 + 6.6 * layers / heads))
    figure = first.figure
    first.remove()
    axes = figure.subplots(layers, heads, squeeze=False)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    norm = PowerNorm(0.5, vmin=0, vmax=1)  # so that weights of a few hundredths show
    for layer, row in enumerate(axes):
        for head, ax in enumerate(row):
            ax.imshow(weights[layer, head].tolist(), norm=norm, cmap="viridis")
            ax.set(xticks=[], yticks=[])
            ax.grid(visible=False)
            if layer == 0:
                ax.set_title(f"{head}", loc="center", fontsize=9, fontweight="normal")
        row[0].set_ylabel(f"{layer}", rotation=0, labelpad=10, va="center")
    figure.supylabel("layer", fontsize=9)
    figure.supxlabel("columns: heads", fontsize=9)
    return axes


def neuron_bars(
    query: torch.Tensor,
    keys: Mapping[str, torch.Tensor],
    weights: Mapping[str, float],
    *,
    title: str = "",
):
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
    first = new_axes(figsize=(6.5, 0.9 + 0.85 * len(keys)))
    figure = first.figure
    first.remove()
    axes = figure.subplots(len(keys), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    for ax, (name, key) in zip(axes, keys.items(), strict=True):
        products = (query * key / len(query) ** 0.5).tolist()
        colours = [PALETTE[0 if product > 0 else 1] for product in products]
        ax.bar(range(len(products)), products, color=colours)
        ax.axhline(0, color=GREY, linewidth=0.8)
        label = f"{name}\nscore {sum(products):.1f}\nweight {weights[name]:.2f}"
        ax.text(1.02, 0.5, label, transform=ax.transAxes, va="center", fontsize=9)
        ax.grid(axis="x", visible=False)
    axes[-1].set_xlabel("dimension of query and key")
    figure.supylabel("query × key / √d", fontsize=9)
    return axes
