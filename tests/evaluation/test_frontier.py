"""helpers.frontier: stories are written in batches, judged and measured."""

import math

import pytest

from helpers.evaluation import frontier
from helpers.evaluation.frontier import Verdict
from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds.world import FRESH


def test_beginnings_are_those_of_fresh_stories(world):
    found = frontier.beginnings(world, 3, given=5)
    assert all(len(words(text)) == 5 for text in found)
    assert all(world.sample(FRESH + i).startswith(t) for i, t in enumerate(found))


def test_a_batch_writes_what_each_row_would_write_alone(engine):
    prompts = ["Once", "Once upon a time there was a little girl", "There was once"]
    together = frontier.write(*engine, prompts, max_new_tokens=12)
    alone = [frontier.write(*engine, [p], max_new_tokens=12)[0] for p in prompts]
    assert together == alone
    pairs = zip(together, prompts, strict=True)
    assert all(text.startswith(prompt) and text != prompt for text, prompt in pairs)


def test_the_verdict_counts_words_up_to_the_first_slip(world):
    story = world.sample(FRESH)
    pieces = words(story)
    n = len(pieces)
    assert frontier.judge(world, story) == Verdict(n, n, None)
    slipped = "".join([*pieces[:9], " zebraphone", *pieces[10:]])
    assert frontier.judge(world, slipped)[:2] == (n, 9)
    assert frontier.judge(world, "".join(pieces[:20])) == Verdict(20, 20, "grammar")


def test_measures_are_of_what_comes_after_the_prompt():
    prompts = ["Once", "There"]
    texts = ["Once a b c", "There a b c"]
    verdicts = [Verdict(4, 4, None), Verdict(4, 1, "grammar")]
    point = frontier.measure(texts, verdicts, prompts, group=2)
    assert (point.stories, point.accepted.value, point.right.value) == (2, 0.5, 0.625)
    assert point.distinct.value == 0.5  # " a b" and " b c", each twice
    assert point.self_bleu.value > 0.5
    other = frontier.measure(["Once a b c", "There d e f"], verdicts, prompts, group=2)
    assert other.distinct.value == 1 and other.self_bleu.value == 0


def test_silence_is_neither_diverse_nor_alike():
    verdicts = [Verdict(1, 1, None)] * 2
    point = frontier.measure(["Once", "There"], verdicts, ["Once", "There"], group=2)
    assert point.distinct.value == 0 and point.self_bleu.value == 1
    with pytest.raises(ValueError, match="2 stories make no group of 8: write more"):
        frontier.measure(["a", "b"], [Verdict(1, 1, None)] * 2, ["", ""])


def test_curves_begin_at_one_and_only_fall():
    verdicts = [Verdict(9, 3, "grammar"), Verdict(5, 5, None), Verdict(9, 0, "memory")]
    wanted = [1, 2 / 3, 2 / 3, 2 / 3, 1 / 3, 1 / 3]
    assert frontier.still_right(verdicts, 5) == pytest.approx(wanted)


def test_slips_are_counted_per_word_tried():
    verdicts = [Verdict(30, 17, "grammar"), Verdict(18, 18, None)]
    verdicts.append(Verdict(40, 8, "memory"))
    assert frontier.risk(verdicts) == 2 / 21  # 10 and 10 words tried, and one more
    rates = frontier.slips(verdicts)
    assert rates.pop("median word") == 13.5  # the 18th and the 9th
    assert rates == pytest.approx({"grammar": 1000 / 21, "memory": 1000 / 21})
    assert math.isnan(frontier.slips([Verdict(9, 9, None)])["median word"])
