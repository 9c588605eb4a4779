"""Figures of searches: the tree of beginnings, texts with their verdicts, loops."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from helpers.plots.style import new_axes

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#777777"
Path = tuple[str, ...]


def search_tree(
    steps: Sequence[Mapping[Path, float]],
    *,
    num_beams: int,
    start: str = "",
    title: str = "",
    ax=None,
):
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
    kept = [_best(step, num_beams) for step in steps]
    known = {path: p for step in steps for path, p in step.items()}
    root = min(known, key=len)[:-1]
    places = _places(root, known)
    leaves = max(y for _, y in places.values()) + 1
    ax = new_axes(ax, figsize=(1.7 * len(steps) + 2, 0.8 + 0.36 * leaves))
    winner, alive = kept[-1][0], {path for step in kept for path in step}
    for path, p in known.items():
        state = _state(path, winner, alive)
        edge = p / known.get(path[:-1], 1.0)
        _branch(ax, places[path[:-1]], places[path], _edge(edge), state)
    for path, (x, y) in places.items():
        colour, weight, _ = _state(path, winner, alive)
        known_text = f"  {_number(known[path])}" if path in alive else ""
        name = start if path == root and start else path[-1].replace(" ", "␣")
        box = {"facecolor": "white", "edgecolor": colour, "boxstyle": "round,pad=0.2"}
        ax.text(
            x,
            y,
            name + known_text,
            color=colour,
            weight=weight,
            bbox=box,
            ha="left",
            va="center",
            fontsize=9,
        )
    ax.set(xlim=(-0.1, len(steps) + 0.75), ylim=(leaves - 0.4, -0.6), yticks=[])
    ax.set_xticks(range(len(steps) + 1), ["start", *range(1, len(steps) + 1)])
    ax.set_xlabel("step")
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)
    ax.set_title(title)
    return ax


def _best(step: Mapping[Path, float], n: int) -> list[Path]:
    return sorted(step, key=step.get, reverse=True)[:n]


def _places(root: Path, known: Mapping[Path, float]) -> dict[Path, tuple]:
    """Give each text a place: x its step, y such that no branches cross."""
    places, free = {}, iter(range(len(known) + 1))

    def place(path: Path) -> float:
        children = [text for text in known if text[:-1] == path]
        rows = [place(text) for text in sorted(children, key=known.get, reverse=True)]
        y = (rows[0] + rows[-1]) / 2 if rows else next(free)
        places[path] = (len(path) - len(root), y)
        return y

    place(root)
    return places


def _state(path: Path, winner: Path, alive: set[Path]) -> tuple[str, str, str]:
    """Return the colour, the weight and the line style of a text's branch."""
    if path == winner[: len(path)]:
        return ORANGE, "bold", "-"
    return (BLUE, "normal", "-") if path in alive else (GREY, "normal", ":")


def _branch(ax, start, end, label: str, state) -> None:
    colour, weight, style = state
    (x0, y0), (x1, y1) = start, end
    width = 2.2 if weight == "bold" else 1.3
    ax.plot([x0, x1], [y0, y1], color=colour, linestyle=style, linewidth=width)
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
    x, y = x0 + 0.8 * (x1 - x0), y0 + 0.8 * (y1 - y0)
    ax.text(x, y, label, color=colour, fontsize=8, ha="center", va="center", bbox=box)


def _number(p: float) -> str:
    return f"{p:.2g}" if p < 0.1 else f"{p:.3f}"


def _edge(p: float) -> str:
    return f"{p:.2f}" if p >= 0.005 else "<.01"


def race(one: Sequence[Mapping], two: Sequence[Mapping]) -> pd.DataFrame:
    """Return, step by step, the log-probabilities that greedy and two beams reached.

    Both are the steps of a search, as for ``search_tree``, the first with one beam.
    The last column says whether greedy's text is one of the two beams.
    """
    rows = []
    for alone, both in zip(one, two, strict=True):
        greedy, beams = _best(alone, 1)[0], _best(both, 2)
        probs = [alone[greedy], *(both[beam] for beam in beams)]
        kept = "yes" if greedy in beams else "dropped"
        rows.append([*map(math.log, probs), kept])
    names = ["greedy text", "beam 1", "beam 2", "greedy text in beam?"]
    return pd.DataFrame(rows, columns=names, index=range(1, len(rows) + 1))


def verdict_strip(
    rows: Mapping[str, Sequence[tuple[float, bool]]], *, title: str = "", ax=None
):
    """Draw texts as marks, a row per way of writing: how probable, and right or wrong.

    A text is (log-probability per token, whether it is right). Right ones are dots
    above the row's line, wrong ones crosses below it; the row's name carries the share
    that is right.
    """
    ax = new_axes(ax, figsize=(6.4, 0.9 + 0.8 * len(rows)))
    for row, texts in enumerate(rows.values()):
        ax.axhline(row, color="#DDDDDD", linewidth=1)
        for right, colour, mark, lift in (
            (True, BLUE, "o", 0.14),
            (False, ORANGE, "x", -0.14),
        ):
            values = [value for value, verdict in texts if verdict is right]
            ax.scatter(
                values,
                [row - lift] * len(values),
                color=colour,
                marker=mark,
                alpha=0.7,
                s=34,
            )
        mean = sum(value for value, _ in texts) / len(texts)
        ax.plot([mean, mean], [row - 0.32, row + 0.32], color="black", linewidth=1.6)
    names = [f"{name}\n{_share(texts):.0%} right" for name, texts in rows.items()]
    ax.set_yticks(range(len(rows)), names)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("log-probability per token, nats (more probable →)")
    ax.set_title(title)
    return ax


def verdicts(rows: Mapping[str, Sequence[tuple[float, bool]]]) -> pd.DataFrame:
    """Return the numbers behind ``verdict_strip``, a row per way of writing.

    The mean log-probability per token, the share that is right, and its standard
    error, which is left out at 0 and 1, where its formula is blind.
    """
    found = []
    for texts in rows.values():
        share = _share(texts)
        error = math.sqrt(share * (1 - share) / len(texts)) or math.nan
        found.append([sum(value for value, _ in texts) / len(texts), share, error])
    names = ["log P per token", "right", "±"]
    return pd.DataFrame(found, index=list(rows), columns=names)


def _share(texts: Sequence[tuple[float, bool]]) -> float:
    return sum(right for _, right in texts) / len(texts)


def repetition_lines(
    lines: Mapping[str, Sequence[float]], *, window: int, title: str = "", ax=None
):
    """Draw the share of repeated 4-grams in each window of ``window`` tokens."""
    ax = new_axes(ax)
    heights = _apart([shares[-1] for shares in lines.values()])
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


def _apart(heights: list[float]) -> list[float]:
    """Move labels up where they would cover each other."""
    gap, placed = 0.06 * max(*heights, 0.01), {}
    for i in sorted(range(len(heights)), key=heights.__getitem__):
        below = max(placed.values(), default=-1.0)
        placed[i] = max(heights[i], below + gap)
    return [placed[i] for i in range(len(heights))]
