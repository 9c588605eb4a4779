"""Figures of day 4: the tokens read, their cost, padded rows, one choice."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.colors import ListedColormap

from helpers.plots.style import (
    BLUE,
    CENTRE,
    GREY,
    ORANGE,
    PALE,
    SMALL,
    TINY,
    heatmap,
    label,
    new_axes,
    panel_title,
    row,
)


def work_maps(reads: Mapping[str, Sequence[int]], *, title: str = ""):
    """Draw which tokens the model read at each step, a map per way of generating.

    Each way is given by its number of tokens read, step by step. At step ``i`` the
    text has ``i`` tokens more than at first; the last of them are those that were read.

    Returns the axes, one for each of the maps.
    """
    axes = row(len(reads), size=(6.4, 3.3), title=title)
    colours = ListedColormap(["white", PALE, BLUE])
    for ax, (name, counts) in zip(axes, reads.items(), strict=True):
        work = torch.zeros(len(counts), counts[0] + len(counts) - 1)  # (step, position)
        for step, count in enumerate(counts):
            end = counts[0] + step
            work[step, :end] = 1  # there already
            work[step, end - count : end] = 2  # read in this step
        heatmap(ax, work, cmap=colours, vmax=2, aspect="auto")
        ax.set(xlabel="position in the text")
        panel_title(ax, f"{name}: {sum(counts)}")
    axes[0].set_ylabel("step")
    return axes


def cost_curves(lengths, costs, *, title="", ax=None):
    """Draw the milliseconds for one more token against the tokens before it."""
    ax = new_axes(ax)
    top = max(map(max, costs.values()))
    for (name, values), colour in zip(costs.items(), (ORANGE, BLUE), strict=False):
        ax.plot(lengths, values, color=colour, marker="o", markersize=4)
        place = (lengths[-1], values[-1] + 0.04 * top)
        ax.text(*place, f"{name}: {values[-1]:.1f} ms", color=colour, ha="right")
    ax.set(xlabel="tokens in the text so far", ylabel="ms for one more token")
    ax.set_ylim(0, 1.15 * top)
    ax.set_title(title)
    return ax


def padded_rows(batches, *, pad, title=""):
    """Draw batches of token texts as grids, pads grey, the last column framed.

    The text of the ``pad`` marks the pads; the first token of a text is another.
    Returns the axes, one for each of the batches.
    """
    axes = row(len(batches), size=(7.2, 1.9), title=title)
    for ax, (name, rows) in zip(axes, batches.items(), strict=True):
        width = len(rows[0])
        real = [[text != pad for text in texts] for texts in rows]
        heatmap(ax, real, cmap=ListedColormap([PALE, "white"]), aspect="auto")
        for y, texts in enumerate(rows):
            for x, text in enumerate(texts):
                colour = GREY if text == pad else BLUE
                ax.text(x, y, label(text), color=colour, **CENTRE, **TINY)
        left, right, low, high = width - 1.46, width - 0.54, len(rows) - 0.54, -0.46
        corners = [left, left, right, right], [low, high, high, low]
        ax.fill(*corners, fill=False, edgecolor=ORANGE, linewidth=2)
        panel_title(ax, name)
        ax.set(xticks=range(width), yticks=[], xlabel="column")
    return axes


def token_choice(logits, allowed, *, chosen, name, top=8, title=""):
    """Draw one token being chosen: logits, logits after the rules, probabilities.

    Shapes: both (vocab,). Shown are the ``top`` largest logits, and the chosen token
    if it is not among them. ``name`` gives the text of a token id.

    Returns the three axes.
    """
    tokens = logits.topk(min(top, len(logits))).indices.tolist()
    tokens += [chosen] if chosen not in tokens else []
    size = (7.2, 0.8 + 0.3 * len(tokens))
    axes = row(3, size=size, title=title, sharey=True)
    colours = [ORANGE if token == chosen else BLUE for token in tokens]
    both = torch.stack([logits[tokens], allowed[tokens]])
    finite = both[both.isfinite()]
    space = 0.15 * (finite.max() - finite.min()).item() + 0.5
    for ax, scores in zip(axes, both, strict=False):
        ax.scatter(scores.tolist(), range(len(tokens)), color=colours, s=30)
        ax.set_xlim(finite.min().item() - space, finite.max().item() + space)
    for place, token in enumerate(tokens):
        if allowed[token] == -torch.inf:
            at = axes[1].get_yaxis_transform()
            axes[1].text(0.02, place, "−∞", transform=at, va="center", color=GREY)
    widths = allowed.softmax(dim=-1)[tokens].tolist()
    axes[2].barh(range(len(tokens)), widths, color=colours, height=0.6)
    for place, (token, width) in enumerate(zip(tokens, widths, strict=True)):
        number = f" {width:.2f}" if width else " 0"
        text = f"{number}  chosen" if token == chosen else number
        axes[2].text(width, place, text, va="center", color=colours[place], **SMALL)
    axes[2].set(xlim=(0, 1.7 * max(widths)), xticks=[])
    axes[0].set_yticks(range(len(tokens)), [label(name(token)) for token in tokens])
    axes[0].invert_yaxis()
    titles = ("1  logits", "2  after the rules", "3  probabilities")
    for ax, text in zip(axes, titles, strict=True):
        panel_title(ax, text)
        ax.tick_params(axis="y", length=0)
    return axes
