"""Byte-pair encoding: merges learned from words, and applied to a word.

A word is a sequence of symbols; what a symbol stands for is no matter here (see
byte_level.py). Source: Sennrich et al. 2016, arXiv 1508.07909, algorithm 1.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from helpers.inputs import expect, whole

Pair = tuple[str, str]
Merges = Sequence[Pair] | Mapping[Pair, int]  # in order, or with their ranks
Words = Mapping[tuple[str, ...], int]  # a word as a tuple of symbols -> its count


def count_pairs(words: Words) -> Counter[Pair]:
    """Count the neighbouring pairs in all words, each word as often as it occurs."""
    counts: Counter[Pair] = Counter()
    for symbols, count in words.items():
        for pair in pairwise(symbols):
            counts[pair] += count
    return counts


def merge_pair(symbols: Sequence[str], pair: Pair) -> list[str]:
    """Join every occurrence of the pair; of overlapping ones, the left one."""
    merged: list[str] = []
    for symbol in symbols:
        if merged and (merged[-1], symbol) == pair:
            merged[-1] += symbol
        else:
            merged.append(symbol)
    return merged


def merge_words(words: Words, pair: Pair) -> Counter[tuple[str, ...]]:
    """Join the pair in all words."""
    merged: Counter[tuple[str, ...]] = Counter()
    for symbols, count in words.items():
        merged[tuple(merge_pair(symbols, pair))] += count
    return merged


def learn_merges(words: Words, n_merges: int) -> list[Pair]:
    """Learn merges, the most frequent pair first; fewer if all words are one symbol."""
    expect("n_merges", n_merges, whole(least=0), "a whole number from 0")
    # Of equally frequent pairs take the one whose left symbol is oldest, then whose
    # right one is, as the library's BpeTrainer does; characters are oldest, in order.
    age = {symbol: ord(symbol) for word in words for symbol in word}
    merges: list[Pair] = []
    while len(merges) < n_merges and (counts := count_pairs(words)):
        best = min(counts, key=lambda p: (-counts[p], age[p[0]], age[p[1]]))
        age.setdefault("".join(best), 0x110000 + len(merges))
        words = merge_words(words, best)
        merges.append(best)
    return merges


def apply_bpe(word: Sequence[str], merges: Merges) -> list[str]:
    """Join the symbols of a word, such as "ĠTom", always the pair learned first."""
    if not isinstance(merges, Mapping):
        merges = {pair: rank for rank, pair in enumerate(merges)}
    symbols = list(word)
    while len(symbols) > 1:
        best = min(pairwise(symbols), key=lambda pair: merges.get(pair, len(merges)))
        if best not in merges:
            break
        symbols = merge_pair(symbols, best)
    return symbols
