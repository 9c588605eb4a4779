"""Figures about training."""

from helpers.plots.style import new_axes


def loss_curve(history: list[list[float]], *, floor: float, ax=None):
    """Draw the loss, nats per token, of rows (step, tokens, loss), and its floor."""
    ax = new_axes(ax, title="The loss falls fast at first, then ever more slowly")
    millions = [row[1] / 1e6 for row in history]
    ax.plot(millions, [row[2] for row in history])
    ax.set(xlabel="tokens seen (millions)", ylabel="training loss (nats per token)")
    ax.axhline(floor, color="black", linewidth=1, linestyle="--")
    label = "entropy of the texts: the least possible"
    ax.text(millions[-1], floor - 0.1, label, ha="right", va="top")
    ax.set_ylim(0, 6)
    return ax


def learning_curves(history: list[dict], ax=None):
    """Draw a fine-tuning's history: the loss on what is learned, and on held-out texts.

    ``history`` is what ``finetune`` writes: rows with ``step`` and ``loss`` or ``nll``.
    """
    title = "Learning shows on texts that are not learned from"
    ax = new_axes(ax, title=title)
    ends = []
    for key, name, marker in (("loss", "training", ""), ("nll", "held-out", "o")):
        found = [(row["step"], row[key]) for row in history if key in row]
        (line,) = ax.plot(*zip(*found, strict=True), marker=marker, markersize=4)
        ends.append((*reversed(found[-1]), name, line.get_color()))
    for (loss, step, name, colour), side in zip(
        sorted(ends), ("top", "bottom"), strict=True
    ):
        near = {"xytext": (6, 0), "textcoords": "offset points", "va": side}
        ax.annotate(name, (step, loss), color=colour, **near)
    ax.set_xlim(0, 1.14 * history[-1]["step"])  # with room for the names
    ax.set(xlabel="step", ylabel="loss (nats per token)")
    return ax
