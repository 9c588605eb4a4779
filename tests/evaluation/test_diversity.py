"""helpers.diversity: equal to slow, obvious counts and to published examples."""

import math
import random

import pytest

from helpers.evaluation.diversity import distinct_n, self_bleu
from helpers.tokens.byte_level import pretokenise as words


def ngrams(text, n):
    items = words(text)
    return [tuple(items[i : i + n]) for i in range(len(items) - n + 1)]


def slow_bleu(text, others, max_n):
    """BLEU word for word as it is defined, one loop for each word of the definition."""
    product = 1.0
    for n in range(1, max_n + 1):
        grams = ngrams(text, n)
        matches = 0
        for gram in set(grams):
            most = max(ngrams(other, n).count(gram) for other in others)
            matches += min(grams.count(gram), most)
        if n == 1 and matches == 0:
            return 0.0
        product *= (matches or 0.1) / max(len(grams), 1)
    length, best = len(words(text)), math.inf
    for other in sorted(len(words(other)) for other in others):
        if abs(other - length) < abs(best - length):
            best = other
    penalty = 1.0 if length >= best else math.exp(1 - best / length)
    return penalty * product ** (1 / max_n)


def random_texts(seed, n):
    draw = random.Random(seed)
    return [
        "".join(draw.choice([" a", " b", " c", " d", "."]) for _ in range(length))
        for length in (draw.randint(1, 12) for _ in range(n))
    ]


@pytest.mark.parametrize("max_n", [1, 2, 3, 4, 5])
def test_self_bleu_is_the_mean_of_a_slow_bleu(max_n):
    for seed in range(40):
        texts = random_texts(seed, 2 + seed % 7)
        slow = [
            slow_bleu(text, texts[:i] + texts[i + 1 :], max_n)
            for i, text in enumerate(texts)
        ]
        assert self_bleu(texts, max_n) == pytest.approx(sum(slow) / len(slow))


def test_self_bleu_is_that_of_nltk():
    """Figures of nltk 3.10: sentence_bleu with SmoothingFunction().method1."""
    texts = [
        "The cat sat on the mat.",
        "The cat sat on the red mat, and the dog sat on the floor.",
        "A dog ran over the red floor.",
        "Nobody knows",
    ]
    assert self_bleu(texts) == pytest.approx(0.2422140665453133)
    assert self_bleu(texts, 2) == pytest.approx(0.4075949921480224)


def test_self_bleu_of_copies_and_of_strangers():
    assert self_bleu(["Once upon a time there was a fox."] * 3) == pytest.approx(1)
    assert self_bleu(["one two three four", "five six seven eight"]) == 0


def test_distinct_n_by_hand():
    assert distinct_n(["a b a b"], 1) == 3 / 4  # "a", " b", " a"
    assert distinct_n([" a b", " b a", " a b"], 2) == 2 / 3
    assert distinct_n([[1, 2, 1, 2]], 2) == 2 / 3  # token ids


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distinct_n(["a b"], 0), "n is 0, expected a whole number from 1"),
        (lambda: distinct_n(["a b"], 3), "every text is shorter than 3 words: lower n"),
        (lambda: distinct_n("a b", 1), "expected a list of texts, got one string: put"),
        (lambda: self_bleu(["a b"]), "expected 2 texts or more, got 1"),
        (lambda: self_bleu(["a", ""]), "text 1 is empty: leave it out"),
        (lambda: self_bleu(["a", "b"], True), "max_n is True, expected a whole number"),
    ],
)
def test_bad_input_has_its_own_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()
