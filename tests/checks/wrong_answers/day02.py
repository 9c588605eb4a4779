"""Right answers in other styles to the exercises of day 2, and mistakes of form."""

from collections import defaultdict
from itertools import pairwise

import torch


def _pairs(words):
    counts = defaultdict(int)
    for symbols, n in words.items():
        for i in range(1, len(symbols)):
            counts[symbols[i - 1], symbols[i]] += n
    return counts


def _merge(symbols, pair):
    stack = []
    for symbol in symbols:
        if stack and (stack[-1], symbol) == pair:
            symbol = stack.pop() + symbol
        stack.append(symbol)
    return stack


def _joined_apart(symbols, pair):
    text = "|".join(["", *symbols, ""]).replace("|", "||")
    joined = text.replace("|{}||{}|".format(*pair), "|{}{}|".format(*pair))
    return [symbol for symbol in joined.split("|") if symbol]


def _from_right(symbols, pair):
    merged = []
    for symbol in reversed(symbols):
        if merged and (symbol, merged[0]) == pair:
            symbol += merged.pop(0)
        merged.insert(0, symbol)
    return merged


def _past_the_end(symbols, pair):
    i = 0
    while (symbols[i], symbols[i + 1]) != pair:
        i += 1
    return _merge(symbols, pair)


def _twice(symbols, pair):
    """Join at each place where the pair stands, and leave out its right symbol."""
    merged, before = [], None
    for symbol, following in pairwise([*symbols, None]):
        if (symbol, following) == pair:
            merged.append("".join(pair))
        elif (before, symbol) != pair:
            merged.append(symbol)
        before = symbol
    return merged


def _by_rank(word, merges):
    symbols = list(word)
    while pairs := [pair for pair in pairwise(symbols) if pair in merges]:
        symbols = _merge(symbols, min(pairs, key=merges.index))
    return symbols


def _in_order(word, merges):
    symbols = list(word)
    for pair in merges:
        symbols = _merge(symbols, pair)
    return symbols


def _pad(rows, pad_id):
    n = max(map(len, rows))
    ids = [row + [pad_id] * (n - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (n - len(row)) for row in rows]


def _pad_keeping_the_longest(rows, pad_id):
    ids, mask = _pad(rows, pad_id)
    return [r if len(r) == len(i) else i for r, i in zip(rows, ids, strict=True)], mask


def _pad_to_the_first(rows, pad_id):
    ids, mask = _pad(rows, pad_id)
    n = len(rows[0])
    return [row[:n] for row in ids], [row[:n] for row in mask]


WRONG = {
    "day02_count_pairs": [
        ("nothing", lambda words: None, "expected a dict, got None: is a return"),
        ("a list", lambda words: [*_pairs(words)], "expected a dict, got a list"),
        ("words emptied", lambda words: words.clear(), "words was changed in place"),
    ],
    "day02_merge": [
        ("past the end", _past_the_end, "a right neighbour? (your line"),
        ("a symbol twice", _twice, "no symbol is used twice"),
        ("the last one lost", lambda s, p: _merge(s, p)[:-1], "a symbol is lost"),
        ("from the right", _from_right, "go from left to right"),
        ("in place", lambda s, p: s.append(p), "symbols was changed in place"),
        ("a string", lambda s, p: "".join(s), "expected a list, got a string"),
        ("a tuple", lambda s, p: (*_merge(s, p),), "expected a list, got a tuple"),
        ("itself", lambda s, p: _merge(s, p) if p[0] in s else s, "came back itself"),
    ],
    "day02_encode": [
        ("a string", lambda w, m: "".join(w), "expected a list, got a string"),
        ("merges used up", lambda w, m: m.clear(), "merges was changed in place"),
    ],
    "day02_pad": [
        ("in place", lambda r, p: r[0].append(p), "rows was changed in place"),
        ("a dict", lambda r, p: {"ids": r}, "expected a tuple, got a dict"),
        ("tensors", lambda r, p: (*map(torch.tensor, _pad(r, p)),), "a list, got"),
        ("as long as the first", _pad_to_the_first, "need not be the first"),
        ("the longest row itself", _pad_keeping_the_longest, "came back itself"),
    ],
}
RIGHT = {
    "day02_count_pairs": [_pairs],
    "day02_merge": [_merge, _joined_apart],
    "day02_encode": [_by_rank, _in_order],
    "day02_pad": [_pad, lambda rows, pad_id: [*_pad(rows, pad_id)]],
}
