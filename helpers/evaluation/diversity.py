"""Diversity: how much texts repeat themselves and one another.

A text is counted in the pieces of ``tokens.pretokenise`` (punctuation is words too),
or in the items of any list, such as token ids. Every measure is a share from 0 to 1,
and changes with the number and the length of the texts: compare only equal sets.
"""

import math
import random
from collections import Counter
from collections.abc import Sequence

from helpers.inputs import expect, whole
from helpers.tokens import pretokenise as words

NO_MATCH = 0.1  # matches that are counted for an order in which there are none


def distinct_n(texts: Sequence, n: int = 2) -> float:
    """Return how many different ``n``-grams there are, per ``n``-gram of all texts.

    1 is the most diverse. Source: Li et al. 2016, who divide by the number of words.
    """
    grams = Counter()
    for text in _several(texts, 1):
        grams.update(_ngrams(text, n))
    if not grams:
        raise ValueError(f"every text is shorter than {n} words: lower n")
    return len(grams) / grams.total()


def repetition_rate(text, n: int = 4) -> float:
    """Return which share of one text's ``n``-grams was there before in this text.

    0 for a text of fewer than ``n`` words. Source: Welleck et al. 2019, "seq-rep-n".
    """
    grams = _ngrams(text, n)
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def self_bleu(
    texts: Sequence, max_n: int = 4, *, at_most: int | None = None, seed: int = 0
) -> float:
    """Return the mean BLEU of each text, all others being its references.

    0 where no text shares a word with another, 1 where every text stands there twice.
    BLEU is the geometric mean, for n from 1 to ``max_n``, of the share of a text's
    n-grams that some reference has as often, times a penalty for texts shorter than
    the reference nearest in length. No match counts as 0.1 matches. More references
    mean more matches, so sets of different sizes compare only if ``at_most`` so many
    of their texts are measured, drawn with ``seed``.

    Source: Zhu et al. 2018; BLEU: Papineni et al. 2002, smoothed as method 1 of Chen
    and Cherry 2014. Raises ValueError for fewer than two texts, or an empty one.
    """
    _check_order(max_n)
    texts = [_items(text) for text in _several(texts, 2)]
    expect("at_most", at_most or 1, whole(), "a whole number from 1")
    if at_most is not None and at_most < len(texts):
        texts = random.Random(seed).sample(texts, at_most)
    if not all(_several(texts, 2)):
        raise ValueError(f"text {texts.index([])} is empty: leave it out")
    logs = [0.0] * len(texts)
    for n in range(1, max_n + 1):
        counts = [Counter(_ngrams(text, n)) for text in texts]
        for i, matches in enumerate(_matches(counts)):
            share = (matches or NO_MATCH) / max(counts[i].total(), 1)
            # A text that shares no word with another has BLEU 0: exp(-inf).
            log = math.log(share) if matches or n > 1 else -math.inf
            logs[i] += log / max_n
    lengths = Counter(map(len, texts))
    for i, text in enumerate(texts):
        logs[i] += _shortness(len(text), lengths)
    return sum(map(math.exp, logs)) / len(logs)


def _matches(counts: list[Counter]) -> list[int]:
    """Return how many of each text's n-grams some other text has as often."""
    most: dict = {}  # the largest count of an n-gram in one text, and the second
    for of_text in counts:
        for gram, count in of_text.items():
            first, second = most.get(gram, (0, 0))
            if count > second:
                most[gram] = (max(first, count), min(first, count))

    def elsewhere(gram, count: int) -> int:
        """Return the largest count in another text: the first may be the text's own."""
        first, second = most[gram]
        return second if count == first else first

    return [sum(min(n, elsewhere(gram, n)) for gram, n in c.items()) for c in counts]


def _shortness(length: int, lengths: Counter) -> float:
    """Return the logarithm of BLEU's brevity penalty: 0, or less for short texts."""
    others = lengths - Counter([length])  # one text of this length fewer
    nearest = min(others, key=lambda other: (abs(other - length), other))
    return min(0.0, 1 - nearest / length)


def _ngrams(text, n: int) -> list[tuple]:
    _check_order(n)
    items = _items(text)
    return list(zip(*(items[i:] for i in range(n)), strict=False))


def _items(text) -> list:
    """Return a text's words, or the items of what is a list or a tensor already."""
    if isinstance(text, str):
        return words(text)
    return text.tolist() if hasattr(text, "tolist") else list(text)


def _check_order(n: int) -> None:
    expect("n", n, whole(100), "a whole number from 1 to 100")


def _several(texts, least: int):
    if isinstance(texts, str):
        raise ValueError("expected a list of texts, got one string: put it in a list")
    if len(texts) < least:
        raise ValueError(f"expected {least} texts or more, got {len(texts)}")
    return texts
