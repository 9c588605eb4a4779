"""Figures of the inside: where parameters and work sit, what the lens sees."""

from collections.abc import Mapping, Sequence

import torch

from helpers.plots.style import new_axes

COLOURS = ("#555555", "#0072B2", "#56B4E9", "#D55E00", "#000000", "#009E73")
PALE = ("#56B4E9",)  # black letters are read on it, white ones on the others
LEAST = 0.065  # a share that has room for its number


def share_bars(counts: Mapping[str, Mapping[str, float]], *, title: str = "", ax=None):
    """Draw the shares of the same parts in several wholes, a bar for each whole.

    The parts are named below the lowest bar in their colours; parts that are nowhere
    one part in a hundred are left out of the names.
    """
    ax = new_axes(ax, figsize=(7, 1.4 + 0.5 * len(counts)))
    parts = list(next(iter(counts.values())))
    shares = {
        name: [whole[part] / sum(whole.values()) for part in parts]
        for name, whole in counts.items()
    }
    for row, values in enumerate(shares.values()):
        left = 0.0
        for colour, share in zip(COLOURS, values, strict=False):
            ax.barh(row, share, left=left, height=0.62, color=colour, edgecolor="white")
            if share > LEAST:
                ink = "black" if colour in PALE else "white"
                place = (left + share / 2, row)
                ax.text(*place, f"{share:.0%}", ha="center", va="center", color=ink)
            left += share
    ax.set_yticks(range(len(shares)), list(shares))
    ax.set(xlim=(0, 1), xlabel="share")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.set_title(title, pad=34)
    shown = [
        i for i, _ in enumerate(parts) if max(v[i] for v in shares.values()) > 0.01
    ]
    _name_parts(ax, [(parts[i], COLOURS[i]) for i in shown])
    return ax


def _name_parts(ax, names: Sequence[tuple[str, str]]) -> None:
    """Write names above the axes, three to a row, behind squares of their colours."""
    for place, (name, colour) in enumerate(names):
        column, row = place % 3, place // 3
        at = (column * 0.36, 1.13 - 0.09 * row)
        options = {"transform": ax.transAxes, "va": "center", "fontsize": 9}
        ax.text(*at, "■", color=colour, **options)
        ax.text(at[0] + 0.03, at[1], name, **options)


def lens_map(
    chances: torch.Tensor,
    guesses: Sequence[Sequence[str]],
    read: Sequence[str],
    came: Sequence[str],
    *,
    title: str = "",
    ax=None,
):
    """Draw what a model would say after each layer, at each position.

    Args:
        chances: (depth, position), the probability of the token that really came.
        guesses: the likeliest token, by depth and position, written into the cells.
        read: the token read at each position, below the map.
        came: the token that really came next, above it.
        title: the message.
        ax: where to draw; left out, new axes.
    """
    depth, positions = chances.shape
    ax = new_axes(ax, figsize=(1.4 + 0.72 * positions, 1.7 + 0.36 * depth))
    image = ax.imshow(
        chances.tolist(), vmin=0, vmax=1, cmap="viridis", aspect="auto", origin="lower"
    )
    for row in range(depth):
        for column in range(positions):
            ink = "black" if chances[row, column] > 0.6 else "white"
            ax.text(
                column,
                row,
                _short(guesses[row][column]),
                ha="center",
                va="center",
                color=ink,
                fontsize=8,
            )
    ax.grid(visible=False)
    ax.set_xticks(range(positions), map(_short, read), rotation=45, ha="right")
    names = ["embedding", *(f"layer {layer}" for layer in range(depth - 1))]
    ax.set_yticks(range(depth), names)
    ax.set(xlabel="token read")
    above = ax.secondary_xaxis("top")
    above.set_xticks(range(positions), map(_short, came), rotation=45, ha="left")
    above.set_xlabel("token that came next")
    ax.set_title(title)
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("probability of what came")
    return ax


def _short(token: str, most: int = 9) -> str:
    """Return a token as one sees it: ␣ for a space, not too long, no mathematics."""
    text = token.replace(" ", "␣").replace("\n", "↵").replace("$", r"\$")
    return text if len(text) <= most else text[: most - 1] + "…"
