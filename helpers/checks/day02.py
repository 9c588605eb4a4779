"""Checks for day 2: pairs counted, a pair merged, a word encoded, a batch padded."""

import random
from collections import Counter
from functools import partial
from itertools import combinations, pairwise

from helpers.checks.common import exercise

__all__ = ["day02_count_pairs", "day02_encode", "day02_merge", "day02_pad"]


def _pairs(words, *, pairs=pairwise, times=lambda n: n, add=True):
    """Count the pairs of each word; each option can be a mistake."""
    counts = {}
    for symbols, n in words.items():
        for pair in pairs(symbols):
            counts[pair] = times(n) + (counts.get(pair, 0) if add else 0)
    return counts


def _apart(symbols):
    """Return the pairs; after one of two equal symbols, its second is skipped."""
    i, pairs = 0, []
    while i < len(symbols) - 1:
        pairs.append((symbols[i], symbols[i + 1]))
        i += 2 if symbols[i] == symbols[i + 1] else 1
    return pairs


def _sorted_pairs(symbols):
    return [tuple(sorted(pair)) for pair in pairwise(symbols)]


def _in_one_text(words):
    return Counter(pairwise([s for symbols, n in words.items() for s in symbols * n]))


day02_count_pairs = exercise(
    "day02_count_pairs",
    "my_count_pairs(words): {pair: count} of {word as a tuple of symbols: its count}.",
    cases=[
        ({("a", "b"): 3},),
        ({("a", "b"): 3, ("a", "b", "c"): 2},),
        ({("a", "a", "a", "a"): 1},),
        ({("th", "e"): 1, ("e",): 4},),
        ({("a", "bc"): 1, ("ab", "c"): 2, ("b", "a", "b", "a"): 2},),
    ],  # a pair that is counted 0 times may be there or not
    same=lambda value, right: +Counter(value) == +Counter(right),
    right=_pairs,
    wrong={
        "a word that occurs n times has its pairs n times: add its count, not "
        "1": partial(_pairs, times=lambda n: 1),
        "a key is a pair (left, right): joined, ('a', 'bc') and ('ab', 'c') could not "
        "be told apart": partial(_pairs, pairs=lambda s: map("".join, pairwise(s))),
        "a pair may be in several words: add to its count, do not replace it": partial(
            _pairs, add=False
        ),
        "pairs may overlap: 'aaa' has the pair ('a', 'a') twice": partial(
            _pairs, pairs=_apart
        ),
        "a word may have a pair more than once, each time counts": partial(
            _pairs, pairs=lambda symbols: set(pairwise(symbols))
        ),
        "only neighbouring symbols are a pair": partial(
            _pairs, pairs=lambda symbols: combinations(symbols, 2)
        ),
        "a pair is two symbols, not two characters": partial(
            _pairs, pairs=lambda s: pairwise("".join(s))
        ),
        "a pair has an order: ('b', 'a') is not ('a', 'b')": partial(
            _pairs, pairs=_sorted_pairs
        ),
        "the last pair of each word is missing": partial(
            _pairs, pairs=lambda symbols: pairwise(symbols[:-1])
        ),
        "a word ends: its last symbol and the next word's first are no "
        "pair": _in_one_text,
    },
)


def _merge(symbols, pair, *, most=99, step=2):
    """Join a pair from left to right; each option can be a mistake."""
    merged, i, joined = [], 0, 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair and joined < most:
            merged, i, joined = [*merged, "".join(pair)], i + step, joined + 1
        else:
            merged, i = [*merged, symbols[i]], i + 1
    return merged


def _from_right(symbols, pair):
    turned = _merge(symbols[::-1], pair[::-1])[::-1]
    return ["".join(pair) if s == pair[1] + pair[0] else s for s in turned]


def _by_sound(symbols, pair):
    """Compare what two symbols make together."""
    ways = {two for two in pairwise(symbols) if "".join(two) == "".join(pair)}
    for way in sorted(ways):
        symbols = _merge(symbols, way)
    return list(symbols)


def _without_the_last(symbols, pair):
    whole = _merge(symbols, pair)
    return whole if tuple(symbols[-2:]) == pair else whole[:-1]


def _in_text(symbols, pair):
    return " ".join(symbols).replace(" ".join(pair), "".join(pair)).split(" ")


def _merge_hint(case, right, answer):
    if isinstance(answer, IndexError):
        return "has the last symbol a right neighbour?"
    letters, there = "".join(answer), "".join(case[0])
    if len(letters) > len(there):
        return f"{case[0]}: no symbol is used twice, and you gave {answer}"
    if len(letters) < len(there):
        return f"{case[0]}: a symbol is lost, you gave {answer}"
    return None


day02_merge = exercise(
    "day02_merge",
    "my_merge(symbols, pair): a new list in which the pair is joined everywhere.",
    cases=[
        (list("abab"), ("a", "b")),
        (["r", "i", "n", "g"], ("n", "g")),
        (list("ba"), ("a", "b")),
        (list("aaaaa"), ("a", "a")),
        (list("abc"), ("a", "b")),
        (["ab", "c", "ab", "cd", "d"], ("b", "c")),
        (["ab", "c", "a", "bc"], ("a", "bc")),
        (["a", "xa", "b", "y"], ("a", "b")),
        (["a"], ("a", "b")),
    ],
    fresh=True,
    hint=_merge_hint,
    right=_merge,
    wrong={
        "only whole symbols are joined: do not search the joined string": _in_text,
        "a and bc make the same string as ab and c: compare both symbols": _by_sound,
        "every occurrence is joined, not the first": partial(_merge, most=1),
        "no symbol is used twice: step over both": partial(_merge, step=1),
        "what follows the last pair must stay": _without_the_last,
        "go from left to right: 'aaa' is 'aa', 'a'": _from_right,
        "the order of a pair matters": lambda symbols, pair: _merge(
            _merge(symbols, pair), pair[::-1]
        ),
    },
)


def _encode(word, merges, *, order=list, most=99, until=False):
    """Apply merges in their order; each option can be a mistake."""
    symbols = list(word)
    for pair in order(merges):
        if until and pair not in pairwise(symbols):
            break
        symbols = _merge(symbols, pair, most=most)
    return symbols


def _choose(word, merges, *, choose=None, most=99, rounds=99):
    """Choose among the pairs that fit, until none does."""
    symbols = list(word)
    for _ in range(rounds):
        fits = [pair for pair in pairwise(symbols) if pair in merges]
        chosen = choose(fits) if choose else min(fits, key=merges.index, default=None)
        symbols = _merge(symbols, chosen, most=most) if fits else symbols
    return symbols


def _longest_token(word, merges):
    tokens, known = [], {left + right for left, right in merges}
    while word:
        ends = range(len(word), 1, -1)
        end = next((end for end in ends if word[:end] in known), 1)
        tokens, word = [*tokens, word[:end]], word[end:]
    return tokens


def _in_string(word, merges):
    symbols = list(word)
    for pair in merges:
        symbols = _in_text(symbols, pair)
    return symbols


def _length(pair):
    return len("".join(pair))


def _words_and_merges(_):
    cases = [
        ("abc", [("a", "b"), ("b", "c")]),
        ("abab", [("a", "b")]),
        ("ab", [("a", "b")]),
        ("abc", [("b", "c"), ("a", "b")]),
        ("abcabc", [("a", "b"), ("ab", "c")]),
        ("bcadbc", [("b", "c"), ("a", "d"), ("d", "bc")]),
        ("xyz", [("a", "b")]),
    ]
    draw = random.Random(0)
    for _ in range(30):  # merges as training makes them, none twice
        made, merges = ["a", "b", "c"], []
        while len(merges) < 6:
            pair = (draw.choice(made), draw.choice(made))
            if "".join(pair) not in made:
                made, merges = [*made, "".join(pair)], [*merges, pair]
        cases.append(("".join(draw.choices("abc", k=8)), merges))
    return cases


FIRST = "what was learned first goes first"

day02_encode = exercise(
    "day02_encode",
    "my_encode(word, merges): the word's tokens, the first learned merge going first.",
    cases=_words_and_merges,
    right=_encode,
    wrong={
        f"BPE does not look for the longest token: {FIRST}": _longest_token,
        f"BPE does not begin on the left: {FIRST}": partial(
            _choose, choose=lambda fits: (fits or [()])[0], most=1
        ),
        f"BPE does not begin on the left, not even to join everywhere: "
        f"{FIRST}": partial(_choose, choose=lambda fits: (fits or [()])[0]),
        f"{FIRST}, not what was learned last: keep their order": lambda word, merges: (
            _choose(word, merges[::-1])
        ),
        "go through the merges in their order, not backwards": partial(
            _encode, order=reversed
        ),
        "join a pair everywhere in the word, not only where it stands first": partial(
            _encode, most=1
        ),
        f"a long pair has no right of way: {FIRST}": partial(
            _choose, choose=partial(max, key=_length, default=())
        ),
        f"sorted by length, merges lose their order: {FIRST}": partial(
            _encode, order=partial(sorted, key=_length, reverse=True)
        ),
        "a merge that does not fit is passed over: the next one may": partial(
            _encode, until=True
        ),
        "go on until no merge fits": partial(_choose, rounds=1),
        "only whole symbols are joined: do not search a string": _in_string,
    },
)


def _pad(rows, pad_id, *, left=False, mask=lambda i, one, pad_id: one):
    """Pad rows, and make a mask of their lengths; each option can be a mistake."""
    ids, masks, longest = [], [], max(map(len, rows))
    for row in rows:
        gap = [pad_id] * (longest - len(row))
        ones = [1] * len(row), [0] * len(gap)
        ids.append(gap + row if left else row + gap)
        masks.append([*ones[left], *ones[not left]])
    pairs = [zip(*two, strict=True) for two in zip(ids, masks, strict=True)]
    return ids, [[mask(i, one, pad_id) for i, one in row] for row in pairs]


def _pad_hint(case, right, answer):
    if isinstance(answer, Exception):
        return None
    longest = max(map(len, case[0]))
    if {len(row) for row in answer[0]} != {longest}:
        first = "all rows get the length of the longest, which need not be the first: "
        return f"{first}expected {longest} ids each, got {answer[0]}"
    mask = "the mask has 1 for each token of a row, 0 for each pad: expected "
    return f"{mask}{right[1]}, got {answer[1]}" if answer[0] == right[0] else None


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
    hint=_pad_hint,
    right=_pad,
    wrong={
        "you padded on the left: today the pads go on the right": partial(
            _pad, left=True
        ),
        "the mask is upside down: 1 is a token to look at, 0 is a pad": partial(
            _pad, mask=lambda i, one, pad_id: 1 - one
        ),
        "the pad's id may be a token of the text too, as <|endoftext|> is for GPT-2: "
        "the mask comes from the lengths, not from the "
        "ids": partial(_pad, mask=lambda i, one, pad_id: int(i != pad_id)),
        "the mask shows whether an id is 0, not whether it is a pad": partial(
            _pad, mask=lambda i, one, pad_id: int(i != 0)
        ),
        "the mask has 0 for each pad: take the lengths before padding": partial(
            _pad, mask=lambda i, one, pad_id: 1
        ),
        "input_ids first, then the mask": lambda rows, pad_id: _pad(rows, pad_id)[::-1],
        "the pads are `pad_id`, and not always 0": lambda rows, pad_id: _pad(rows, 0),
    },
)
