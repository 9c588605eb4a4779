"""Figures of day 8: the architecture, the lens, and losses that fall."""

import math

import matplotlib.pyplot as plt

from helpers.plots.colours import BLUE, GREEN, GREY, ORANGE, PALE, PURPLE, SKY, ink
from helpers.plots.style import CENTRE, SMALL, heatmap, label, new_axes, spread

PLUS = {"boxstyle": "circle,pad=0.15", "fc": SKY, "ec": "white"}


def architecture(config):
    """Draw a GPT-2 from ids to logits: the stream, and what a layer adds to it.

    In each box stand the weights by their names, and the section that builds the part.
    """
    title = "One stream runs through: each layer reads it twice, and adds to it twice"
    ax = new_axes(title=title, size=(10, 3.1))
    ax.axis("off")
    ax.set(xlim=(-1.2, 15), ylim=(-1.1, 2.6))
    arrow = {"arrowstyle": "->", "color": GREY, "lw": 1.4}
    ax.annotate("", (12.6, 0), (0.4, 0), arrowprops=arrow | {"lw": 4, "color": SKY})
    frame = {"fill": False, "ec": PALE, "ls": "--"}
    ax.add_patch(plt.Rectangle((2.1, -0.45), 7.2, 2.65, **frame))
    ax.text(2.2, 2.3, f"layer: {config.n_layer} times", color=GREY)
    boxes = [
        (1.2, 0, "embed\nwte, wpe\n§2", BLUE),
        (3.2, 1.4, "layer norm\nln_1\n§3", GREEN),
        (4.9, 1.4, "attention\nattn\n§4–6", ORANGE),
        (6.8, 1.4, "layer norm\nln_2\n§3", GREEN),
        (8.5, 1.4, "feed-forward\nmlp\n§7", PURPLE),
        (10.2, 0, "layer norm\nln_f\n§3", GREEN),
        (11.6, 0, "head\nwte again\n§9", BLUE),
    ]
    for x, y, text, colour in boxes:
        style = {"boxstyle": "round", "fc": colour, "ec": "white"}
        ax.text(x, y, text, color="white", bbox=style, **CENTRE, **SMALL)
    for start, norm, half, end in ((2.5, 3.2, 4.9, 5.8), (6.2, 6.8, 8.5, 9.0)):
        ways = [(start, 0.05, norm - 0.3, 0.9), (norm + 0.65, 1.4, half - 0.75, 1.4)]
        for x, y, *tip in [*ways, (half + 0.1, 0.9, end, 0.2)]:
            ax.annotate("", tip, (x, y), arrowprops=arrow)
        ax.text(end, 0, "+", color="white", weight="bold", **CENTRE, bbox=PLUS)
    names = ["ids\n(batch, seq)", f"the stream: (batch, seq, {config.n_embd})"]
    names.append(f"logits\n(batch, seq, {config.vocab_size:,})")
    for x, y, name in zip((-0.4, 5.7, 13.9), (0, -0.8, 0), names, strict=True):
        ax.text(x, y, name, color=GREY, **CENTRE, **SMALL)
    return ax


def lens_map(favourites, probs, depths, came, *, title, read=(), ax=None):
    """Draw the favourite token at each depth and place, (depth, seq), lowest first.

    ``probs`` of the same shape: the probability of ``came``, the token that came, which
    is written behind the one that was ``read`` there.
    """
    ax = new_axes(ax, title=title, size=(7.5, 3.4))
    image = heatmap(ax, probs, aspect="auto")
    for y, row in enumerate(favourites):
        for x, token in enumerate(row):
            colour = ink(float(probs[y][x]))
            ax.text(x, y, label(token, 11), color=colour, **CENTRE, **SMALL)
    names = [label(token, 11) for token in came]
    names = [
        f"{label(a, 11)}\n→ {b}" for a, b in zip(read, names, strict=False)
    ] or names
    ax.set_xticks(range(len(came)), names)
    ax.set_yticks(range(len(depths)), depths)
    ax.set_xlabel("token read → token that came")
    ax.invert_yaxis()
    ax.figure.colorbar(image, label="probability of the token that came")
    return ax


def loss_curves(curves, marks, *, ends, title, ax=None):
    """Draw training losses by step, {name: losses}, and heights, {label: loss}.

    ``ends``: {name: (loss on new texts, its error)}, a dot at the end of each curve.
    """
    ax = new_axes(ax, title=title, size=(7.5, 3.6))
    longest = max(map(len, curves.values()))
    names = []  # each with the height that it belongs to
    for name, losses in curves.items():
        (line,) = ax.plot(losses)
        style = {"color": line.get_color(), "weight": "bold"}
        value, error = ends[name]
        dot = {"fmt": "o", "color": line.get_color(), "mec": "white", "zorder": 3}
        ax.errorbar(longest, value, error, **dot)
        names.append((value, f"{name}: {value:.2f} on new stories", style))
    for name, height in marks.items():
        ax.hlines(height, 0, longest, color=GREY, linestyle="--", linewidth=1)
        names.append((height, f"{name}: {height:.2f}", {"color": GREY, **SMALL}))
    logs = [math.log(height) for height, _, _ in names]  # where labels stand evenly
    heights = spread(logs, gap=0.08 * (max(logs) - min(logs)))
    for (_, name, style), height in zip(names, heights, strict=True):
        ax.text(1.02 * longest, math.exp(height), name, va="center", **style)
    ax.set(xlabel="training step", ylabel="loss (nats per byte, log scale)")
    ax.set(xlim=(0, 1.65 * longest), yscale="log")
    ax.yaxis.set_major_formatter("{x:g}")
    ax.grid(visible=False)  # it would run under the names
    ax.set_xticks([step for step in ax.get_xticks() if step <= longest])
    return ax
