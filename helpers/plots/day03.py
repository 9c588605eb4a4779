"""Figures of predictions: next words, attention weights, entropies, surprise."""

from collections.abc import Mapping, Sequence

import torch

from helpers.plots.style import new_axes

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#555555"


def next_word_bars(
    truth: Mapping[str, float],
    model: Mapping[str, float],
    *,
    title: str = "",
    note: str = "",
    top: int = 6,
    ax=None,
):
    """Draw two distributions over the next word as pairs of bars.

    The words shown are the likeliest by either of the two, ``"(others)"`` last if it
    is among them; a space is shown as ``␣``. The note stands below the title.
    """
    ax = new_axes(ax, figsize=(6, 0.9 + 0.42 * top))
    likeliest = lambda word: max(truth.get(word, 0), model.get(word, 0))  # noqa: E731
    shown = sorted({*truth, *model}, key=lambda word: (-likeliest(word), word))[:top]
    shown.sort(key="(others)".__eq__)
    for offset, colour, name, probs in (
        (-0.2, BLUE, "truth", truth),
        (0.2, ORANGE, "model", model),
    ):
        widths = [probs.get(word, 0.0) for word in shown]
        places = [row + offset for row in range(len(shown))]
        ax.barh(places, widths, height=0.36, color=colour)
        for row, (place, width) in enumerate(zip(places, widths, strict=True)):
            number = f"{width:.3f}" if 0.0005 <= width < 0.0995 else f"{width:.2f}"
            label = number + (f"  {name}" if row == 0 else "")
            ax.text(width, place, " " + label, va="center", color=colour, fontsize=9)
    ax.set_yticks(range(len(shown)), [word.replace(" ", "␣") for word in shown])
    ax.set(xlabel="probability of the next word")
    ax.set_title(title, pad=20 if note else None)
    limit = 1.22 * max(0.1, *map(likeliest, shown))
    ax.set_xlim(0, limit)
    ax.set_xticks([tick for tick in ax.get_xticks() if 0 <= tick <= min(1, limit)])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.text(0, 1.02, note, transform=ax.transAxes, color=GREY, fontsize=9)
    return ax


def weight_maps(maps: Mapping[str, torch.Tensor], *, title: str = ""):
    """Draw square matrices of attention weights side by side, with their row sums.

    Returns the axes, one for each of the maps.
    """
    first = new_axes(figsize=(3 * len(maps), 3.3))
    figure = first.figure
    first.remove()
    axes = figure.subplots(1, len(maps), squeeze=False)[0]
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    for ax, (name, weights) in zip(axes, maps.items(), strict=True):
        ax.imshow(weights.tolist(), vmin=0, vmax=1, cmap="viridis")
        ax.grid(visible=False)
        n = len(weights)
        for query, row in enumerate(weights.tolist()):
            for key, weight in enumerate(row):
                colour = "black" if weight > 0.6 else "white"
                text = "0" if weight == 0 else f"{weight:.2f}".removeprefix("0")
                ax.text(key, query, text, ha="center", va="center", color=colour)
            ax.text(n - 0.3, query, f"sum {sum(row):.2f}", va="center", fontsize=9)
        ax.set(xticks=range(n), yticks=range(n), xlabel="position looked at")
        ax.set_title(name, fontsize=10, fontweight="normal")
    axes[0].set_ylabel("position that looks")
    return axes


def entropy_scatter(
    truth: Sequence[float], model: Sequence[float], *, title: str = "", ax=None
):
    """Draw the model's entropy against the true one, in nats, a point per place."""
    ax = new_axes(ax)
    limit = 1.05 * max(*truth, *model)
    ax.plot([0, limit], [0, limit], color=GREY, linewidth=1, linestyle="--")
    ax.text(limit, limit, "equal", ha="right", va="bottom", color=GREY, fontsize=9)
    ax.scatter(truth, model, color=BLUE, alpha=0.5, s=22, linewidths=0)
    ax.set(xlabel="entropy of the truth, nats", ylabel="entropy of the model, nats")
    ax.set_ylim(-0.15, limit * 1.08)
    ax.set_title(title)
    return ax


def surprise_lines(
    words: Sequence[str],
    lines: Mapping[str, Sequence[float]],
    *,
    mark: int,
    world: Sequence[float] = (),
    title: str = "",
    ax=None,
):
    """Draw the surprise of each word, in nats, a line per text.

    The texts share their ``words`` but for word ``mark``, which gets a vertical line;
    there the lines carry their names. The surprise of the ``world`` itself, if given,
    is a thin grey line with its name at its highest peak.
    """
    ax = new_axes(ax, figsize=(6, 4))
    top = max(max(costs) for costs in [*lines.values(), world or [0]])
    ax.axvline(mark, color=GREY, linewidth=1, linestyle="--")
    if world:
        peak = max(range(len(world)), key=world.__getitem__)
        ax.plot(world, color=GREY, linewidth=0.9)
        ax.text(peak, world[peak] + 0.06 * top, "world", color=GREY, ha="center")
    for (name, costs), colour in zip(lines.items(), (ORANGE, BLUE), strict=False):
        ax.plot(costs, color=colour, linewidth=1.4)
        ax.plot(mark, costs[mark], "o", color=colour, markersize=5)
        place = (mark - 0.4, costs[mark] + 0.08 * top)
        ax.text(*place, name, color=colour, ha="right", va="bottom")
    labels = ["…" if i == mark else word for i, word in enumerate(words)]
    ax.set_xticks(range(len(words)), labels, rotation=90, fontsize=8)
    ax.set(xlabel="word", ylabel="surprise, nats", ylim=(-0.03 * top, top * 1.2))
    ax.set_title(title)
    return ax
