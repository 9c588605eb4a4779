"""Right answers in other styles to the exercises of day 2, and mistakes of form."""

from collections import Counter, defaultdict
from itertools import pairwise

import torch


def pairs_by_index(words):
    counts = defaultdict(int)
    for symbols, n in words.items():
        for i in range(1, len(symbols)):
            counts[symbols[i - 1], symbols[i]] += n
    return counts


def pairs_by_counter(words):
    return sum(
        (Counter(dict.fromkeys([p], n)) for s, n in words.items() for p in pairwise(s)),
        Counter(),
    )


def merge_right(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == tuple(pair):
            merged.append("".join(pair))
            i += 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def merge_with_a_stack(symbols, pair):
    stack = []
    for symbol in symbols:
        if stack and (stack[-1], symbol) == pair:
            symbol = stack.pop() + symbol
        stack.append(symbol)
    return stack


def by_rank(word, merges):
    symbols = list(word)
    while pairs := [pair for pair in pairwise(symbols) if pair in merges]:
        symbols = merge_right(symbols, min(pairs, key=merges.index))
    return symbols


def in_order(word, merges):
    symbols = list(word)
    for pair in merges:
        symbols = merge_right(symbols, pair)
    return symbols


def pad_right(rows, pad_id):
    n = max(map(len, rows))
    ids = [row + [pad_id] * (n - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (n - len(row)) for row in rows]


def eats_merges(word, merges):
    symbols = list(word)
    while merges:
        symbols = merge_right(symbols, merges.pop(0))
    return symbols


def merge_in_place(symbols, pair):
    i = 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) == pair:
            symbols[i : i + 2] = ["".join(pair)]
        i += 1
    return symbols


def pad_in_place(rows, pad_id):
    n = max(map(len, rows))
    mask = [[1] * len(row) + [0] * (n - len(row)) for row in rows]
    for row in rows:
        row += [pad_id] * (n - len(row))
    return rows, mask


def joined_apart(symbols, pair):
    text = "|".join(["", *symbols, ""]).replace("|", "||")
    joined = text.replace("|{}||{}|".format(*pair), "|{}{}|".format(*pair))
    return [symbol for symbol in joined.split("|") if symbol]


def pad_keeping_the_longest(rows, pad_id):
    ids, mask = pad_right(rows, pad_id)
    return [r if len(r) == len(i) else i for r, i in zip(rows, ids, strict=True)], mask


def encode_for_ever(word, merges):
    symbols = list(word)
    while len(symbols) != 1:
        for pair in merges:
            symbols = merge_right(symbols, pair)
    return symbols


def merge_past_the_end(symbols, pair):
    i = 0
    while (symbols[i], symbols[i + 1]) != pair or i > 99:
        i += 1
    return merge_right(symbols, pair)


def merge_twice(symbols, pair):
    ends = [*symbols, None]
    hits = [(ends[i], ends[i + 1]) == pair for i in range(len(symbols))]
    joined = ["".join(pair) if hit else s for hit, s in zip(hits, symbols, strict=True)]
    return [s for i, s in enumerate(joined) if hits[i] or not i or not hits[i - 1]]


def pad_to_the_first(rows, pad_id):
    ids, mask = pad_right(rows, pad_id)
    n = len(rows[0])
    return [row[:n] for row in ids], [row[:n] for row in mask]


def empties_words(words):
    counts = pairs_by_index(words)
    words.clear()
    return counts


WRONG = {
    "day02_count_pairs": [
        ("nothing", lambda words: None, "expected a dict, got None: is a return"),
        (
            "a list",
            lambda words: [*pairs_by_index(words)],
            "expected a dict, got a list",
        ),
        ("words emptied", empties_words, "words was changed in place"),
    ],
    "day02_merge": [
        ("past the end", merge_past_the_end, "a right neighbour? (your line"),
        ("a symbol twice", merge_twice, "no symbol is used twice"),
        ("in place", merge_in_place, "symbols was changed in place"),
        ("a string", lambda s, p: "".join(s), "expected a list, got a string"),
        ("a tuple", lambda s, p: tuple(merge_right(s, p)), "expected a list, got a tu"),
        (
            "itself",
            lambda s, p: merge_right(s, p) if p[0] in s else s,
            "came back itself",
        ),
    ],
    "day02_encode": [
        (
            "a string",
            lambda w, m: "".join(by_rank(w, m)),
            "expected a list, got a string",
        ),
        ("merges used up", eats_merges, "merges was changed in place"),
        ("for ever", encode_for_ever, "had not ended after"),
    ],
    "day02_pad": [
        ("in place", pad_in_place, "rows was changed in place"),
        (
            "a dict",
            lambda r, p: {"ids": pad_right(r, p)[0]},
            "expected a tuple, got a d",
        ),
        (
            "tensors",
            lambda r, p: tuple(map(torch.tensor, pad_right(r, p))),
            "a list, got",
        ),
        ("as long as the first", pad_to_the_first, "need not be the first"),
        ("the longest row itself", pad_keeping_the_longest, "came back itself"),
    ],
}
RIGHT = {
    "day02_count_pairs": [pairs_by_index, pairs_by_counter],
    "day02_merge": [merge_right, merge_with_a_stack, joined_apart],
    "day02_encode": [by_rank, in_order],
    "day02_pad": [pad_right, lambda rows, pad_id: [*pad_right(rows, pad_id)]],
}
