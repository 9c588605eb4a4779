"""Checks for day 2: pairs counted, a pair merged, a word encoded, a batch padded."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations, pairwise

from helpers.checks.common import exercise

__all__ = ["day02_count_pairs", "day02_encode", "day02_merge", "day02_pad"]


def pairs_with(
    pairs: Callable = pairwise, *, times: Callable = lambda n: n, add: bool = True
) -> Callable:
    """Return a counter of the pairs of each word, a count of its own for each."""

    def count(words: dict) -> dict:
        counts = Counter()
        for symbols, n in words.items():
            for pair in pairs(symbols):
                counts[pair] = times(n) + (counts[pair] if add else 0)
        return counts

    return count


def no_overlaps(symbols: tuple) -> list[tuple]:
    """Return the pairs, two equal ones never sharing a symbol."""
    pairs, end = [], -1
    for i, pair in enumerate(pairwise(symbols)):
        if i >= end or pair != pairs[-1]:
            pairs, end = [*pairs, pair], i + 2
    return pairs


def pairs_of_one_text(words: dict) -> dict:
    """Count pairs in all words, one behind the other."""
    text = [symbol for symbols, n in words.items() for symbol in symbols * n]
    return Counter(pairwise(text))


def some_words(_) -> list[tuple]:
    """Return dictionaries of words, the smallest first."""
    small = [{("a", "b"): 3}, {("a", "b"): 3, ("a", "b", "c"): 2}, {("a",) * 4: 1}]
    small += [{("th", "e"): 1, ("e",): 4}, {("a", "bc"): 1, ("ab", "c"): 2}]
    small += [{("b", "a", "b", "a"): 2, ("a", "a", "c", "a", "a"): 5}]
    return [(words,) for words in small]


def same_counts(value: dict, expected: dict) -> bool:
    """Compare counts; a pair that is counted 0 times may be there or not."""
    return all(value.get(p, 0) == expected.get(p, 0) for p in {*value, *expected})


day02_count_pairs = exercise(
    "day02_count_pairs",
    "my_count_pairs(words): {pair: count} of {word as a tuple of symbols: its count}.",
    cases=some_words,
    same=same_counts,
    right=pairs_with(),
    wrong={
        "a word that occurs n times has its pairs n times: add its count, not "
        "1": pairs_with(times=lambda n: 1),
        "a key is a pair (left, right): joined, ('a', 'bc') and ('ab', 'c') could not "
        "be told apart": pairs_with(lambda word: map("".join, pairwise(word))),
        "a pair may be in several words: add to its count, do not replace "
        "it": pairs_with(add=False),
        "pairs may overlap: 'aaa' has the pair ('a', 'a') twice": pairs_with(
            no_overlaps
        ),
        "a word may have a pair more than once, each time counts": pairs_with(
            lambda word: set(pairwise(word))
        ),
        "only neighbouring symbols are a pair": pairs_with(
            lambda word: combinations(word, 2)
        ),
        "a pair is two symbols, not two characters": pairs_with(
            lambda word: pairwise("".join(word))
        ),
        "a pair has an order: ('b', 'a') is not ('a', 'b')": pairs_with(
            lambda word: map(tuple, map(sorted, pairwise(word)))
        ),
        "the last pair of each word is missing": pairs_with(
            lambda word: pairwise(word[:-1])
        ),
        "the first pair of each word is missing": pairs_with(
            lambda word: pairwise(word[1:])
        ),
        "a word ends: its last symbol and the next word's first are no "
        "pair": pairs_of_one_text,
    },
)


def merge(symbols: list, pair: tuple, *, most: int = 99, step: int = 2) -> list:
    """Join a pair from left to right, ``most`` times, and step on behind it."""
    merged, i, joined = [], 0, 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair and joined < most:
            merged, i, joined = [*merged, "".join(pair)], i + step, joined + 1
        else:
            merged, i = [*merged, symbols[i]], i + 1
    return merged


def merge_right_to_left(symbols: list, pair: tuple) -> list:
    """Join the last pair first."""
    turned = merge([s[::-1] for s in symbols[::-1]], tuple(s[::-1] for s in pair[::-1]))
    return [s[::-1] for s in turned[::-1]]


def merge_joined(symbols: list, pair: tuple) -> list:
    """Compare what two symbols make together."""
    ways = {two for two in pairwise(symbols) if "".join(two) == "".join(pair)}
    symbols = list(symbols)
    for way in sorted(ways):
        symbols = merge(symbols, way)
    return symbols


def merge_by_index(symbols: list, pair: tuple, end: int = 0) -> list:
    """Look at each symbol's right neighbour, ``end`` places short of the last."""
    merged, i = [], 0
    while i < len(symbols) - end:
        found = (symbols[i], symbols[i + 1]) == pair
        merged.append("".join(pair) if found else symbols[i])
        i += 2 if found else 1
    return merged


def merge_in_text(symbols: list, pair: tuple, space: str = " ") -> list:
    """Search the joined symbols."""
    if space:
        return space.join(symbols).replace(space.join(pair), "".join(pair)).split()
    text = "".join(symbols).split(joined := "".join(pair))
    apart = [[*part, joined] for part in text]
    return [symbol for part in apart for symbol in part][:-1]


day02_merge = exercise(
    "day02_merge",
    "my_merge(symbols, pair): a new list in which the pair is joined everywhere.",
    cases=[
        (list("abab"), ("a", "b")),
        (["r", "i", "n", "g"], ("n", "g")),
        (["c", "a", "b"], ("a", "b")),
        (list("ba"), ("a", "b")),
        (list("aaaaa"), ("a", "a")),
        (list("abc"), ("a", "b")),
        (["ab", "c", "ab", "cd", "d"], ("b", "c")),
        (["ab", "c", "a", "bc"], ("a", "bc")),
        (["a", "xa", "b", "y"], ("a", "b")),
        (["a"], ("a", "b")),
        ([], ("a", "b")),
    ],
    fresh=True,
    right=merge,
    wrong={
        "only whole symbols are joined: do not search the joined string": merge_in_text,
        "only whole symbols are joined: do not search the string of all "
        "letters": lambda symbols, pair: merge_in_text(symbols, pair, ""),
        "a and bc make the same string as ab and c: compare both symbols": merge_joined,
        "every occurrence is joined, not the first": lambda symbols, pair: merge(
            symbols, pair, most=1
        ),
        "no symbol is used twice: step over both": lambda symbols, pair: merge(
            symbols, pair, step=1
        ),
        "what follows the last pair must stay": lambda symbols, pair: merge_by_index(
            symbols, pair, 1
        ),
        "the last symbol has no right neighbour": merge_by_index,
        "go from left to right: 'aaa' is 'aa', 'a'": merge_right_to_left,
        "the order of a pair matters": lambda symbols, pair: merge(
            merge(symbols, pair), pair[::-1]
        ),
        "the pair is to be joined, not to be left out": lambda symbols, pair: [
            symbol for symbol in merge(symbols, pair) if symbol != "".join(pair)
        ],
    },
)


def encode(word: str, merges: list) -> list:
    """Apply each merge everywhere, in the order in which they were learned."""
    symbols = list(word)
    for pair in merges:
        symbols = merge(symbols, pair)
    return symbols


def choosing(choose: Callable, *, most: int = 99, rounds: int = 99) -> Callable:
    """Return an encoder that chooses among the pairs that fit until none does."""

    def encode(word: str, merges: list) -> list:
        symbols = list(word)
        for _ in range(rounds):
            fits = [pair for pair in pairwise(symbols) if pair in merges]
            if fits:
                symbols = merge(symbols, choose(fits, merges), most=most)
        return symbols

    return encode


def encode_longest(word: str, merges: list) -> list:
    """Take the longest token that fits, from the left."""
    tokens, known = [], {*map("".join, merges)}
    while word:
        ends = range(len(word), 1, -1)
        end = next((end for end in ends if word[:end] in known), 1)
        tokens, word = [*tokens, word[:end]], word[end:]
    return tokens


def encode_while(word: str, merges: list, *, most: int = 99) -> list:
    """Apply merges in order, stopping at the first that does not fit."""
    symbols = list(word)
    for pair in merges:
        if pair not in pairwise(symbols):
            break
        symbols = merge(symbols, pair, most=most)
    return symbols


def encode_once_each(word: str, merges: list) -> list:
    """Join each merge at its first place only."""
    symbols = list(word)
    for pair in merges:
        symbols = merge(symbols, pair, most=1)
    return symbols


def encode_in_text(word: str, merges: list) -> list:
    """Replace in a string with spaces."""
    symbols = list(word)
    for pair in merges:
        symbols = merge_in_text(symbols, pair)
    return symbols


def words_and_merges(_) -> list[tuple]:
    """Return words, small ones first; merges as training makes them, none twice."""
    cases = [
        ("abc", [("a", "b"), ("b", "c")]),
        ("abab", [("a", "b")]),
        ("abc", [("b", "c"), ("a", "b")]),
        ("abcabc", [("a", "b"), ("ab", "c")]),
        ("abc", [("a", "b"), ("b", "c"), ("a", "bc")]),
        ("bcadbc", [("b", "c"), ("a", "d"), ("d", "bc")]),
        ("xyz", [("a", "b")]),
        ("cabb", [("a", "b"), ("b", "b")]),
        ("", [("a", "b")]),
    ]
    draw = random.Random(0)
    for _ in range(30):
        made, merges = ["a", "b", "c"], []
        while len(merges) < 6:
            pair = (draw.choice(made), draw.choice(made))
            if "".join(pair) not in made:
                made, merges = [*made, "".join(pair)], [*merges, pair]
        cases.append(("".join(draw.choices("abc", k=8)), merges))
    return cases


day02_encode = exercise(
    "day02_encode",
    "my_encode(word, merges): the word's tokens, the first learned merge going first.",
    cases=words_and_merges,
    right=encode,
    wrong={
        "BPE does not look for the longest token: what was learned first goes "
        "first": encode_longest,
        "BPE does not begin on the left: what was learned first goes first": choosing(
            lambda fits, merges: fits[0], most=1
        ),
        "BPE does not begin on the left, not even with all its places at once: what was "
        "learned first goes first": choosing(lambda fits, merges: fits[0]),
        "what was learned FIRST goes first, not last": choosing(
            lambda fits, merges: max(fits, key=merges.index)
        ),
        "merges go in the order of the list, not backwards": lambda word, merges: (
            encode(word, merges[::-1])
        ),
        "join a pair everywhere in the word, not only where it stands "
        "first": encode_once_each,
        "a long pair has no right of way: what was learned first goes first": (
            choosing(lambda fits, merges: max(fits, key=lambda p: len("".join(p))))
        ),
        "sorted by length, merges lose their order: what was learned first goes first": (
            lambda word, merges: encode(
                word, sorted(merges, key=lambda p: -len("".join(p)))
            )
        ),
        "a merge that does not fit is passed over: the next one may": encode_while,
        "go on until no merge fits": choosing(
            lambda fits, merges: min(fits, key=merges.index), rounds=1
        ),
        "symbols were searched in a string: ' a b' is also in ' ca b'": encode_in_text,
        "no merge was applied": lambda word, merges: list(word),
    },
)


def padded(
    rows: list,
    pad_id: int,
    *,
    length: Callable = lambda rows: max(map(len, rows)),
    left: bool = False,
) -> tuple[list, list]:
    """Pad rows, and make a mask of their lengths."""
    ids, masks = [], []
    for row in rows:
        gap = length(rows) - len(row)
        ids.append([pad_id] * gap + row if left else row + [pad_id] * gap)
        masks.append([0] * gap + [1] * len(row) if left else [1] * len(row) + [0] * gap)
    return ids, masks


def with_mask(mask: Callable) -> Callable:
    """Return a padding with another mask, of ``mask(id, one, pad_id)``."""

    def pad(rows: list, pad_id: int) -> tuple[list, list]:
        ids, ones = padded(rows, pad_id)
        pairs = [zip(*two, strict=True) for two in zip(ids, ones, strict=True)]
        return ids, [[mask(i, one, pad_id) for i, one in row] for row in pairs]

    return pad


day02_pad = exercise(
    "day02_pad",
    "my_pad(rows, pad_id): input_ids and attention_mask, lists padded on the right.",
    cases=[
        ([[5, 6, 7], [8]], 0),
        ([[9, 5], [9], [6, 9, 9]], 9),
        ([[4, 4]], 0),
        ([[0, 3], [1, 2, 0, 0]], 7),
    ],
    fresh=True,
    right=padded,
    wrong={
        "you padded on the left: today the pads go on the right": lambda rows, pad_id: (
            padded(rows, pad_id, left=True)
        ),
        "the mask is upside down: 1 is a token to look at, 0 is a pad": with_mask(
            lambda i, one, pad_id: 1 - one
        ),
        "the pad's id may be a token of the text too, as <|endoftext|> is for GPT-2: "
        "the mask comes from the lengths, not from the "
        "ids": with_mask(lambda i, one, pad_id: int(i != pad_id)),
        "the mask shows whether an id is 0, not whether it is a pad": with_mask(
            lambda i, one, pad_id: int(i != 0)
        ),
        "the mask has 0 for each pad: take the lengths before padding": with_mask(
            lambda i, one, pad_id: 1
        ),
        "input_ids first, then the mask": lambda rows, pad_id: padded(rows, pad_id)[
            ::-1
        ],
        "the pads are `pad_id`, and not always 0": lambda rows, pad_id: padded(rows, 0),
        "all rows get the length of the longest, which need not be the "
        "first": lambda rows, pad_id: padded(rows, pad_id, length=lambda r: len(r[0])),
        "all rows get the length of the longest: this is one more": (
            lambda rows, pad_id: padded(
                rows, pad_id, length=lambda r: max(map(len, r)) + 1
            )
        ),
        "nothing is cut: all rows get the length of the longest": lambda rows, pad_id: [
            [row[: min(map(len, rows))] for row in part]
            for part in padded(rows, pad_id)
        ],
        "the mask is missing: return input_ids and "
        "attention_mask": lambda rows, pad_id: padded(rows, pad_id)[0],
    },
)
