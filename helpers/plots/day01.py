"""Figures of day 1: what a model is made of."""

from collections.abc import Mapping, Sequence

from helpers.plots.colours import BLUE, GREY, ORANGE, PALE, PURPLE, SKY
from helpers.plots.style import CENTRE, SMALL, TINY, label, new_axes, share_bars


def parameter_parts(counts: Mapping[str, Mapping[str, int]]):
    """Draw the shares of parameters: {model: {part: number}}, parts in one order."""
    title = "From gpt2 to gpt2-xl, the tokens' share shrinks"
    ax = share_bars(counts, title=title, size=(6, 0.55 * len(counts) + 1.4), columns=5)
    for bar in (*ax.containers[1], ax.get_legend().get_patches()[1]):
        bar.set_facecolor(PURPLE)  # or two blues would lie side by side
    for row, parts in enumerate(counts.values()):
        ax.text(102, row, short_number(sum(parts.values())), va="center")
    ax.set_xlabel("share of the parameters in % (total at the right)")
    return ax


def gpt2_drawing(tokens: Sequence[str], ids, likely: Mapping[str, float], config):
    """Draw a GPT-2 from bottom to top: a text goes in, a distribution comes out.

    ``likely``: {token: its probability of coming next}, a list at the right.
    """
    ax = new_axes(title="Each token's row goes up; attention looks back", size=(8, 4.6))
    n = len(tokens)
    steps = ["text, cut into tokens", "id and place", f"{config.n_embd} numbers"]
    steps += ["block 0", "…", f"block {config.n_layer - 1}", "norm, head, softmax"]
    for y, step in enumerate(steps):
        ax.text(-0.65, y, step, va="center", ha="right", color=GREY, **SMALL)
    for x, (token, number) in enumerate(zip(tokens, ids, strict=True)):
        ax.barh(0, 0.94, 0.62, left=x - 0.47, color=PALE)
        shown = label(token, 16)
        if len(shown) > 8:  # in two lines
            half = -(-len(shown) // 2)
            shown = f"{shown[:half]}\n{shown[half:]}"
        ax.text(x, 0, shown, **CENTRE, **TINY)
        ax.text(x, 1, f"id {number}\nplace {x}", **CENTRE, **TINY)
        ax.text(x, 2, "▪" * 7, color=BLUE, **CENTRE, **SMALL)
        ax.plot([x, x], [2.2, 5.5], color=GREY, zorder=0)
        ax.text(x, 6, f"{config.vocab_size:,}\nscores", **CENTRE, **TINY)
    for y in (3, 5):
        ax.barh(y, n, 0.8, left=-0.5, color="white", edgecolor=GREY)
        for x in range(n):  # every place looks at itself and at those before it
            for seen in range(x + 1):
                ax.plot([seen, x], [y - 0.4, y + 0.05], color=SKY, lw=1)
        ax.text(-0.46, y + 0.22, "MLP: each alone", va="center", **TINY)
    ax.barh(4, n, 0.4, left=-0.5, color="white", edgecolor=GREY)
    ax.text((n - 1) / 2, 4, "…", **CENTRE, **SMALL)
    ax.barh(6, n, 0.9, left=-0.5, color="white", edgecolor=GREY, zorder=0)
    ax.barh(6, 0.94, 0.74, left=n - 1.47, color="white", edgecolor=ORANGE)  # is read
    ax.plot([n - 1, n + 0.2], [6, 6], color=ORANGE, zorder=0)
    ax.text(n + 0.3, 6.5, "what next?", color=GREY, **SMALL)
    for i, (token, prob) in enumerate(likely.items()):
        ax.text(n + 0.3, 6 - 0.6 * i, label(token, 13), va="center", **SMALL)
        ax.text(n + 2.2, 6 - 0.6 * i, f"{prob:.0%}", va="center", ha="right", **SMALL)
        ax.barh(6 - 0.6 * i, prob, 0.4, left=n + 2.3, color=ORANGE)
    ax.set(xlim=(-2.3, n + 3.1), ylim=(-0.4, 6.8))
    ax.axis("off")
    return ax


def short_number(number: float) -> str:
    """Write a number as people say it: 4.5 M, 124 M, 1.56 B."""
    for size, unit in ((1e9, " B"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
