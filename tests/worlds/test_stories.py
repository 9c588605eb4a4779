"""The stories keep what they promise: many plots, many words, room to decide."""

import math

import pytest

from helpers.models import load_model
from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds.world import load_plots, load_spec, load_world


@pytest.fixture(scope="module")
def texts():
    world = load_world("stories")
    return [world.sample(seed) for seed in range(10_000)]


@pytest.fixture(scope="module")
def tokenizer():
    return load_model("pocket", device="cpu")[1]


def test_there_are_at_least_28_plots():
    plots = load_spec("stories")["rules"]["plot"].split("\n")
    assert len({line for line in plots if "<" in line}) >= 28


def test_stories_differ_and_have_at_least_1500_words(texts):
    assert len(set(texts)) == len(texts)
    found = {word.strip().lower() for text in texts for word in words(text)}
    assert len({word for word in found if word.isalpha()}) >= 1500


def test_a_story_is_80_to_200_tokens(texts, tokenizer):
    lengths = [len(ids) for ids in tokenizer(texts)["input_ids"]]
    assert 80 <= min(lengths) and max(lengths) <= 200


def test_the_floor_lies_between_1_6_and_5(tokenizer):
    floor, error = load_world("stories").entropy_floor(tokenizer, 1000)
    assert math.log(1.6) <= floor - 2 * error and floor + 2 * error <= math.log(5)


def test_most_story_words_are_one_token(texts, tokenizer):
    pieces = words(" ".join(texts[:300]))
    single = sum(len(tokenizer(piece)["input_ids"]) == 1 for piece in pieces)
    assert single / len(pieces) > 0.98


def test_each_plot_is_a_world_that_tells_no_other():
    world, plots = load_world("stories"), load_plots()
    assert len(plots) >= 28
    for plot in plots.values():
        story = plot.sample(1)
        able = [other.log_prob(story) for other in plots.values()]
        assert plot.log_prob(story) == max(able)
        assert sum(p > -math.inf for p in able) == 1
        whole = plot.log_prob(story) - math.log(len(plots))
        assert world.log_prob(story) == pytest.approx(whole)
