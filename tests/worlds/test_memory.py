"""Words that memory settles, and texts in which another word takes their place."""

import pytest

from helpers.models import load_model
from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds.memory import exchanges, memories, swaps
from helpers.worlds.world import FRESH, load_world


@pytest.fixture(scope="module")
def world():
    return load_world("stories")


def test_memory_settles_what_was_open_before(world):
    story = world.sample(FRESH + 8)
    pieces, found = words(story), memories(world, story)
    assert found
    for place in found:
        first = pieces.index(pieces[place])
        then, now = (world.next_words("".join(pieces[:i])) for i in (first, place))
        assert then[pieces[place]] < 0.05 and now[pieces[place]] > 0.9


def test_an_exchange_changes_one_token_and_what_must_come_next(world):
    _, tokenizer = load_model("pocket", device="cpu")
    found = next(exchanges(tokenizer, world, range(FRESH, FRESH + 100)))
    assert world.next_words(found.text)[found.word] > 0.9
    assert world.next_words(found.swapped)[found.rival] > 0.9
    ids, others = (tokenizer(t)["input_ids"] for t in (found.text, found.swapped))
    pairs = zip(ids, others, strict=True)
    [(before, after)] = [pair for pair in pairs if pair[0] != pair[1]]
    assert tokenizer.decode(before) == found.word
    assert tokenizer.decode(after) == found.rival


def test_nothing_is_found_where_nothing_is_searched(world):
    _, tokenizer = load_model("pocket", device="cpu")
    assert not list(exchanges(tokenizer, world, [FRESH], longest=3))


def test_swaps_change_one_word_everywhere_and_stay_in_the_world(world):
    text = "".join(words(world.sample(FRESH))[:60])
    pieces, swapped = words(text), swaps(world, text)
    assert len(swapped) > 5
    for word, new in swapped.items():
        pairs = zip(pieces, words(new), strict=True)
        [(before, after)] = {pair for pair in pairs if pair[0] != pair[1]}
        assert before == word and after not in pieces and word not in words(new)
        assert world.next_words(new)
