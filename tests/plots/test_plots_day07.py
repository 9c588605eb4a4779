"""The figures of attention show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.plots import day07 as plots
from helpers.plots import heads as head_plots


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


SQUARE = torch.tensor([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.01, 0.09, 0.9]])


def test_a_map_names_who_looks_and_who_is_looked_at():
    ax = plots.weight_map(SQUARE, ["a", "·b", "·c"], title="Map")
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "·b", "·c"]
    assert ax.images[0].get_array().tolist() == pytest.approx(SQUARE.numpy())
    named = plots.weight_map(SQUARE[:2], ["a", "b", "c"], rows=["late", "early"])
    assert [label.get_text() for label in named.get_yticklabels()] == ["late", "early"]


def test_lines_are_as_solid_as_their_weights():
    ax = plots.head_lines(SQUARE[None], ["a", "b", "c"], names=["head 0.1"])
    drawn = {tuple(line.get_ydata()): line.get_alpha() for line in ax.lines}
    assert set(drawn) == {(0, 0), (1, 0), (1, 1), (2, 2)}  # not 0.01, 0.09
    assert drawn[1, 0] == pytest.approx(0.4)


def test_every_head_has_its_small_map():
    axes = plots.head_grid(SQUARE.expand(2, 4, 3, 3), title="All")
    assert axes.shape == (2, 4) and all(len(ax.images) == 1 for ax in axes.flat)


def test_bars_add_up_to_the_score():
    query = torch.tensor([1.0, 2.0, -1.0, 0.0])
    keys = {"a": torch.tensor([2.0, 1.0, 0.0, 5.0])}
    [ax] = plots.neuron_bars(query, keys, {"a": 0.25})
    assert sum(bar.get_height() for bar in ax.patches) == pytest.approx(2.0)
    assert "score 2.0" in ax.texts[0].get_text()
    assert "weight 0.25" in ax.texts[0].get_text()


def test_scores_stand_by_text_and_kind():
    table = {"previous": torch.rand(2, 4), "first": torch.rand(2, 4)}
    chance = {"lists": {"previous": 0.04, "first": 0.03}}
    axes = head_plots.score_maps({"lists": table}, chance=chance)
    assert axes[0, 0].get_title("left") == "previous, chance 0.04"
    assert axes[0, 1].images[0].get_array().shape == (2, 4)


def test_doses_are_named_at_their_ends_in_the_colours_of_their_roles():
    curves = {"lookup heads": [[0.6, 0.1]], "others": [[0.6, 0.5], [0.6, 0.4]]}
    ax = head_plots.dose_lines(curves, label="score")
    drawn = [list(line.get_ydata()) for line in ax.lines]
    assert drawn == [[0.6, 0.1], [0.6, 0.5], [0.6, 0.4]]
    assert [text.get_text() for text in ax.texts] == ["lookup heads", "others"]
    colours = [line.get_color() for line in ax.lines]
    assert colours == [head_plots.ORANGE, head_plots.GREY, head_plots.GREY]


def test_each_choice_is_a_point_with_its_name():
    choices = {"lookup heads": {"4.3": (1, 0.9), "both": (2, 0.1)}}
    choices["others"] = {" 0": (2, 0.8)}
    ax = head_plots.choice_points(choices, label="memory")
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.9, 0.1], [0.8]]
    written = {text.get_text() for text in ax.texts}
    assert written == {"4.3", "both", "lookup heads", "others"}


def test_the_costliest_heads_stand_first_with_their_errors():
    costs = {"loss": {(0, 1): (0.1, 0.02), (1, 0): (0.5, 0.1), (1, 1): (0.0, 0.0)}}
    groups = {"lookup heads": [(1, 0)]}
    [ax] = head_plots.ranked_costs(costs, groups=groups, labels=1)
    tops = [bars.lines[0].get_ydata()[0] for bars in ax.containers]
    assert tops == [0.5, 0.1, 0.0]
    low, high = ax.containers[0].lines[2][0].get_segments()[0][:, 1]
    assert (low, high) == (pytest.approx(0.3), pytest.approx(0.7))
    assert {" 1.0", "lookup heads"} == {text.get_text() for text in ax.texts}


def test_effects_are_drawn_no_lower_than_the_floor():
    weights, effects = torch.tensor([0.5, 0.1]), torch.tensor([0.0, 0.2])
    marks = {"small weight": (0.1, 0.2)}
    ax = head_plots.effect_scatter(weights, effects, marks=marks, floor=1e-4)
    assert ax.collections[0].get_offsets()[0].tolist() == pytest.approx([0.5, 1e-4])
    assert [text.get_text() for text in ax.texts] == ["small weight"]
