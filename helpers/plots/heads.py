"""Figures of heads: their scores, what silencing them costs, what a line carries."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import torch

from helpers.plots.style import new_axes

BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#555555", "#BBBBBB"
BLACK = "#222222"
ROLES = {"lookup heads": ORANGE, "previous-token heads": BLUE}  # all others grey


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
        ax.plot(*point, shape, color=BLACK, markersize=7)
        high = point[1] >= max(effect for _, effect in marks.values())
        box = dict(facecolor="white", alpha=0.85, pad=0.6, linewidth=0)
        place = dict(xytext=(0, 14 if high else -14), textcoords="offset points")
        style = dict(ha="center", va="center", color=BLACK, fontsize=9)
        ax.annotate(name, point, **place, **style, bbox=box)
    ax.set(xscale="log", yscale="log", title=title)
    ax.set_xlabel("attention weight of the line")
    ax.set_ylabel("share of the forecast that moves\nwhen it is cut")
    ax.set_ylim(floor / 2, 2)
    return ax
