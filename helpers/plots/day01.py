"""Figures of day 1: what a model is made of."""

from collections.abc import Mapping, Sequence

import numpy as np

from helpers.plots.colours import BLUE, GREY, ORANGE, PALE
from helpers.plots.style import CENTRE, SMALL, TINY, grid, label, new_axes, share_bars


def parameter_parts(counts: Mapping[str, Mapping[str, int]]):
    """Draw the shares of parameters: {model: {part: number}}, parts in one order."""
    title = "Bigger GPT-2s grow in their blocks, not in their words"
    ax = share_bars(counts, title=title, size=(6, 0.55 * len(counts) + 1.4), columns=5)
    for row, parts in enumerate(counts.values()):
        ax.text(102, row, short_number(sum(parts.values())), va="center")
    ax.set_xlabel("share of the parameters in % (total at the right)")
    return ax


def gpt2_drawing(tokens: Sequence[str], ids, likely: Mapping[str, float], config):
    """Draw a GPT-2 from bottom to top: a text goes in, a distribution comes out.

    ``likely``: {token: its probability of coming next}, about as many as ``tokens``.
    """
    ax = new_axes(title="A whole GPT-2, from a text to a guess", size=(6.6, 4.6))
    n = len(tokens)
    steps = ["text, cut into tokens", "their ids", f"a row of {config.n_embd} numbers"]
    steps += [
        "block 1",
        "…",
        f"block {config.n_layer}",
        "head and softmax",
        "what next?",
    ]
    for y, step in enumerate(steps):
        ax.text(n - 0.3, y, step, va="center", color=GREY, **SMALL)
    for x, (token, number) in enumerate(zip(tokens, ids, strict=True)):
        ax.barh(0, 0.94, 0.62, left=x - 0.47, color=PALE)
        ax.text(x, 0, label(token, 13), **CENTRE, **TINY)
        ax.text(x, 1, str(number), **CENTRE, **SMALL)
        ax.text(x, 2, "▪" * 7, color=BLUE, **CENTRE, **SMALL)
        ax.plot([x, x], [2.2, 5.5], color=GREY, zorder=0)
    for y, text in ((3, BLOCK), (4, "…"), (5, BLOCK)):
        ax.barh(y, n, 0.62, left=-0.5, color="white", edgecolor=GREY)
        ax.text((n - 1) / 2, y, text, **CENTRE, **SMALL)
    ax.barh(6, 2.9, 0.55, left=n - 3.4, color="white", edgecolor=GREY)
    ax.text(n - 1.95, 6, f"{config.vocab_size:,} scores", **CENTRE, **SMALL)
    for x, (token, prob) in enumerate(likely.items()):
        ax.text(x, 7, f"{label(token, 9)}\n{prob:.0%}", **CENTRE, **SMALL)
        ax.bar(x, 0.9 * prob, width=0.5, bottom=7.4, color=ORANGE)
    ax.set(xlim=(-0.6, n + 1.1), ylim=(-0.4, 8.4))
    ax.axis("off")
    return ax


BLOCK = "attention: look back   then   MLP: each token alone"


def weight_histogram(weights: Mapping[str, object], *, bins: int = 80):
    """Draw how the numbers of some weights are distributed, a panel for each.

    ``weights``: {label: tensor of any shape, on the CPU}. A panel's range holds all but
    1 in 1,000 of its numbers; the dashed line is the bell curve of the same spread.
    """
    size, title = (6.6, 3), "Same shape, same count, different numbers"
    axes = grid(1, len(weights), size=size, title=title, names=weights)
    for ax, weight in zip(axes.flat, weights.values(), strict=True):
        numbers = np.asarray(weight).ravel()
        limit, spread = np.quantile(np.abs(numbers), 0.999), numbers.std()
        edges = np.linspace(-limit, limit, bins + 1)
        share = 100 * np.histogram(numbers, edges)[0] / len(numbers)
        ax.step(edges[:-1], share, where="post")
        bell = np.exp(-((edges / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi))
        ax.plot(edges, 100 * bell * (edges[1] - edges[0]), "--", color=GREY)
        ax.set(xlabel="value of a parameter", ylim=(0, None))
        ax.locator_params(axis="x", nbins=5)
    axes[0, 0].set_ylabel("share of the parameters in %")
    return axes


def short_number(number: float) -> str:
    """Write a number as people say it: 4.5 M, 124 M, 1.56 B."""
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
