"""Metrics beside hand-made cases, the verse world's own poems and brute force."""

import math
import re
from itertools import combinations

import pytest

from helpers.evaluation import (
    beats,
    metre_rate,
    pass_at_k,
    repetition_rate,
    rhyme_rate,
    rhymes,
    scans,
    syntax_rate,
)
from helpers.evaluation.metrics import SILENT, _lexicon
from helpers.worlds import load_world, ratio

POEM = """A merry fox, a little hen
went dancing by the sea;
the wind was cold, the clouds were white
beside the mossy tree."""


@pytest.fixture(scope="module")
def poems():
    return [load_world("verse").sample(seed) for seed in range(200)]


def test_poems_of_the_world_rhyme_and_scan_and_stories_do_not(poems):
    assert rhyme_rate(poems).value == metre_rate(poems).value == 1
    stories = [load_world("stories").sample(seed) for seed in range(20)]
    assert rhyme_rate(stories) == metre_rate(stories) == (0, 0)


def test_what_is_broken_no_longer_rhymes_or_scans(poems):
    plain = [poem.replace(";", "", 1).split("\n") for poem in poems]
    turned = ["\n".join([*lines[:2], lines[3], lines[2]]) for lines in plain]
    assert rhyme_rate(turned).value < 0.05
    backwards = [
        "\n".join(" ".join(line.split()[::-1]) for line in poem.splitlines())
        for poem in poems
    ]
    assert metre_rate(backwards).value < 0.5


@pytest.mark.parametrize(
    ("poem", "rhymed", "scanned"),
    [
        (POEM, 1, 4),
        (POEM.replace("\n", "  \r\n").upper(), 1, 4),
        (POEM.replace("tree", "sea"), 0, 4),  # no rhyme: the same word
        (POEM.replace("tree", "zee"), 0, 4),  # outside the lexicon
        (POEM.replace("tree", "trees"), 0, 4),
        (POEM.replace("little ", ""), 1, 3),  # two syllables short
        (POEM.replace("beside the mossy", "mossy beside the"), 1, 3),  # the wrong beats
        (POEM.partition("\nbeside")[0], 0, 3),  # no fourth line
        (POEM + "\nthe end", 0, 4),  # a fifth
        ("", 0, 0),
        (" \n\n ", 0, 0),
        ("1, 2 – 3!", 0, 0),
        ("日本 の 詩", 0, 0),
    ],
)
def test_a_poem_by_hand(poem, rhymed, scanned):
    lines = max(1, len(poem.strip().splitlines()))
    assert rhyme_rate([poem]).value == rhymed
    assert metre_rate([poem]).value == scanned / lines


def test_long_texts_weigh_more_and_the_error_is_that_of_a_ratio():
    other = POEM.replace("tree", "hill")
    long = "\n\n".join([other, other, POEM])
    assert rhyme_rate([POEM, long]) == ratio([1, 1], [1, 3])
    assert math.isnan(rhyme_rate([long]).error)


@pytest.mark.parametrize(
    ("line", "marks"),
    [
        ("beside the Mossy tree", "x/?/x/"),
        ("we've played, lovely June — candles", "???????"),
        ("can", "?"),
        ("", ""),
    ],
)
def test_beats_of_a_line(line, marks):
    assert beats(line) == marks
    assert scans("beside the mossy tree", 3) and not scans("beside the mossy tree", 4)
    assert rhymes("sea", "Tree") and not rhymes("sea", "hill")


def test_syllables_counted_by_spelling_are_mostly_those_of_the_lexicon():
    wrong = []
    for word, (marks, _) in _lexicon().items():
        counted = max(1, len(re.findall("[aeiouy]+", SILENT.sub("", word))))
        wrong += [word] if counted != len(marks) else []
    assert len(_lexicon()) > 400
    assert {*wrong} == {"isle", "quiet", "crooked", "ragged", "beyond", "hedgehogs"}


PYTHON = [
    ("def f(x):\n    return x", True),
    ("x = 1 +", False),
    ("def f(x):\nreturn x", False),
    ("print 'two'", False),
    ("raise SystemExit", True),  # never run
    ('"\\d"', True),  # no warning is shown
    ("x = '\0'", False),
    ("", False),
    ("# nothing but this\n", False),
    ("Once upon a time", False),
    ("Once", True),
    ("-" * 100_000 + "1", False),
    ("a" + ".b" * 100_000, False),
    ("(" * 100_000, False),
]


@pytest.mark.parametrize(("text", "right"), PYTHON, ids=[t[:9] for t, _ in PYTHON])
def test_text_that_parses(text, right, recwarn):
    assert syntax_rate([text]).value == right
    assert not recwarn.list


def test_syntax_rate_has_the_error_of_a_share():
    texts = [text for text, _ in PYTHON[:4]]
    assert syntax_rate(texts) == pytest.approx((1 / 4, math.sqrt(3 / 16 / 3)))
    code = [load_world("code").sample(seed) for seed in range(20)]
    assert syntax_rate(code).value == 1


def test_pass_at_k_counts_the_choices_that_hold_a_right_try():
    for n in range(1, 8):
        for correct in range(n + 1):
            for k in range(1, n + 1):
                tries = [i < correct for i in range(n)]
                chosen = [any(some) for some in combinations(tries, k)]
                share = sum(chosen) / len(chosen)
                assert pass_at_k(n, correct, k) == pytest.approx(share, rel=1e-12)


def test_pass_at_k_is_exact_for_many_tries():
    assert pass_at_k(10**6, 1, 1) == 1e-6
    assert pass_at_k(10**5, 7, 10**5) == 1
    few = 1 - math.prod(1 - 100 / (10**5 - i) for i in range(3))
    assert pass_at_k(10**5, 3, 100) == pytest.approx(few, rel=1e-12)


def test_repetition_rate_by_hand():
    assert repetition_rate([" a b a b a b"], 2).value == 3 / 5
    assert repetition_rate([" a b", " a b"], 2).value == 0  # each in its own text
    assert repetition_rate([" a b", "", [1, 1, 1]], 2) == ratio([0, 1], [1, 2])


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: rhyme_rate("a poem"), "expected a list of texts, got one string: put"),
        (lambda: metre_rate([]), "expected 1 texts or more, got 0"),
        (lambda: syntax_rate([]), "expected 1 texts or more, got 0"),
        (lambda: repetition_rate(["a b"]), "every text is shorter than 4 words"),
        (lambda: repetition_rate(["a b"], 0), "n is 0, expected a whole number from 1"),
        (lambda: pass_at_k(0, 0, 1), "n is 0, expected a whole number from 1"),
        (lambda: pass_at_k(5, 6, 1), "correct is 6, expected a whole number from 0"),
        (lambda: pass_at_k(5, 2, 6), "k is 6, expected a whole number from 1 to 5"),
    ],
)
def test_bad_input_has_its_own_line(call, line):
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value).startswith(line) and "\n" not in str(error.value)
