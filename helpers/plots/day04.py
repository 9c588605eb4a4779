"""Figures of generating: the tokens read, their cost, padded rows, one choice."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import torch
from matplotlib.colors import ListedColormap

from helpers.gpt2 import Cache
from helpers.plots.style import new_axes

BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#555555", "#DDDDDD"


def work_maps(reads: Mapping[str, Sequence[int]], *, title: str = ""):
    """Draw which tokens the model read at each step, a map per way of generating.

    Each way is given by its number of tokens read, step by step. At step ``i`` the
    text has ``i`` tokens more than at first; the last of them are those that were read.

    Returns the axes, one for each of the maps.
    """
    axes = _row_of_axes(len(reads), (6.4, 3.3), title)
    colours = ListedColormap(["white", PALE, BLUE])
    for ax, (name, counts) in zip(axes, reads.items(), strict=True):
        longest = counts[0] + len(counts) - 1
        grid = torch.zeros(len(counts), longest)
        for step, count in enumerate(counts):
            end = counts[0] + step
            grid[step, :end] = 1
            grid[step, end - count : end] = 2
        ax.imshow(grid.tolist(), cmap=colours, vmin=0, vmax=2, aspect="auto")
        ax.grid(visible=False)
        ax.set(xlabel="position in the text")
        ax.set_title(f"{name}: {sum(counts)}", fontsize=10, fontweight="normal")
    axes[0].set_ylabel("step")
    return axes


def token_costs(engine, lengths: Sequence[int], *, repeats: int = 25):
    """Time the logits behind so many tokens, without and with a cache.

    With a cache, all tokens but the last were read before. The tokens are random, as
    the time does not depend on them. ``repeats`` is for the runs with a cache; those
    without need fewer.

    Returns a dict of medians in milliseconds, for ``cost_curves``.
    """
    most = max(lengths)
    ids = torch.randint(engine.config.vocab_size, (1, most), device=engine.device)
    cache = Cache(engine, batch=1, room=most)

    def read(length: int):
        return engine(ids[:, :length], logits_to_keep=1).cpu()  # waits for a GPU

    def read_last(length: int):
        cache.length = length - 1  # as if only so many had been read
        last = ids[:, length - 1 : length]
        return engine(last, cache=cache, logits_to_keep=1).cpu()

    with torch.no_grad():
        engine(ids, cache=cache, logits_to_keep=1)
        runs = {"without a cache": (read, 3), "with a cache": (read_last, repeats)}
        return {
            name: [_milliseconds(run, length, count) for length in lengths]
            for name, (run, count) in runs.items()
        }


def _milliseconds(run: Callable, length: int, count: int) -> float:
    """Return the median of so many runs, after one to warm up."""
    times = []
    for _ in range(count + 1):
        begun = time.perf_counter()
        run(length)
        times.append(1000 * (time.perf_counter() - begun))
    return median(times[1:])


def cost_curves(
    lengths: Sequence[int],
    costs: Mapping[str, Sequence[float]],
    *,
    title: str = "",
    ax=None,
):
    """Draw the milliseconds for one more token against the tokens before it."""
    ax = new_axes(ax)
    top = max(map(max, costs.values()))
    for (name, values), colour in zip(costs.items(), (ORANGE, BLUE), strict=False):
        ax.plot(lengths, values, color=colour, marker="o", markersize=4)
        place = (lengths[-1], values[-1] + 0.04 * top)
        ax.text(*place, f"{name}: {values[-1]:.1f} ms", color=colour, ha="right")
    ax.set(xlabel="tokens in the text so far", ylabel="ms for one more token")
    ax.set_ylim(0, 1.15 * top)
    ax.set_title(title)
    return ax


def padded_rows(
    batches: Mapping[str, Sequence[Sequence[str]]], *, pad: str, title: str = ""
):
    """Draw batches of token texts as grids, pads grey, the last column framed.

    The text of the ``pad`` marks the pads; the first token of a text is another.
    Returns the axes, one for each of the batches.
    """
    axes = _row_of_axes(len(batches), (7.2, 1.9), title)
    for ax, (name, rows) in zip(axes, batches.items(), strict=True):
        width = len(rows[0])
        ax.imshow(
            [[float(text != pad) for text in row] for row in rows],
            aspect="auto",
            cmap=ListedColormap([PALE, "white"]),
            vmin=0,
            vmax=1,
        )
        for y, row in enumerate(rows):
            for x, text in enumerate(row):
                colour = GREY if text == pad else BLUE
                shown = text.replace(" ", "␣")
                ax.text(x, y, shown, ha="center", va="center", fontsize=8, color=colour)
        frame = [width - 1.46, width - 1.46, width - 0.54, width - 0.54]
        low, high = len(rows) - 0.54, -0.46
        ax.fill(
            frame, [low, high, high, low], fill=False, edgecolor=ORANGE, linewidth=2
        )
        ax.set_title(name, fontsize=10, fontweight="normal")
        ax.set(xticks=range(width), yticks=[], xlabel="column")
        ax.grid(visible=False)
    return axes


def token_texts(batch, tokenizer, *, pad: str = "pad") -> list[list[str]]:
    """Return each token's text for ``padded_rows``, ¶ for an end token.

    Args:
        batch: ``input_ids`` and ``attention_mask``, both (batch, seq).
        tokenizer: the model's.
        pad: stands for every token that the mask hides.
    """
    rows = []
    for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        texts = [tokenizer.decode([token]) for token in ids.tolist()]
        texts = ["¶" if text == tokenizer.eos_token else text for text in texts]
        pairs = zip(texts, mask.tolist(), strict=True)
        rows.append([text if real else pad for text, real in pairs])
    return rows


def token_choice(
    logits: torch.Tensor,
    allowed: torch.Tensor,
    *,
    chosen: int,
    name: Callable[[int], str],
    top: int = 8,
    title: str = "",
):
    """Draw one token being chosen: logits, logits after the rules, probabilities.

    Shapes: both (vocab,). Shown are the ``top`` largest logits, and the chosen token
    if it is not among them. ``name`` gives the text of a token id.

    Returns the three axes.
    """
    shown = logits.topk(top).indices.tolist()
    shown += [chosen] if chosen not in shown else []
    probs = allowed.softmax(dim=-1)
    axes = _row_of_axes(3, (7.2, 0.8 + 0.3 * len(shown)), title, sharey=True)
    colours = [ORANGE if token == chosen else BLUE for token in shown]
    rows = range(len(shown))
    both = torch.stack([logits[shown], allowed[shown]])
    kept = both[both.isfinite()]
    space = 0.15 * (kept.max() - kept.min()).item() + 0.5
    for ax, scores in zip(axes, both, strict=False):
        ax.scatter(scores.tolist(), rows, color=colours, s=30)
        ax.set_xlim(kept.min().item() - space, kept.max().item() + space)
    for row in rows:
        if allowed[shown[row]] == -torch.inf:
            at = axes[1].get_yaxis_transform()
            axes[1].text(0.02, row, "−∞", transform=at, va="center", color=GREY)
    widths = probs[shown].tolist()
    axes[2].barh(rows, widths, color=colours, height=0.6)
    for row, (token, width) in enumerate(zip(shown, widths, strict=True)):
        label = (f" {width:.2f}" if width else " 0") + (
            "  chosen" if token == chosen else ""
        )
        axes[2].text(width, row, label, va="center", color=colours[row], fontsize=9)
    axes[2].set_xlim(0, 1.7 * max(widths))
    axes[2].set_xticks([])
    names = [repr(name(token))[1:-1].replace(" ", "␣") for token in shown]
    axes[0].set_yticks(rows, names)
    axes[0].invert_yaxis()
    titles = ("1  logits", "2  after the rules", "3  probabilities")
    for ax, text in zip(axes, titles, strict=True):
        ax.set_title(text, fontsize=10, fontweight="normal")
        ax.tick_params(axis="y", length=0)
    return axes


def _row_of_axes(count: int, size: tuple[float, float], title: str, **options):
    """Return new axes side by side under one title."""
    first = new_axes(figsize=size)
    figure = first.figure
    first.remove()
    figure.suptitle(title, x=0.02, ha="left", fontsize=11, fontweight="bold")
    return figure.subplots(1, count, squeeze=False, **options)[0]
