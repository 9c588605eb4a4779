"""Figures of sampling: rules at work, first slips, the distance from the truth."""

from collections.abc import Mapping, Sequence

import torch

from helpers.plots.style import new_axes

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"
PALE = "#BBBBBB"
PALETTE = (BLUE, ORANGE, "#009E73", "#A6508A", "#B07800", "#3A8FC0")
HEAT = ("#0072B2", "#4DA6D9", "#B07800", "#D55E00")  # from cold to hot


def before_after(
    before: torch.Tensor,
    after: Mapping[str, torch.Tensor],
    *,
    names: Sequence[str] = (),
    top: int = 24,
    counts: bool = True,
    title: str = "",
):
    """Draw one distribution (vocab,) and what several rules make of it, panel by panel.

    Grey bars stand behind: the distribution before; coloured bars in front: after. A
    token without a coloured bar has probability 0. The ``top`` likeliest tokens are
    shown, with the first of their ``names`` below, and with ``counts`` a note says how
    many are left. The panels of a row share their scale. Returns the axes.
    """
    rows = -(-len(after) // 2)
    first = new_axes(figsize=(7, 0.6 + 1.7 * rows))
    figure = first.figure
    first.remove()
    axes = figure.subplots(rows, 2, sharex=True, sharey="row", squeeze=False).flatten()
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    order = before.argsort(descending=True, stable=True)[:top]
    for ax, (name, probs) in zip(axes, after.items(), strict=False):
        ax.bar(range(len(order)), before[order].tolist(), color=PALE, width=0.9)
        ax.bar(range(len(order)), probs[order].tolist(), color=BLUE, width=0.5)
        ax.set_title(name, fontsize=10, fontweight="normal")
        kept = int((probs > 0).sum())
        note = f"{kept:,} of {len(probs):,} tokens left" if counts else ""
        ax.text(0.98, 0.9, note, transform=ax.transAxes, ha="right", va="top", size=9)
        ax.grid(axis="x", visible=False)
    for ax in axes[len(after) :]:
        ax.remove()
    shown = [name.replace(" ", "␣") for name in names][: min(top, len(order))]
    for ax in axes[max(0, len(after) - 2) : len(after)]:
        ax.set_xticks(range(len(shown)), shown, rotation=90, fontsize=8)
        ax.tick_params(axis="x", labelbottom=True)
    for ax in axes[: len(after) : 2]:
        ax.set_ylabel("probability")
    return axes[: len(after)]


def right_lines(
    lines: Mapping[str, Sequence[float]],
    *,
    risk: float | None = None,
    given: int = 0,
    title: str = "",
    ax=None,
):
    """Draw the share of stories still without a slip after 0, 1, 2 … words.

    A line per strategy, its name at its right end, coloured from cold to hot in the
    order given. Dashed: (1 - risk) to the power of the words after the ``given`` ones.
    """
    ax = new_axes(ax)
    height, longest = -1.0, max(map(len, lines.values()))
    for name in sorted(lines, key=lambda name: (lines[name][-1], sum(lines[name]))):
        colour = HEAT[list(lines).index(name) % len(HEAT)]
        ax.plot(lines[name], color=colour)
        height = max(lines[name][-1], height + 0.07)
        ax.text(longest, height, name, color=colour, va="center", fontsize=9)
    if risk is not None:
        law = [(1 - risk) ** max(n - given, 0) for n in range(longest)]
        ax.plot(law, "--", color=GREY, linewidth=1)
        note = f"dashed: {risk:.3f} risk per word"
        ax.text(0.98, 0.95, note, transform=ax.transAxes, color=GREY, ha="right")
    ax.set(xlim=(0, 1.17 * longest), ylim=(-0.03, 1.05), title=title)
    ax.set(xlabel="words of the story", ylabel="stories without a slip so far")
    return ax


def truth_bars(rows: Mapping[str, Mapping[str, float]], *, title: str = "", ax=None):
    """Draw how each rule's distribution differs from the true one.

    Args:
        rows: name of the rule to "let in" (probability of what is impossible), "cut
            off" (true probability of what the rule forbids) and "distance" (total
            variation).
        title: the message.
        ax: axes to draw on.
    """
    ax = new_axes(ax, figsize=(6.5, 0.8 + 0.3 * len(rows)))
    places = range(len(rows))
    let_in = [row["let in"] for row in rows.values()]
    cut_off = [-row["cut off"] for row in rows.values()]
    distance = [row["distance"] for row in rows.values()]
    ax.barh(places, let_in, color=ORANGE, height=0.6)
    ax.barh(places, cut_off, color=BLUE, height=0.6)
    ax.plot(distance, places, "D", color="black", ms=5)
    ax.axvline(0, color=GREY, linewidth=1)
    ax.set_yticks(places, list(rows))
    ax.set_ylim(len(rows) - 0.5, -1.6)
    right = max(*distance, *let_in)
    ax.text(right / 60, -1, "nonsense let in", color=ORANGE, va="center")
    ax.text(-right / 60, -1, "truth cut off", color=BLUE, ha="right", va="center")
    ax.text(right, -1, "◆ distance", ha="right", va="center")
    ax.set_xlim(min(-0.6 * right, 1.1 * min(cut_off)), 1.05 * right)
    ticks = [tick for tick in ax.get_xticks() if -1 <= tick <= 1]
    ax.set_xticks(ticks, [f"{abs(tick):.2f}" for tick in ticks])
    ax.set_xlim(min(-0.6 * right, 1.1 * min(cut_off)), 1.05 * right)
    ax.set(xlabel="probability, mean over the places", title=title)
    ax.grid(axis="y", visible=False)
    return ax
