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
