"""Figures show what they are given; how they look is for eyes to judge."""

from types import SimpleNamespace

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.evaluation.frontier import Point
from helpers.plots import (
    day01,
    day02,
    day03,
    day04,
    day05,
    day06,
    day07,
    day08,
    day09,
    day10,
)
from helpers.plots.style import label, spread
from helpers.plots.training import loss_curve
from helpers.worlds import Mean

SQUARE = torch.tensor([[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.01, 0.09, 0.9]])
STEPS = [
    {("saw", "a"): 0.5, ("saw", "the"): 0.4, ("saw", "no"): 0.1},
    {("saw", "a", "kite"): 0.1, ("saw", "the", "moon"): 0.36, ("saw", "a", "ox"): 0.2},
]


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def written(ax):
    return [text.get_text() for text in ax.texts]


def rows_of(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def widths(ax):
    return [bar.get_width() for bar in ax.patches]


# What tokenizers may give: mathematics to matplotlib, commands to a terminal.
AWKWARD = {
    "$$": "$$",
    "$x$ a": "$x$·a",
    "\x1b[31m": "<1B 5B 33 31 6D>",
    "\ud800": "?",
    " a\nb\t": "·a↵b→",
    "": "",
}


@pytest.mark.parametrize(("text", "shown"), AWKWARD.items())
def test_labels_are_text(text, shown):
    assert label(text) == shown
    truth = day03.next_word_bars({text: 1.0}, {text: 0.5})
    square = day07.weight_map(SQUARE[:1, :1], [text])
    choice = day04.token_choice(SQUARE[1], SQUARE[1], chosen=0, name=lambda i: text)
    for ax in (truth, square, choice[0]):
        ax.figure.canvas.draw()
    assert rows_of(truth) == rows_of(square) == [shown]
    assert rows_of(choice[0]) == [shown] * 3


def test_labels_are_cut_where_long_and_spread_where_close():
    assert label(" somewhere far", 9) == "·somewhe…"
    assert spread([0.5, 0.1, 0.12, -1.0], gap=0.1) == [0.5, 0.1, 0.2, -1.0]


def test_parts_fill_each_bar_and_totals_are_written():
    counts = {"small": {"words": 75, "blocks": 25}, "big": {"words": 1, "blocks": 19}}
    ax = day01.parameter_parts(counts)
    assert widths(ax) == [75, 5, 25, 95] and rows_of(ax) == ["small", "big"]
    assert written(ax) == ["75 %", "", "25 %", "95 %", "100", "20"]
    parts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert parts == ["words", "blocks"]
    numbers = [124_439_808, 1_557_611_200, 4_480_000]
    assert [*map(day01.short_number, numbers)] == ["124 M", "1.56 B", "4.48 M"]


def test_every_row_of_the_drawing_goes_up_and_the_last_is_read_into_a_list():
    config = SimpleNamespace(n_embd=8, n_layer=3, vocab_size=9)
    ax = day01.gpt2_drawing(["a", " b"], [3, 5], {" c": 0.5, "d": 0.25}, config)
    tops = [(line.get_xdata()[0], max(line.get_ydata())) for line in ax.lines]
    assert [x for x, top in tops if top == 5.5] == [0, 1]  # into the head
    assert [x for x, top in tops if top > 5.5] == [1]  # out of it
    assert widths(ax)[-2:] == [0.5, 0.25] and "id 5\nplace 1" in written(ax)


def test_a_tree_joins_at_the_height_of_its_merge():
    ax = day02.merge_tree("bab", [("x", "y"), ("a", "b")])
    assert written(ax) == ["b", "a", "b", "ab"]
    assert [line.get_xydata().tolist() for line in ax.lines] == [
        [[1, 0], [1, 2], [2, 2], [2, 0]]
    ]


def test_prices_are_sorted_and_each_tokenizer_has_its_dots():
    prices = {
        "bytes": {"A": 3, "B": 9},
        "one": {"A": 1, "B": 9},
        "two": {"A": 2, "B": 8},
    }
    ax = day02.language_prices(prices)
    assert widths(ax) == [9, 3]
    assert [list(line.get_xdata()) for line in ax.lines] == [[9, 1], [8, 2]]


def test_bars_pair_the_likeliest_words_of_either_and_others_come_last():
    truth, model = {" kite": 0.7, "(others)": 0.3}, {" kite": 0.2, " drum": 0.1}
    ax = day03.next_word_bars(truth, model, top=3)
    assert rows_of(ax) == ["·kite", "·drum", "(others)"]
    assert widths(ax) == [0.7, 0.0, 0.3, 0.2, 0.1, 0.0]


def test_probabilities_stand_against_truth_and_the_special_ones_apart():
    truth, model = torch.tensor([0.5, 1.0, 1.0]), torch.tensor([0.5, 0.25, 1.0])
    special = torch.tensor([False, True, False])
    ax = day03.against_truth(truth, model, special)
    dots = [kind.get_offsets().tolist() for kind in ax.collections]
    assert [[y for _, y in kind] for kind in dots] == [[0.5, 1.0], [0.25]]
    assert dots[1][0][0] == pytest.approx(1.0, rel=0.17)
    assert ax.lines[0].get_xydata().tolist() == [[0.5, 0.5], [1, 1]]


def test_work_maps_show_what_was_read_at_each_step():
    reads = {"without": [[0, 1], [0, 1, 2], [0, 1, 2, 3]], "with": [[0, 1], [2], [3]]}
    axes = day04.work_maps(reads)
    assert [ax.get_title(loc="left") for ax in axes] == ["without: 9", "with: 4"]
    grids = [ax.images[0].get_array().tolist() for ax in axes]
    assert grids[0] == [[2, 2, 0, 0], [2, 2, 2, 0], [2, 2, 2, 2]]
    assert grids[1] == [[2, 2, 0, 0], [1, 1, 2, 0], [1, 1, 1, 2]]


def test_pads_are_grey_and_tokens_are_not():
    (ax,) = day04.padded_rows({"left": [["pad", " a"], ["b", " c"]]}, pad="pad")
    assert written(ax) == ["pad", "·a", "b", "·c"]
    assert ax.images[0].get_array().tolist() == [[0, 1], [1, 1]]


def test_a_choice_shows_forbidden_tokens_and_the_one_chosen():
    logits, allowed = torch.tensor([[3.0, 1, 2, 0], [3.0, -torch.inf, 2, 0]])
    name = " abcd".__getitem__
    axes = day04.token_choice(logits, allowed, chosen=3, name=name, top=3)
    assert rows_of(axes[0]) == ["·", "b", "a", "c"]  # by logit, and then the chosen
    assert written(axes[1]) == ["−∞"]
    assert axes[0].get_xlim() == axes[1].get_xlim() == pytest.approx((-0.6, 3.6))
    probs = allowed.softmax(dim=-1)[[0, 2, 1, 3]].tolist()
    assert widths(axes[2]) == pytest.approx(probs)
    assert ["chosen" in text for text in written(axes[2])] == [False] * 3 + [True]


def test_tree_marks_the_winner_the_kept_and_the_dropped():
    ax = day05.search_tree(STEPS, num_beams=2)
    nodes = {"saw", "a  0.500", "the  0.400", "no", "moon  0.360", "ox  0.200", "kite"}
    assert set(written(ax)) == nodes | {"0.50", "0.40", "0.10", "0.20", "0.90"}
    colours = {text.get_text(): text.get_color() for text in ax.texts}
    assert colours["saw"] == colours["the  0.400"] == colours["moon  0.360"]
    assert colours["a  0.500"] == colours["ox  0.200"] != colours["saw"]
    assert colours["no"] == colours["kite"] != colours["a  0.500"]
    assert "… kite." in written(day05.search_tree(STEPS, num_beams=1, start="… kite."))


def test_strip_parts_right_from_wrong_and_counts_them():
    texts = [(-1.0, True), (-2.0, False), (-3.0, False), (-4.0, False)]
    ax = day05.verdict_strip({"greedy": texts})
    right, wrong = (marks.get_offsets() for marks in ax.collections)
    assert right[:, 0].tolist() == [-1] and wrong[:, 0].tolist() == [-2, -3, -4]
    assert rows_of(ax) == ["greedy\n25% right"]


def test_plots_told_are_cut_the_commonest_first_and_each_into_right_and_wrong():
    stories = [("lost", False), ("moon", True), ("moon", False), ("moon", True)]
    ax = day05.told_plots({"greedy": stories}, named=3)
    pieces = [(bar.get_x(), bar.get_width()) for bar in ax.patches[:4]]
    assert pieces == [(0, 3), (0, 2), (3, 1), (3, 0)]  # all of a plot, then its right
    assert written(ax) == ["moon"] and rows_of(ax) == ["greedy"]


def test_lines_are_named_at_their_ends_without_overlap():
    lines = {"one": [1.0, 0.5, 0.1], "two": [1.0, 0.9, 0.1]}
    ax = day06.right_lines(lines, risk=0.5)
    low, high = (text.get_position()[1] for text in ax.texts[:2])
    assert written(ax)[:2] == ["one", "two"] and high - low >= 0.005
    ax = loss_curve([[1, 2e6, 3.0], [2, 4e6, 2.0]], floor=1.0)
    assert ax.lines[0].get_xdata().tolist() == [2, 4]  # millions


def test_panels_show_before_and_after_and_count_what_is_left():
    before, after = torch.tensor([0.1, 0.6, 0.3]), torch.tensor([0.0, 0.7, 0.3])
    rules = {"cut": after, "same": before, "once more": after}
    axes = day06.before_after(before, rules, names=[" b", "c"])
    heights = [round(bar.get_height(), 3) for bar in axes[0].patches]
    assert heights == [0.6, 0.3, 0.1, 0.7, 0.3, 0.0]
    assert written(axes[0]) == ["2 of 3 tokens left"]
    assert [ax.get_title("left") for ax in axes] == list(rules)
    assert axes[0].figure.axes == list(axes)  # nothing in the fourth place


def test_the_law_begins_where_the_given_words_end():
    ax = day06.right_lines({"T = 1.0": [1, 1, 0.5, 0.5]}, risk=0.5, given=1)
    law = next(line for line in ax.lines if line.get_linestyle() == "--")
    assert list(law.get_ydata()) == [1, 1, 0.5, 0.25]


def test_a_cut_has_its_gain_and_its_cost_in_each_panel():
    panels = {"ours": {0.1: (0.5, 1.0), 0.3: (1.0, 0.5)}}
    lines = [line.get_ydata().tolist() for line in day06.cut_curves(panels)[0].lines]
    assert lines == [[0.5, 1.0], [1.0, 0.5]]


def test_points_are_labelled_apart():
    def point(right, alike):
        whole, distinct = Mean(right, 0.05), Mean(1 - alike, 0.01)
        return Point(8, whole, whole, distinct, Mean(alike, 0.01))

    points = {f"T = {i}": point(0.5 + i / 100, 0.2 + i / 1000) for i in range(6)}
    ax = day06.frontier({"temperature": points}, truth=point(1.0, 0.1))
    assert set(written(ax)) == {*points, "the world's own"}
    ax.figure.canvas.draw()
    boxes = [matplotlib.text.Text.get_window_extent(text) for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_every_head_and_every_score_has_its_map():
    axes = day07.head_grid(SQUARE.expand(2, 4, 3, 3))
    assert axes.shape == (2, 4) and all(len(ax.images) == 1 for ax in axes.flat)
    table = {"previous": torch.rand(2, 4), "first": torch.rand(2, 4)}
    axes = day07.score_maps({"lists": table, "tokens": table})
    assert [ax.get_title("left") for ax in axes[1]] == list(table)
    shown = torch.tensor(axes[1, 1].images[0].get_array())
    torch.testing.assert_close(shown.float(), table["first"])


def test_strips_have_a_dot_for_each_value_and_a_bar_at_their_mean():
    panels = {"looks": {"4.3": [1.0, 0.5], "4.5": [0.0, 0.5]}}
    axes = day07.strips(panels, named=["4.3"])
    dots = [line.get_xdata().tolist() for line in axes[0].lines[::2]]
    assert dots == list(panels["looks"].values())
    assert [bar[0].get_xdata()[0] for bar in axes[0].containers] == [0.75, 0.25]
    assert rows_of(axes[0]) == ["4.3", "4.5"]


def test_the_lens_shows_favourites_over_the_chance_of_what_came():
    probs = torch.tensor([[0.0, 0.5], [0.9, 1.0]])
    rows = [["a", " b"], [" c", "d"]]
    ax = day08.lens_map(rows, probs, ["start", "end"], [" c", "d"], title="")
    assert written(ax) == ["a", "·b", "·c", "d"] and rows_of(ax) == ["start", "end"]
    assert ax.images[0].get_array().tolist() == probs.tolist()


def test_a_loss_is_drawn_beside_named_heights():
    ax = day10.loss_curve([3.0, 2.0, 1.5], lines={"floor": 1.0})
    assert ax.lines[0].get_ydata().tolist() == [3.0, 2.0, 1.5]
    assert written(ax) == ["floor"] and ax.get_ylim()[0] == 0


def test_overfitting_compares_means_with_what_was_held_out():
    tracks = {"few": ([4.0, 2.0, 1.0, 0.0], {2: 3.0, 4: 5.0}), "new": ([1.0], {1: 1.0})}
    axes = day10.overfitting(tracks, floor=0.5)
    training, held_out = (line.get_ydata() for line in axes[0].lines[:2])
    assert [*training] == [3.0, 0.5] and [*held_out] == [3.0, 5.0]
    assert written(axes[0])[:2] == ["held-out", "training"] and not written(axes[1])


def test_a_sweep_shows_each_pair_above_the_floor_and_the_best_one_bold():
    names = "learning_rate", "epochs", "nll"
    rows = [(1e-3, 1, 3.0), (1e-3, 2, 1.6), (4e-3, 1, 2.0), (4e-3, 2, 9.0)]
    rows = [dict(zip(names, row, strict=True)) for row in rows]
    ax = day10.sweep(rows, floor=1.0)
    assert written(ax) == ["2.0", "0.6", "1.0", "8.0"]
    bold = [text.get_text() for text in ax.texts if text.get_weight() == "bold"]
    assert bold == ["0.6"] and rows_of(ax) == ["0.001", "0.004"]


def test_each_stride_stands_at_its_cost_beside_what_it_is_compared_with():
    ax = day09.stride_curve(
        {512: (1.0, 2.4), 256: (1.9, 1.8)}, lines={"alone": 1.7, "floor": 1.6}
    )
    assert ax.lines[0].get_xydata().tolist() == [[1.0, 2.4], [1.9, 1.8]]
    assert written(ax) == ["stride 512", "stride 256", "alone", "floor"]


def test_means_stand_in_the_middle_of_their_stretch():
    curves = {"floor": [Mean(1.0, 0.1), Mean(0.5, 0.1)], "excess": [Mean(0, 0)] * 2}
    axes = day09.along([20, 40], curves)
    assert axes[0].lines[0].get_xydata().tolist() == [[10, 1.0], [30, 0.5]]


def test_measures_stand_beside_each_other_over_one_knob():
    panels = {"excess": {0.5: Mean(0.3, 0.1), 1.0: Mean(0.1, 0.1)}}
    axes = day09.beside(panels | {"whole": {1.0: Mean(0.4, 0.0)}}, x="temperature")
    assert [ax.get_title("left") for ax in axes] == ["excess", "whole"]
    assert axes[0].lines[0].get_xydata().tolist() == [[0.5, 0.3], [1.0, 0.1]]


def test_a_reader_without_a_figure_has_no_dot_there():
    ax = day09.domain_dots({"lists": {"ours": 1.0, "floor": 0.5}, "Alice": {"ours": 4}})
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    dots = [line.get_xydata().tolist() for line in ax.lines[2:]]
    assert dict(zip(names, dots, strict=True)) == {
        "ours": [[1.0, 0], [4, 1]],
        "floor": [[0.5, 0]],
    }
    ax = day09.dots({"right": [1.0, 2.0]}, x="perplexity")
    assert ax.lines[1].get_xdata().tolist() == [1.5, 1.5] and rows_of(ax) == ["right"]


def test_two_trainings_are_two_lines_over_the_tokens_they_read():
    saves = [
        {"targets": targets, "tokens": n * 1e6, "excess": [excess / n, 0.01]}
        for targets, excess in (("truth", 1.0), ("words", 2.0))
        for n in (1, 2)
    ]
    ax = day10.two_trainings(saves)
    lines = [line.get_xydata().tolist() for line in ax.lines if len(line.get_xdata())]
    assert [[1, 1], [2, 0.5]] in lines and [[1, 2], [2, 1]] in lines
    assert written(ax) == ["from probabilities", "from words"]


def test_ways_to_learn_are_lines_through_the_means_of_their_lessons():
    found = [("LoRA", 1e-3, 3, 1), ("LoRA", 1e-3, 5, 3), ("all", 1e-3, 1, 9)]
    rows = [
        {"way": way, "steps": 80, "rate": rate, "new": [new, 0.1], "old": [old, 0.1]}
        for way, rate, new, old in found
    ]
    ax = day10.kept_and_learned(rows, best=(0.7, 0.5))
    assert [line.get_xydata().tolist() for line in ax.lines[::2][:2]] == [
        [[4, 2]],
        [[1, 9]],
    ]
    assert written(ax) == ["0.001", "0.001", "floor of both"]


def test_searches_are_bars_among_the_draws_of_their_row():
    ax = day05.draws_and_searches([[-3.0, -1.0], [-2.0]], {"k = 1": [-2.5, -1.5]})
    assert [line.get_xdata().tolist() for line in ax.lines[:2]] == [[-3, -1], [-2]]
    [bars] = ax.collections
    assert [path[:, 0].tolist() for path in bars.get_segments()] == [
        [-2.5, -2.5],
        [-1.5, -1.5],
    ]
    assert rows_of(ax) == ["beginning 1", "beginning 2"]
