"""The figures of the inside show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.plots.day08 import lens_map, share_bars


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def test_bars_have_the_shares_and_numbers_where_there_is_room():
    counts = {"one": {"a": 3, "b": 1, "c": 0}, "two": {"a": 50, "b": 49, "c": 1}}
    ax = share_bars(counts, title="Shares")
    assert [bar.get_width() for bar in ax.patches[:3]] == [0.75, 0.25, 0.0]
    texts = [text.get_text() for text in ax.texts]
    assert texts[:4] == ["75%", "25%", "50%", "49%"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["one", "two"]
    assert "b" in texts and "c" not in texts


def test_map_has_a_guess_in_every_cell():
    chances = torch.tensor([[0.0, 0.1], [0.5, 1.0]])
    guesses = [[" a", "$"], [" somewhere far", "\n"]]
    ax = lens_map(chances, guesses, [" x", " y"], [" b", " c"], title="Late")
    texts = [text.get_text() for text in ax.texts]
    assert texts == ["␣a", r"\$", "␣somewhe…", "↵"]
    assert ax.images[0].get_array().tolist() == chances.tolist()
    assert [label.get_text() for label in ax.get_yticklabels()][0] == "embedding"
    assert ax.get_title(loc="left") == "Late"
