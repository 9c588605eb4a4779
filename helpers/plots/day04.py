"""Figures of day 4: the tokens read, their cost, padded rows, one choice."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.colors import ListedColormap

from helpers.plots.colours import BLUE, GREY, ORANGE, PALE
from helpers.plots.style import CENTRE, SMALL, TINY, grid, heatmap, label, new_axes


def work_maps(reads: Mapping[str, Sequence[Sequence[int]]], *, title: str = ""):
    """Draw which positions the model read at each step, a map per way of generating.

    Each way is given by the positions read, a list for each step.
    """
    totals = {name: sum(map(len, calls)) for name, calls in reads.items()}
    names = [f"{name}: {total}" for name, total in totals.items()]
    axes = grid(1, len(names), size=(6.4, 3.3), title=title, names=names)[0]
    for ax, calls in zip(axes, reads.values(), strict=True):
        work = torch.zeros(len(calls), 1 + max(map(max, calls)))  # (step, position)
        for step, positions in enumerate(calls):
            work[step] = (work[step - 1] > 0) if step else 0  # read before
            work[step, positions] = 2  # read in this step
        colours = ListedColormap(["white", PALE, BLUE])
        look = {"vmax": 2, "aspect": "auto", "interpolation": "nearest"}
        heatmap(ax, work, cmap=colours, **look)
        ax.set(xlabel="position")
    corner = {"transform": axes[-1].transAxes, "ha": "right", "va": "top", **SMALL}
    axes[-1].text(0.97, 0.97, "read in this step", color=BLUE, **corner)
    axes[-1].text(0.97, 0.89, "read before", color=GREY, **corner)
    axes[0].set_ylabel("step")
    return axes


def cost_curves(lengths, costs, *, title="", ax=None):
    """Draw the milliseconds for one more token against the tokens before it.

    Both axes are logarithmic; a dashed line shows a cost in proportion to the length.
    """
    ax = new_axes(ax, title=title)
    for (name, values), colour in zip(costs.items(), (ORANGE, BLUE), strict=False):
        ax.plot(lengths, values, color=colour, marker="o", markersize=4)
        text = f"{name}: {values[0]:,.4g} to {values[-1]:,.4g} ms"
        ax.text(lengths[-1], 1.25 * max(values), text, color=colour, ha="right")
    every = [value for values in costs.values() for value in values]
    ends = [lengths[0], lengths[-1]]
    end = min(every) / 2.2  # below both lines and what is written on them
    start = end * ends[0] / ends[1]
    ax.plot(ends, [start, end], color=GREY, linestyle="--")
    ax.text(ends[0], 2.2 * start, "dashed: in proportion", color=GREY, **SMALL)
    ax.set(xlabel="tokens in the text so far", ylabel="ms for one more token")
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(lengths, [str(length) for length in lengths])
    ax.minorticks_off()
    ax.set_ylim(start / 1.6, 3 * max(every))
    ax.yaxis.set_major_formatter("{x:g}")
    return ax


def padded_rows(batches, *, pad, title=""):
    """Draw batches of token texts, each ``pad`` grey, the last column framed."""
    axes = grid(1, len(batches), size=(7.2, 1.9), title=title, names=batches)[0]
    for ax, rows in zip(axes, batches.values(), strict=True):
        real = [[text != pad for text in texts] for texts in rows]
        heatmap(ax, real, cmap=ListedColormap([PALE, "white"]), aspect="auto")
        for y, texts in enumerate(rows):
            for x, text in enumerate(texts):
                colour = GREY if text == pad else BLUE
                ax.text(x, y, label(text), color=colour, **CENTRE, **TINY)
        frame = {"fill": False, "edgecolor": ORANGE, "linewidth": 2}
        ax.axvspan(len(rows[0]) - 1.46, len(rows[0]) - 0.54, 0.02, 0.98, **frame)
        ax.set(xticks=range(len(rows[0])), yticks=[], xlabel="column")
    return axes


def token_choice(logits, allowed, *, chosen, name, top=8, title=""):
    """Draw one token being chosen: logits, logits after the rules, probabilities.

    Shapes: both (vocab,). Shown are the ``top`` largest logits and the chosen token.
    """
    tokens = logits.topk(min(top, len(logits))).indices.tolist()
    tokens += [chosen] if chosen not in tokens else []
    names = ("1  logits", "2  after the rules", "3  probabilities")
    size = (7.2, 0.8 + 0.3 * len(tokens))
    axes = grid(1, 3, size=size, title=title, names=names, sharey=True)[0]
    colours = [ORANGE if token == chosen else BLUE for token in tokens]
    axes[1].sharex(axes[0])
    for ax, scores in zip(axes, (logits, allowed), strict=False):
        ax.scatter(scores[tokens].tolist(), range(len(tokens)), color=colours, s=30)
        ax.margins(x=0.2)
    shares = allowed.softmax(dim=-1)[tokens].tolist()
    axes[2].barh(range(len(tokens)), shares, color=colours, height=0.6)
    axes[2].set(xlim=(0, 1.7 * max(shares)), xticks=[])
    for place, (token, share) in enumerate(zip(tokens, shares, strict=True)):
        number = f" {share:.2f}" if share else " 0"
        text = f"{number}  chosen" if token == chosen else number
        axes[2].text(share, place, text, va="center", color=colours[place], **SMALL)
        if allowed[token] == -torch.inf:
            at = axes[1].get_yaxis_transform()
            axes[1].text(0.02, place, "−∞", transform=at, va="center", color=GREY)
    axes[0].set_yticks(range(len(tokens)), [label(name(token)) for token in tokens])
    axes[0].invert_yaxis()
    for ax in axes:
        ax.tick_params(axis="y", length=0)
    return axes
