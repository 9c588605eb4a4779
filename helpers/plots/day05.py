"""Figures of day 5: the tree of beginnings, texts with their verdicts, loops."""

from collections.abc import Mapping
from typing import NamedTuple

from helpers.plots.style import (
    BLUE,
    CENTRE,
    GREY,
    ORANGE,
    PALE,
    SMALL,
    TINY,
    label,
    new_axes,
    spread,
)

Path = tuple[str, ...]


class Look(NamedTuple):
    """How a branch of the tree is drawn."""

    colour: str
    weight: str
    dashes: str
    width: float


WINS = Look(ORANGE, "bold", "-", 2.2)
KEPT = Look(BLUE, "normal", "-", 1.3)
DROPPED = Look(GREY, "normal", ":", 1.3)


def search_tree(steps, *, num_beams, start="", title="", ax=None):
    """Draw a beam search as a tree, from the left to the right.

    Args:
        steps: the texts that each step compared, with their probabilities; a text is
            a tuple of tokens, and each extends one that the step before kept.
        num_beams: how many each step kept, the most probable ones.
        start: what stands at the root; the first token of the texts if left out.
        title: of the figure.
        ax: where to draw.

    An edge carries the probability of its token, a kept node the probability of its
    whole text. The winner is the most probable text of the last step.
    """
    beams = [sorted(step, key=step.get, reverse=True)[:num_beams] for step in steps]
    winner, alive = beams[-1][0], {path for step in beams for path in step}
    probs = {path: p for step in steps for path, p in step.items()}
    root = min(probs, key=len)[:-1]
    places = _places(root, probs)
    leaves = max(y for _, y in places.values()) + 1
    ax = new_axes(ax, figsize=(1.7 * len(steps) + 2, 0.8 + 0.36 * leaves))
    for path, p in probs.items():
        share = p / probs.get(path[:-1], 1.0)
        look = _look(path, winner, alive)
        _branch(ax, places[path[:-1]], places[path], share, look)
    for path, place in places.items():
        name = start if path == root and start else label(path[-1])
        if path in alive:
            p = probs[path]
            name += f"  {p:.2g}" if p < 0.1 else f"  {p:.3f}"
        look = _look(path, winner, alive)
        box = {"facecolor": "white", "edgecolor": look.colour, "boxstyle": "round"}
        style = {"color": look.colour, "weight": look.weight, "bbox": box}
        box["boxstyle"] += ",pad=0.2"
        ax.text(*place, name, ha="left", va="center", **style, **SMALL)
    ax.set(xlim=(-0.1, len(steps) + 0.75), ylim=(leaves - 0.4, -0.6), yticks=[])
    ax.set_xticks(range(len(steps) + 1), ["start", *range(1, len(steps) + 1)])
    ax.set_xlabel("step")
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_title(title)
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


def _look(path: Path, winner: Path, alive: set[Path]) -> Look:
    if path == winner[: len(path)]:
        return WINS
    return KEPT if path in alive else DROPPED


def _branch(ax, start, end, share: float, look: Look) -> None:
    (x0, y0), (x1, y1) = start, end
    style = {"linestyle": look.dashes, "linewidth": look.width}
    ax.plot([x0, x1], [y0, y1], color=look.colour, **style)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    at = x0 + 0.8 * (x1 - x0), y0 + 0.8 * (y1 - y0)
    number = f"{share:.2f}" if share >= 0.005 else "<.01"
    ax.text(*at, number, color=look.colour, bbox=box, **CENTRE, **TINY)


def verdict_strip(rows, *, title="", ax=None):
    """Draw texts as marks, a row per way of writing: how probable, and right or wrong.

    A text is (log-probability per token, whether it is right). Right ones are dots
    above the row's line, wrong ones crosses below it, a bar is the mean of all; the
    row's name carries the share that is right.
    """
    ax = new_axes(ax, figsize=(6.4, 0.9 + 0.8 * len(rows)))
    names = []
    for row, (name, texts) in enumerate(rows.items()):
        ax.axhline(row, color=PALE, linewidth=1)
        right = [value for value, is_right in texts if is_right]
        wrong = [value for value, is_right in texts if not is_right]
        style = {"alpha": 0.7, "s": 34}
        ax.scatter(right, [row - 0.14] * len(right), color=BLUE, marker="o", **style)
        ax.scatter(wrong, [row + 0.14] * len(wrong), color=ORANGE, marker="x", **style)
        mean = sum(right + wrong) / len(texts)
        ax.plot([mean, mean], [row - 0.32, row + 0.32], color="black", linewidth=1.6)
        names.append(f"{name}\n{len(right) / len(texts):.0%} right")
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("log-probability per token, nats (more probable →)")
    ax.set_title(title)
    return ax


def repetition_lines(lines, *, window, title="", ax=None):
    """Draw the share of repeated 4-grams in each window of ``window`` tokens."""
    ax = new_axes(ax)
    last = [shares[-1] for shares in lines.values()]
    heights = spread(last, gap=0.06 * max(*last, 0.01))
    for (name, shares), height in zip(lines.items(), heights, strict=True):
        ends = [window * (i + 1) for i in range(len(shares))]
        line = ax.plot(ends, shares, marker="o", markersize=4)[0]
        ax.text(ends[-1] + 6, height, name, color=line.get_color(), va="center")
    ax.set(xlabel="tokens written", ylabel="share of 4-grams said before")
    ax.set_xlim(0, ends[-1] * 1.2)
    ax.set_ylim(bottom=-0.02)
    ax.set_xticks(ends)
    ax.set_title(title)
    return ax
