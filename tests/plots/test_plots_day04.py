"""The figures of generating show what they are given."""

import matplotlib
import pytest
import torch

matplotlib.use("Agg")

from helpers.gpt2 import GPT2
from helpers.models import load_model
from helpers.plots.day04 import (
    cost_curves,
    padded_rows,
    token_choice,
    token_costs,
    token_texts,
    work_maps,
)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


def test_maps_show_what_was_read_at_each_step():
    axes = work_maps({"without": [2, 3, 4], "with": [2, 1, 1]}, title="Reading")
    assert [ax.get_title(loc="left") for ax in axes] == ["without: 9", "with: 4"]
    grids = [ax.images[0].get_array().tolist() for ax in axes]
    assert grids[0] == [[2, 2, 0, 0], [2, 2, 2, 0], [2, 2, 2, 2]]
    assert grids[1] == [[2, 2, 0, 0], [1, 1, 2, 0], [1, 1, 1, 2]]


def test_curves_are_named_with_their_last_cost():
    ax = cost_curves([1, 2], {"without": [1.0, 9.0], "with": [1.0, 1.5]}, title="Cost")
    assert [text.get_text() for text in ax.texts] == ["without: 9.0 ms", "with: 1.5 ms"]
    assert [line.get_ydata().tolist() for line in ax.lines] == [[1, 9], [1, 1.5]]


def test_pads_are_grey_and_tokens_are_not():
    (ax,) = padded_rows({"left": [["·", " a"], ["b", " c"]]}, pad="·")
    assert [text.get_text() for text in ax.texts] == ["·", "␣a", "b", "␣c"]
    assert ax.images[0].get_array().tolist() == [[0, 1], [1, 1]]


def test_a_choice_shows_forbidden_tokens_and_the_one_chosen():
    logits = torch.tensor([3.0, 1.0, 2.0, 0.0])
    allowed = torch.tensor([3.0, -torch.inf, 2.0, 0.0])
    axes = token_choice(logits, allowed, chosen=3, name=" abcd".__getitem__, top=3)
    names = [label.get_text() for label in axes[0].get_yticklabels()]
    assert names == ["␣", "b", "a", "c"]  # by logit, and then the chosen
    assert [text.get_text() for text in axes[1].texts] == ["−∞"]
    widths = [bar.get_width() for bar in axes[2].patches]
    assert widths == pytest.approx(allowed.softmax(dim=-1)[[0, 2, 1, 3]].tolist())
    assert [i for i, t in enumerate(axes[2].texts) if "chosen" in t.get_text()] == [3]


def test_costs_are_timed_with_and_without_a_cache():
    model, tokenizer = load_model("pocket", device="cpu")
    costs = token_costs(GPT2.from_hf(model), [8, 300], repeats=2)
    assert set(costs) == {"without a cache", "with a cache"}
    assert all(len(times) == 2 and min(times) > 0 for times in costs.values())


def test_texts_name_the_end_token_and_hide_the_pads():
    model, tokenizer = load_model("pocket", device="cpu")
    end = tokenizer.eos_token_id
    word = tokenizer("Once")["input_ids"]
    batch = {"input_ids": torch.tensor([[end, end, *word]])}
    batch["attention_mask"] = torch.tensor([[0, 1] + [1] * len(word)])
    shown = token_texts(batch, tokenizer, pad="·")
    assert shown[0][:2] == ["·", "¶"] and "".join(shown[0][2:]) == "Once"
