"""The figures of predictions show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.plots.day03 import (
    entropy_scatter,
    next_word_bars,
    surprise_lines,
    weight_maps,
)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def test_bars_pair_the_likeliest_words_of_either():
    truth, model = {" kite": 0.7, " ball": 0.3}, {" kite": 0.5, " drum": 0.4}
    ax = next_word_bars(truth, model, top=2, title="A title")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["␣kite", "␣drum"]
    assert [bar.get_width() for bar in ax.patches] == [0.7, 0.0, 0.5, 0.4]
    assert ax.get_title(loc="left") == "A title"


def test_maps_show_each_matrix_with_its_row_sums():
    halves, ones = torch.full((2, 2), 0.5), torch.eye(2) * 0.9
    axes = weight_maps({"a": halves, "b": ones}, title="Maps")
    assert [ax.get_title() or ax.get_title(loc="left") for ax in axes] == ["a", "b"]
    sums = [text.get_text() for text in axes[1].texts if "sum" in text.get_text()]
    assert sums == ["sum 0.90", "sum 0.90"]


def test_scatter_has_a_point_per_place():
    ax = entropy_scatter([0.0, 1.0, 2.0], [0.1, 1.0, 1.5])
    assert ax.collections[0].get_offsets().tolist() == [[0, 0.1], [1, 1], [2, 1.5]]


def test_lines_are_marked_at_the_word():
    words = [" a", " b", " c"]
    ax = surprise_lines(
        words, {"changed": [1.0, 9.0, 3.0], "true": [1.0, 2.0, 1.0]}, mark=1
    )
    assert [text.get_text().strip() for text in ax.texts] == ["changed", "true"]
    assert {line.get_xdata()[0] for line in ax.lines} == {0, 1}


def test_the_world_is_named_at_its_peak():
    ax = surprise_lines([" a", " b"], {"x": [1.0, 2.0]}, mark=0, world=[0.0, 3.0])
    place = next(text for text in ax.texts if text.get_text() == "world")
    assert place.get_position()[0] == 1
