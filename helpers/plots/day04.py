"""Figures of day 4: the tokens read, their cost, padded rows, one choice."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.colors import ListedColormap

from helpers.plots.colours import BLUE, GREY, ORANGE, PALE
from helpers.plots.style import CENTRE, SMALL, TINY, grid, heatmap, label, new_axes


def work_maps(reads: Mapping[str, Sequence[int]], *, title: str = ""):
    """Draw which tokens the model read at each step, a map per way of generating.

    Each way is given by its number of tokens read, step by step. At step ``i`` the
    text has ``i`` tokens more than at first; the last of them are those that were read.
    """
    names = [f"{name}: {sum(counts)}" for name, counts in reads.items()]
    axes = grid(1, len(names), size=(6.4, 3.3), title=title, names=names)[0]
    for ax, counts in zip(axes, reads.values(), strict=True):
        work = torch.zeros(len(counts), counts[0] + len(counts) - 1)  # (step, position)
        for step, count in enumerate(counts):
            end = counts[0] + step
            work[step, :end] = 1  # there already
            work[step, end - count : end] = 2  # read in this step
        colours = ListedColormap(["white", PALE, BLUE])
        heatmap(ax, work, cmap=colours, vmax=2, aspect="auto")
        ax.set(xlabel="position in the text")
    axes[0].set_ylabel("step")
    return axes


def cost_curves(lengths, costs, *, title="", ax=None):
    """Draw the milliseconds for one more token against the tokens before it.

    The axis of the costs is logarithmic, so that a line at the bottom is flat only if
    its cost does not grow by a factor.
    """
    ax = new_axes(ax, title=title)
    ax.set_yscale("log")
    for (name, values), colour in zip(costs.items(), (ORANGE, BLUE), strict=False):
        ax.plot(lengths, values, color=colour, marker="o", markersize=4)
        text = f"{name}: {values[0]:,.4g} to {values[-1]:,.4g} ms"
        ax.text(lengths[-1], 1.25 * max(values), text, color=colour, ha="right")
    ax.set(xlabel="tokens in the text so far", ylabel="ms for one more token")
    every = [value for values in costs.values() for value in values]
    ax.set_ylim(min(every) / 3, max(every) * 3)
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
