"""Figures of day 2: a word's merges, what merges save, what a sentence costs."""

from collections.abc import Mapping, Sequence

from helpers.plots.colours import BLUE, ORANGE, PALE
from helpers.plots.style import CENTRE, label, new_axes, spread

BLANK = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}  # behind a label


def merge_tree(word: str, merges: Sequence[tuple[str, str]], *, ax=None):
    """Draw the symbols of a word and the merges that join them, first merge lowest."""
    ax = new_axes(ax, title=f"The merges that make “{label(word)}”", size=(6, 3))
    tops = [(symbol, x, 0.0) for x, symbol in enumerate(word)]  # symbol, place, height
    for symbol, x, _ in tops:
        ax.text(x, -0.3, label(symbol), **CENTRE)
    for rank, pair in enumerate(merges, start=1):
        i = 0
        while i + 1 < len(tops):
            (a, xa, ya), (b, xb, yb) = tops[i : i + 2]
            if (a, b) == pair:
                middle = (xa + xb) / 2
                ax.plot([xa, xa, xb, xb], [ya, rank, rank, yb], color=BLUE)
                ax.text(middle, rank, label(a + b), bbox=BLANK, **CENTRE)
                tops[i : i + 2] = [(a + b, middle, float(rank))]
            i += 1
    ax.set(ylabel="merge number", xticks=[], xlim=(-0.5, len(word) - 0.5))
    ax.set_ylim(-0.8, len(merges) + 0.9)
    ax.grid(visible=False)
    return ax


def compression_curves(curves: Mapping[str, Mapping[int, float]], *, ax=None):
    """Draw bytes per token against the number of merges, a labelled line per text.

    ``curves``: {name of the text: {number of merges: bytes per token}}.
    """
    ax = new_axes(ax, title="Merges help most the text they were learned from")
    ends = [list(curve.values())[-1] for curve in curves.values()]
    heights = spread(ends, gap=max(ends) / 15)  # labels that would cover each other
    for (name, curve), height in zip(curves.items(), heights, strict=True):
        (line,) = ax.plot(list(curve), list(curve.values()), marker="o", markersize=3)
        style = {"color": line.get_color(), "va": "center", "annotation_clip": False}
        place = {"xytext": (6, 0), "textcoords": "offset points"}
        ax.annotate(name, (max(curve), height), **place, **style)
    ax.set(xlabel="merges learned", ylabel="bytes per token", ylim=(0, None))
    return ax


def language_prices(prices: Mapping[str, Mapping[str, int]], *, ax=None):
    """Draw what one sentence costs in each language, under two tokenizers.

    ``prices``: {"bytes", "pieces" or a tokenizer's name: {language: how many}}. Pale
    bars are the bytes, which no tokenizer exceeds; black ticks are the pieces, below
    which none goes. The cheapest language under the first tokenizer is on top.
    """
    ceiling, floor = prices["bytes"], prices.get("pieces", {})
    first, *others = [name for name in prices if name not in ("bytes", "pieces")]
    languages = sorted(ceiling, key=prices[first].get, reverse=True)
    dearest, *_, cheapest = languages
    times = prices[first][dearest] / prices[first][cheapest]
    title = f"{first}: {dearest} costs {times:.0f} times as much as {cheapest}"
    ax = new_axes(ax, title=title, size=(6, 4))
    counts = [ceiling[language] for language in languages]
    ax.barh(languages, counts, color=PALE, height=0.6, label="bytes")
    ring = {"color": BLUE, "markersize": 10, "fillstyle": "none"}  # around a dot
    for name, style in zip([first, *others], (ring, {"color": ORANGE}), strict=False):
        tokens = [prices[name][language] for language in languages]
        ax.plot(tokens, languages, "o", **style, label=name)
    if floor:
        ticks = {"marker": "|", "s": 90, "color": "black", "zorder": 3}
        ax.scatter(list(floor.values()), list(floor), **ticks, label="pieces")
    ax.legend(loc="upper right")
    ax.grid(axis="y", visible=False)
    ax.set(xlabel="tokens (dots), bytes (bars), pieces (ticks)", xlim=(0, None))
    return ax
