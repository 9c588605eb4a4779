"""Diversity: how much texts repeat themselves and one another.

A text is counted in the pieces of ``tokens.pretokenise`` (punctuation is words too),
or in the items of any list, such as token ids. Every measure is a share from 0 to 1,
and changes with the number and the length of the texts: compare only equal sets.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean

from helpers.inputs import expect, whole
from helpers.tokens import pretokenise as words
from helpers.worlds import Mean, ratio


def distinct_n(texts: Sequence, n: int = 2) -> float:
    """Return different ``n``-grams, per ``n``-gram of all (after Li et al. 2016)."""
    expect("n", n, whole(100), "a whole number from 1 to 100")
    grams = [gram for text in check_texts(texts) for gram in _ngrams(_items(text), n)]
    if not grams:
        raise ValueError(f"every text is shorter than {n} words: lower n")
    return len(set(grams)) / len(grams)


def self_bleu(texts: Sequence, max_n: int = 4) -> float:
    """Return the mean BLEU of each text, all others being its references.

    0 where no text shares a word with another, 1 where every text stands there twice.
    BLEU is the geometric mean, for n from 1 to ``max_n``, of the share of a text's
    n-grams that some reference has as often, times a penalty for texts shorter than
    the reference nearest in length. No match counts as 0.1 matches.

    Source: Zhu et al. 2018; BLEU: Papineni et al. 2002, smoothed as method 1 of Chen
    and Cherry 2014. Raises ValueError for fewer than two texts, or an empty one.
    """
    expect("max_n", max_n, whole(100), "a whole number from 1 to 100")
    texts = [_items(text) for text in check_texts(texts, least=2)]
    if [] in texts:
        raise ValueError(f"text {texts.index([])} is empty: leave it out")
    logs = [0.0] * len(texts)
    for n in range(1, max_n + 1):
        counts = [Counter(_ngrams(text, n)) for text in texts]
        for i, matches in enumerate(_matches(counts)):
            share = (matches or 0.1) / max(counts[i].total(), 1)
            log = math.log(share) if matches or n > 1 else -math.inf  # then BLEU is 0
            logs[i] += log / max_n
    lengths = [len(text) for text in texts]
    for i, length in enumerate(lengths):  # the penalty: the nearest is the text itself
        _, nearest, *_ = sorted(lengths, key=lambda n: (abs(n - length), n))
        logs[i] += min(0.0, 1 - nearest / length)
    return fmean(map(math.exp, logs))


def repetition_rate(texts: Sequence, n: int = 4) -> Mean:
    """Return the share of ``n``-grams that stood before in their own text.

    The error takes texts as independent; those shorter than n words say nothing.
    Source: Welleck et al. 2020, there per text. Raises ValueError if all are shorter.
    """
    expect("n", n, whole(100), "a whole number from 1 to 100")
    grams = [_ngrams(_items(text), n) for text in check_texts(texts)]
    grams = [of_text for of_text in grams if of_text]
    if not grams:
        raise ValueError(f"every text is shorter than {n} words: lower n")
    return ratio([len(g) - len(set(g)) for g in grams], list(map(len, grams)))


def check_texts(texts: Sequence, *, least: int = 1) -> Sequence:
    """Return a list of texts; ValueError for a single one, or fewer than ``least``."""
    if isinstance(texts, str):
        raise ValueError("expected a list of texts, got one string: put it in a list")
    if len(texts) < least:
        raise ValueError(f"expected {least} texts or more, got {len(texts)}")
    return texts


def _matches(counts: list[Counter]) -> list[int]:
    """Return how many of each text's n-grams some other text has as often."""
    found = defaultdict(lambda: [0])  # of each n-gram, how often it is in its texts
    for of_text in counts:
        for gram, n in of_text.items():
            found[gram].append(n)
    # Up to the second largest, some other text has it as often: one may be the own.
    second = {gram: sorted(times)[-2] for gram, times in found.items()}
    return [sum(min(n, second[gram]) for gram, n in c.items()) for c in counts]


def _ngrams(items: list, n: int) -> list[tuple]:
    return list(zip(*(items[i:] for i in range(n)), strict=False))


def _items(text) -> list:
    """Return a text's words, or the items of what is a list or a tensor already."""
    if isinstance(text, str):
        return words(text)
    return text.tolist() if hasattr(text, "tolist") else list(text)
