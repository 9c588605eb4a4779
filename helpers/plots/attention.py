"""Figures of attention: weights as maps and lines, scores, costs, effects."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import torch
from matplotlib.colors import PowerNorm

from helpers.plots.style import new_axes

BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#555555", "#BBBBBB"
PALETTE = ("#009E73", "#A6508A", "#B07800", "#3A8FC0", "#777777", "#222222")
ROLES = {"lookup heads": ORANGE, "previous-token heads": BLUE}  # all others grey
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


def score_maps(
    scores: Mapping[str, Mapping[str, torch.Tensor]],
    *,
    chance: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "",
):
    """Draw scores (layer, head) from 0 to 1: a row for each text, a column a kind.

    Returns the axes, (texts, kinds).
    """
    layers, heads = next(iter(next(iter(scores.values())).values())).shape
    kinds = list(next(iter(scores.values())))
    size = (1.9 * len(kinds) + 0.5, (0.5 + 1.6 * layers / heads) * len(scores) + 0.8)
    first = new_axes(figsize=size)
    figure = first.figure
    first.remove()
    axes = figure.subplots(len(scores), len(kinds), squeeze=False)
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    for row, (text, found) in zip(axes, scores.items(), strict=True):
        for ax, kind in zip(row, kinds, strict=True):
            image = ax.imshow(found[kind].tolist(), vmin=0, vmax=1, cmap="viridis")
            level = f", chance {chance[text][kind]:.2f}" if chance else ""
            ax.set_title(kind + level, fontsize=9, fontweight="normal")
            ax.set(xticks=range(0, heads, 2), yticks=range(0, layers, 2))
            ax.tick_params(labelsize=7)
            ax.grid(visible=False)
        row[0].set_ylabel(f"{text}\nlayer", fontsize=9)
    for ax in axes[-1]:
        ax.set_xlabel("head", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.7, label="score")
    return axes


def dose_lines(
    curves: Mapping[str, Sequence[Sequence[float]]],
    *,
    label: str = "",
    title: str = "",
    ax=None,
):
    """Draw a measure against the number of heads silenced.

    Args:
        curves: name of a choice of heads to its curves, one for each way to draw it.
        label: the measure.
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax)
    for name, several in curves.items():
        colour = ROLES.get(name, GREY)
        for values in several:
            style = dict(color=colour, alpha=1 if len(several) == 1 else 0.5)
            ax.plot(values, "o-", markersize=4, **style)
        end = sum(values[-1] for values in several) / len(several)
        wrapped = "\n".join(wrap(name, 15))
        ax.text(len(values) - 0.85, end, wrapped, color=colour, va="center")
    ax.set(xlabel="heads silenced", ylabel=label, title=title, ylim=(0, None))
    ax.set(xlim=(-0.2, 1.28 * len(values)), xticks=range(len(values)))
    return ax


def choice_points(
    choices: Mapping[str, Mapping[str, tuple[int, float]]],
    *,
    label: str = "",
    title: str = "",
    ax=None,
):
    """Draw a measure for choices of heads to be silenced, each choice a point.

    Args:
        choices: name of a group to {what a choice is called: (heads silenced, what is
            left)}. Names that begin with a space are not written.
        label: the measure.
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax)
    for number, (group, found) in enumerate(choices.items()):
        colour = ROLES.get(group, GREY)
        shift = 0.1 * number  # so that points of two groups do not hide
        counts, left = zip(*found.values(), strict=True)
        ax.plot([n + shift for n in counts], left, "o", color=colour, alpha=0.8)
        free = dict.fromkeys(counts, 2.0)  # below which height names can be written
        for name, (n, value) in sorted(found.items(), key=lambda item: -item[1][1]):
            if not name.startswith(" "):
                free[n] = min(value, free[n] - 0.06)
                style = dict(color=colour, ha="right", va="center", fontsize=8)
                ax.text(n + shift - 0.06, free[n], name, **style)
        place = dict(x=0.02, y=0.16 - 0.08 * number, s=group)
        ax.text(**place, transform=ax.transAxes, color=colour)
    ax.set(xlabel="heads silenced", ylabel=label, title=title)
    most = max(n for found in choices.values() for n, _ in found.values())
    ax.set(xlim=(0.5, most + 0.4), ylim=(-0.05, 1.05), xticks=range(1, most + 1))
    return ax


def ranked_costs(
    costs: Mapping[str, Mapping],
    *,
    groups: Mapping[str, Sequence],
    labels: int = 2,
    title: str = "",
):
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
    first = new_axes(figsize=(8.5, 3.4))
    figure = first.figure
    first.remove()
    axes = figure.subplots(1, len(costs), squeeze=False)[0]
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    colours = {
        h: ROLES.get(name, GREY) for name, group in groups.items() for h in group
    }
    for ax, (measure, found) in zip(axes, costs.items(), strict=True):
        ranked = sorted(found, key=lambda head: -found[head][0])
        for rank, head in enumerate(ranked):
            mean, error = found[head]
            colour = colours.get(head, PALE)
            style = dict(color=colour, fmt="o", markersize=3, elinewidth=1)
            ax.errorbar(rank, mean, yerr=2 * error, **style)
            if rank < labels:
                dark = colours.get(head, GREY)
                name = f"{head[0]}.{head[1]}"
                place = (rank, mean + 2 * error)
                ax.text(*place, f" {name}", color=dark, va="bottom", fontsize=8)
        ax.axhline(0, color=GREY, linewidth=0.8)
        ax.set_title(measure, fontsize=9, fontweight="normal")
        ax.set(xlabel="heads, the costliest first", xticks=[])
        ax.grid(axis="x", visible=False)
    for number, name in enumerate(groups):
        place = dict(x=0.98, y=0.93 - 0.08 * number, s=name, ha="right", fontsize=9)
        axes[0].text(**place, transform=axes[0].transAxes, color=ROLES.get(name, GREY))
    axes[0].set_ylabel("what silencing costs")
    return axes


def effect_scatter(
    weights: torch.Tensor,
    effects: torch.Tensor,
    *,
    marks: Mapping[str, tuple[float, float]],
    floor: float = 1e-5,
    title: str = "",
    ax=None,
):
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
    for (name, point), shape in zip(marks.items(), "soD^", strict=False):
        ax.plot(*point, shape, color=PALETTE[-1], markersize=7)
        high = point[1] >= max(effect for _, effect in marks.values())
        box = dict(facecolor="white", alpha=0.85, pad=0.6, linewidth=0)
        place = dict(xytext=(0, 14 if high else -14), textcoords="offset points")
        style = dict(ha="center", va="center", color=PALETTE[-1], fontsize=9)
        ax.annotate(name, point, **place, **style, bbox=box)
    ax.set(xscale="log", yscale="log", title=title)
    ax.set_xlabel("attention weight of the line")
    ax.set_ylabel("share of the forecast that moves\nwhen it is cut")
    ax.set_ylim(floor / 2, 2)
    return ax
