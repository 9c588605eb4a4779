"""Figures of day 5: the tree of beginnings, texts with their verdicts, plots told."""

from collections import Counter
from collections.abc import Mapping

from helpers.plots.colours import BLUE, GREEN, GREY, ORANGE, PALE
from helpers.plots.style import CENTRE, SMALL, TINY, label, new_axes

Path = tuple[str, ...]
# How the branches of the tree are drawn, and the letters of their nodes.
LINES = {
    "wins": {"color": ORANGE, "linestyle": "-", "linewidth": 2.2},
    "kept": {"color": BLUE, "linestyle": "-", "linewidth": 1.3},
    "dropped": {"color": GREY, "linestyle": ":", "linewidth": 1.3},
}


def search_tree(steps, *, num_beams, start="", title="", ax=None):
    """Draw a beam search as a tree, from the left to the right.

    ``steps``: the texts that each step compared, with their probabilities; a text is a
    tuple of tokens, and each extends one that the step before kept. ``num_beams``: how
    many each step kept, the most probable ones. ``start``: what stands at the root; the
    first token of the texts if left out.

    An edge carries the probability of its token, a kept node the probability of its
    whole text. The winner is the most probable text of the last step.
    """
    beams = [sorted(step, key=step.get, reverse=True)[:num_beams] for step in steps]
    winner, kept = beams[-1][0], {path for step in beams for path in step}
    probs = {path: p for step in steps for path, p in step.items()}
    root = min(probs, key=len)[:-1]
    places = _places(root, probs)
    leaves = max(y for _, y in places.values()) + 1
    size = (1.7 * len(steps) + 2, 0.8 + 0.36 * leaves)
    ax = new_axes(ax, title=title, size=size)
    for path, (x, y) in places.items():
        wins = path == winner[: len(path)]
        line = LINES["wins" if wins else "kept" if path in kept else "dropped"]
        colour = line["color"]
        name = start if path == root and start else label(path[-1])
        if path in kept:
            name += f"  {probs[path]:{'.2g' if probs[path] < 0.1 else '.3f'}}"
        box = {"facecolor": "white", "edgecolor": colour, "boxstyle": "round,pad=0.2"}
        style = {"color": colour, "weight": "bold" if wins else "normal", "bbox": box}
        ax.text(x, y, name, va="center", **style, **SMALL)
        if path != root:
            x0, y0 = places[path[:-1]]
            ax.plot([x0, x], [y0, y], **line)
            share = probs[path] / probs.get(path[:-1], 1.0)
            number = f"{share:.2f}" if share >= 0.005 else "<.01"
            at = x0 + 0.8 * (x - x0), y0 + 0.8 * (y - y0)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
            ax.text(*at, number, color=colour, bbox=box, **CENTRE, **TINY)
    ax.set(xlim=(-0.1, len(steps) + 0.75), ylim=(leaves - 0.4, -0.6))
    ax.set(xlabel="step", yticks=[])
    ax.set_xticks(range(len(steps) + 1), ["start", *range(1, len(steps) + 1)])
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    return ax


def _places(root: Path, probs: Mapping[Path, float]) -> dict[Path, tuple]:
    """Give each text a place: x its step, y such that no branches cross."""
    places, free = {}, iter(range(len(probs) + 1))

    def place(path: Path) -> float:
        children = [text for text in probs if text[:-1] == path]
        rows = [place(text) for text in sorted(children, key=probs.get, reverse=True)]
        y = (rows[0] + rows[-1]) / 2 if rows else next(free)
        places[path] = (len(path) - len(root), y)
        return y

    place(root)
    return places


def verdict_strip(rows, *, title="", ax=None):
    """Draw texts as marks, a row per way of writing: how probable, and right or wrong.

    A text is (log-probability per token, whether it is right): a dot above the row's
    line, or a cross below it. Two bars are the means of the right and of the wrong, a
    dashed line is that of all.
    """
    ax = new_axes(ax, title=title, size=(6.4, 0.9 + 0.8 * len(rows)))
    names = []
    for row, (name, texts) in enumerate(rows.items()):
        ax.axhline(row, color=PALE, linewidth=1)
        right = [value for value, is_right in texts if is_right]
        wrong = [value for value, is_right in texts if not is_right]
        style = {"alpha": 0.7, "s": 34}
        ax.scatter(right, [row - 0.14] * len(right), color=BLUE, marker="o", **style)
        ax.scatter(wrong, [row + 0.14] * len(wrong), color=ORANGE, marker="x", **style)
        for values, end, colour in ((right, -0.42, BLUE), (wrong, 0.42, ORANGE)):
            if values:
                mean = sum(values) / len(values)
                ax.plot([mean, mean], [row, row + end], color=colour, linewidth=2.6)
        mean = sum(value for value, _ in texts) / len(texts)
        ax.plot([mean, mean], [row - 0.42, row + 0.42], color=GREY, linestyle="--")
        names.append(f"{name}\n{len(right) / len(texts):.0%} right")
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("log-probability per token, nats (more probable →)")
    return ax


def draws_and_searches(draws, searched, *, title="", ax=None):
    """Draw log-probabilities of drawn texts as dots, those of searches as bars.

    ``draws`` has a row for each beginning; ``searched`` is {search: a value a row}.
    """
    ax = new_axes(ax, title=title, size=(6.4, 1 + 0.6 * len(draws)))
    for y, values in enumerate(draws):
        heights = [y + 0.3 * (2 * (i * 0.618 % 1) - 1) for i in range(len(values))]
        ax.plot(values, heights, "o", color=GREY, alpha=0.3, markersize=3)
    looks = zip((GREEN, ORANGE, BLUE), (0.44, 0.34, 0.24), strict=True)
    for (colour, half), (name, values) in zip(looks, searched.items(), strict=False):
        low, high = ([y + side * half for y in range(len(values))] for side in (-1, 1))
        ax.vlines(values, low, high, colour, linewidth=2.5)  # none hides another
        ax.plot([], [], color=colour, linewidth=2.5, label=name)
    ax.set_yticks(range(len(draws)), [f"beginning {y + 1}" for y in range(len(draws))])
    ax.invert_yaxis()
    ax.set_xlabel("log-probability by the truth, nats (more probable →)")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), **SMALL)
    return ax


def told_plots(ways, *, named=40, title="", ax=None):
    """Draw the stories of each way as a bar, cut into plots, the commonest first.

    ``ways`` is {way: stories}, a story (its plot, whether it is right). Of each piece
    the filled part is right, the pale one wrong; ``named`` stories get a name.
    """
    ax = new_axes(ax, title=title, size=(7.6, 1 + 0.5 * len(ways)))
    for y, stories in enumerate(ways.values()):
        left, right = 0, Counter(plot for plot, is_right in stories if is_right)
        for plot, n in Counter(plot for plot, _ in stories).most_common():
            ax.barh(y, n, 0.7, left, color=ORANGE, alpha=0.5, linewidth=0)
            ax.barh(y, right[plot], 0.7, left, color=BLUE, linewidth=0)
            ax.vlines(left, y - 0.36, y + 0.36, "white", linewidth=1.4)
            if n >= named:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                ax.text(left + n / 2, y, plot, bbox=box, **CENTRE, **TINY)
            left += n
        ax.vlines(len(stories) / 2, y - 0.46, y + 0.46, "black", linestyles=":")
    for colour, alpha, name in ((BLUE, 1, "right"), (ORANGE, 0.5, "wrong")):
        ax.barh(0, 0, color=colour, alpha=alpha, label=name)
    ax.set_yticks(range(len(ways)), ways)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.set_xlabel("stories, plot by plot")
    ax.legend(loc="upper left", bbox_to_anchor=(1, 1), **SMALL)
    return ax
