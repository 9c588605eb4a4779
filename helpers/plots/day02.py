"""Figures of day 2: what merges save, and what a sentence costs."""

from collections.abc import Mapping

from helpers.plots.style import new_axes


def compression_curves(curves: Mapping[str, Mapping[int, float]], *, ax=None):
    """Draw tokens per word against merges: {text: {merges: tokens per word}}."""
    ax = new_axes(ax, title="Merges help the text they were learned from")
    for name, curve in curves.items():
        (line,) = ax.plot(list(curve), list(curve.values()), marker="o", markersize=3)
        style = {"color": line.get_color(), "va": "center", "annotation_clip": False}
        end = list(curve.items())[-1]
        ax.annotate(name, end, (6, 0), textcoords="offset points", **style)
    ax.set(xlabel="merges learned", ylabel="tokens per word", ylim=(0, None))
    return ax


def language_bars(costs: Mapping[str, int], *, ax=None):
    """Draw the tokens that one sentence costs in each language, cheapest on top."""
    languages = sorted(costs, key=costs.get, reverse=True)
    cheap, dear = languages[-1], languages[0]
    ends = f"{costs[cheap]} tokens in {cheap}, {costs[dear]} in {dear}"
    ax = new_axes(ax, title=f"One sentence: {ends}")
    bars = ax.barh(languages, [costs[language] for language in languages])
    ax.bar_label(bars, padding=3)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("tokens")
    return ax
