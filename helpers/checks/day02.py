"""Checks for day 2: pairs counted, a pair merged, a word encoded, a batch padded."""

from collections import Counter
from functools import partial
from itertools import pairwise, permutations

from helpers.checks.common import exercise


def _pairs(words, pairs=pairwise, before=1):
    counts = {}
    for symbols, n in words.items():
        for pair in pairs(symbols):
            counts[pair] = n + before * counts.get(pair, 0)
    return counts


def _counting(pairs):
    return partial(_pairs, pairs=pairs)


day02_count_pairs = exercise(
    "my_count_pairs(words): {pair: count} of {tuple of symbols: its count}.",
    cases=[({("a", "b"): 3},), ({("a", "b"): 3, ("a", "b", "c"): 2},)]
    + [({("a", "a", "a"): 1},), ({("th", "e"): 1, ("e",): 4},)]
    + [({("a", "bc"): 1, ("ab", "c"): 2, ("b", "a"): 2},)],
    # a pair that is counted 0 times may be there or not
    same=lambda value, right: +Counter(value) == +Counter(right),
    right=_pairs,
    wrong={
        "add the word's count, not 1": lambda words: _pairs(dict.fromkeys(words, 1)),
        "a key is a pair, not joined": _counting(lambda s: map("".join, pairwise(s))),
        "a pair may be in several words: add to its count": partial(_pairs, before=0),
        "'aaa' has the pair ('a', 'a') twice": _counting(lambda s: set(pairwise(s))),
        "a pair is two symbols, not letters": _counting(lambda s: pairwise("".join(s))),
        "the last pair of a word is missing": _counting(lambda s: pairwise(s[:-1])),
    },
)


def _merge(symbols, pair, most=99, key=tuple):
    if len(symbols) < 2 or not most:
        return list(symbols)
    if key(symbols[:2]) == key(pair):
        return ["".join(pair), *_merge(symbols[2:], pair, most - 1, key)]
    return [symbols[0], *_merge(symbols[1:], pair, most, key)]


def _in_text(symbols, pair):
    return " ".join(symbols).replace(" ".join(pair), "".join(pair)).split(" ")


def _merge_hint(case, right, answer):
    if isinstance(answer, IndexError):
        return "has the last symbol a right neighbour?"
    if answer[::-1] == right:
        return "go from left to right: 'aaa' is 'aa', 'a'"
    letters = len("".join(answer)) - len("".join(case[0]))
    problem = "a symbol is lost" if letters < 0 else "no symbol is used twice"
    return f"{problem}: {case[0]} became {answer}" if letters else None


day02_merge = exercise(
    "my_merge(symbols, pair): a new list in which the pair is joined everywhere.",
    cases=[(list(text), ("a", "b")) for text in ("abab", "ba", "abc", "a")]
    + [(list("aaaaa"), ("a", "a")), (["ab", "c", "ab", "cd", "d"], ("b", "c"))]
    + [(["ab", "c", "a", "bc"], ("a", "bc")), (["a", "xa", "b", "y"], ("a", "b"))],
    hint=_merge_hint,
    right=_merge,
    wrong={
        "only whole symbols are joined: do not search the joined string": _in_text,
        "a + bc is not ab + c: compare both symbols": partial(_merge, key="".join),
        "every occurrence is joined, not the first": partial(_merge, most=1),
        "the order of a pair matters": lambda s, p: _merge(_merge(s, p), p[::-1]),
    },
)


def _encode(word, merges, join=_merge):
    for pair in merges:
        word = join(list(word), pair)
    return word


def _choose(word, merges, key=None, most=99):  # of equal keys, the leftmost
    symbols = list(word)
    while fits := [pair for pair in pairwise(symbols) if pair in merges]:
        symbols = _merge(symbols, min(fits, key=key or merges.index), most)
    return symbols


def _longest_token(word, merges):
    known = {left + right for left, right in merges}
    end = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
    return [word[:end], *_longest_token(word[end:], merges)] if word else []


PAIRS = [("a", "b"), ("b", "c"), ("c", "a")]
LATER = [("a", "bc"), ("bc", "a"), ("c", "ab")]  # what they join was joined before
day02_encode = exercise(
    "my_encode(word, merges): its tokens, the first learned merge going first.",
    cases=[("aaa", [("a", "a")]), ("abab", PAIRS[:1]), ("abc", PAIRS[:2])]
    + [("abc", PAIRS[1::-1]), ("bcab", PAIRS), ("cabcab", [PAIRS[0], LATER[2]])]
    + [(w, [*p, *LATER]) for w in ("abcacbabc", "xyz") for p in permutations(PAIRS)],
    right=_encode,
    wrong={
        "BPE does not look for the longest token, it merges": _longest_token,
        "BPE does not begin on the left": partial(_choose, key=len, most=1),
        "what was learned last goes last": lambda w, m: _choose(w, m[::-1]),
        "join a pair everywhere": partial(_encode, join=partial(_merge, most=1)),
        "whole symbols, not parts of a string": partial(_encode, join=_in_text),
    },
)


def _fill(row, longest, pad, way=1):
    return (row[::way] + [pad] * (longest - len(row)))[::way]


def _pad(rows, pad_id, token=1, pad=0, way=1, most=max):
    longest = most(map(len, rows))
    ids = [_fill(row, longest, pad_id, way) for row in rows]
    return ids, [_fill([token] * len(row), longest, pad, way) for row in rows]


def _mask_by_id(rows, pad_id):
    ids, _ = _pad(rows, pad_id)
    return ids, [[int(i != pad_id) for i in row] for row in ids]


day02_pad = exercise(
    "my_pad(rows, pad_id): input_ids and attention_mask, padded on the right.",
    cases=[([[5, 6, 7], [8]], 0), ([[9, 5], [9], [6, 9, 9]], 9), ([[3], [0, 2]], 7)],
    right=_pad,
    wrong={
        "you padded on the left: the pads go on the right": partial(_pad, way=-1),
        "pad to the longest row, which need not be the first": partial(_pad, most=next),
        "the mask is upside down: 1 is a token": partial(_pad, token=0, pad=1),
        "the pad's id may be in the text: the mask comes from lengths": _mask_by_id,
        "take lengths before padding: pads have mask 0": partial(_pad, pad=1),
        "input_ids first, then the mask": lambda rows, pad_id: _pad(rows, pad_id)[::-1],
        "the pads are `pad_id`, and not always 0": lambda rows, pad_id: _pad(rows, 0),
    },
)
