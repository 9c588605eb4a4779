"""The figures of sampling show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.evaluation.frontier import Measured, Point
from helpers.plots.day06 import before_after, right_lines, truth_bars
from helpers.plots.frontier import frontier


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def point(quality, likeness):
    q, d = Measured(quality, 0.05), Measured(likeness, 0.01)
    return Point(8, q, q, Measured(1 - likeness, 0.01), d)


def test_panels_show_before_and_after_and_count_what_is_left():
    before = torch.tensor([0.1, 0.6, 0.3])
    after = {"cut": torch.tensor([0.0, 0.7, 0.3]), "same": before, "third": before}
    axes = before_after(before, after, names=[" b", " c", " a"], title="Rules")
    assert len(axes) == 3 and axes[0].get_title(loc="left") == "cut"
    heights = [round(bar.get_height(), 3) for bar in axes[0].patches]
    assert heights == [0.6, 0.3, 0.1, 0.7, 0.3, 0.0]
    assert [text.get_text() for text in axes[0].texts] == ["2 of 3 tokens left"]
    assert [label.get_text() for label in axes[2].get_xticklabels()] == [
        "␣b",
        "␣c",
        "␣a",
    ]
    quiet = before_after(before, {"cut": after["cut"]}, counts=False)[0]
    assert [text.get_text() for text in quiet.texts] == [""]


@pytest.mark.parametrize("x", ["distinct", "self_bleu"])
def test_every_point_is_labelled_and_diversity_grows_to_the_right(x):
    families = {
        "top-p": {"p = 0.8": point(0.5, 0.2)},
        "searches": {"greedy": point(0.5, 0.8)},
    }
    ax = frontier(families, x=x, truth=point(1.0, 0.1), title="Frontier")
    assert {text.get_text() for text in ax.texts} >= {"p = 0.8", "greedy"}
    left, right = ax.get_xlim()
    assert left > right
    stars = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "*"]
    assert stars == [pytest.approx(0.1)]


def test_labels_do_not_cover_one_another():
    points = {f"T = {i}": point(0.5 + i / 100, 0.2 + i / 1000) for i in range(6)}
    ax = frontier({"temperature": points})
    boxes = [matplotlib.text.Text.get_window_extent(text) for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_lines_are_named_at_their_ends_without_overlap():
    ax = right_lines({"hot": [1, 0.5, 0.1], "cold": [1, 0.9, 0.1]})
    assert [list(line.get_ydata()) for line in ax.lines]
    heights = [text.get_position()[1] for text in ax.texts]
    assert {text.get_text() for text in ax.texts} == {"hot", "cold"}
    assert abs(heights[0] - heights[1]) >= 0.069


def test_the_law_begins_where_the_given_words_end():
    ax = right_lines({"T = 1.0": [1, 1, 0.5, 0.5]}, risk=0.5, given=1)
    law = next(line for line in ax.lines if line.get_linestyle() == "--")
    assert list(law.get_ydata()) == [1, 1, 0.5, 0.25]


def test_what_is_cut_off_lies_on_the_left():
    rows = {"p = 0.8": {"let in": 0.1, "cut off": 0.2, "distance": 0.3}}
    ax = truth_bars(rows, title="Truth")
    assert sorted(bar.get_width() for bar in ax.patches) == [-0.2, 0.1]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["p = 0.8"]
