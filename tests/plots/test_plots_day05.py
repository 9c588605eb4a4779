"""The figures of searches show what they are given."""

import math

import matplotlib
import pytest

matplotlib.use("Agg")

from helpers.plots.day05 import (
    race,
    repetition_lines,
    search_tree,
    verdict_strip,
    verdicts,
)

STEPS = [
    {("saw", "a"): 0.5, ("saw", "the"): 0.4, ("saw", "no"): 0.1},
    {
        ("saw", "a", "kite"): 0.1,
        ("saw", "the", "moon"): 0.36,
        ("saw", "a", " fox"): 0.2,
    },
]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def shown(ax) -> dict:
    return {text.get_text(): text for text in ax.texts}


def test_tree_has_a_node_per_text_and_its_edges_carry_conditional_probabilities():
    ax = search_tree(STEPS, num_beams=2, title="A title")
    names = {
        "saw",
        "a  0.500",
        "the  0.400",
        "no",
        "moon  0.360",
        "␣fox  0.200",
        "kite",
    }
    edges = {"0.50", "0.40", "0.10", "0.20", "0.90"}
    assert set(shown(ax)) == names | edges
    assert len(ax.lines) == 6 and ax.get_title(loc="left") == "A title"


def test_tree_marks_the_winner_the_kept_and_the_dropped():
    ax = search_tree(STEPS, num_beams=2)
    colours = {name: text.get_color() for name, text in shown(ax).items()}
    assert colours["saw"] == colours["the  0.400"] == colours["moon  0.360"]
    assert colours["a  0.500"] == colours["␣fox  0.200"] != colours["saw"]
    assert colours["no"] == colours["kite"] != colours["a  0.500"]
    styles = sorted(line.get_linestyle() for line in ax.lines)
    assert styles == ["-", "-", "-", "-", ":", ":"]


def test_tree_names_its_root():
    assert "… kite." in shown(search_tree(STEPS, num_beams=1, start="… kite."))


def test_strip_parts_right_from_wrong_and_counts_them():
    rows = {"greedy": [(-1.0, True), (-2.0, False), (-3.0, False), (-4.0, False)]}
    ax = verdict_strip(rows)
    right, wrong = (marks.get_offsets() for marks in ax.collections)
    assert right[:, 0].tolist() == [-1] and wrong[:, 0].tolist() == [-2, -3, -4]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["greedy\n25% right"]


def test_lines_are_drawn_at_the_windows_ends_with_their_names():
    ax = repetition_lines({"r = 1": [0.0, 0.5], "r = 2": [0.0, 0.1]}, window=50)
    assert ax.lines[0].get_xdata().tolist() == [50, 100]
    assert list(shown(ax)) == ["r = 1", "r = 2"]


def test_the_race_says_where_greedy_is_dropped():
    alone = [{("a",): 0.5, ("b",): 0.4, ("c",): 0.1}, {("a", "x"): 0.1}]
    beams = [{("a",): 0.5, ("b",): 0.4}, {("b", "y"): 0.3, ("b", "z"): 0.2}]
    table = race(alone, beams)
    assert table["greedy text in beam?"].tolist() == ["yes", "dropped"]
    assert table["beam 1"].map(math.exp).round(6).tolist() == [0.5, 0.3]


def test_verdicts_give_no_error_where_all_are_alike():
    table = verdicts({"some": [(-1.0, True), (-2.0, False)], "all": [(-1.0, True)]})
    assert table.loc["some"].tolist() == [-1.5, 0.5, math.sqrt(0.125)]
    assert table.loc["all", "right"] == 1 and math.isnan(table.loc["all", "±"])
