"""Checks for day 2: pairs counted, a pair merged, a word encoded, a batch padded."""

import copy
import random
from collections.abc import Mapping

from helpers.checks.old import exercise, expect

__all__ = ["day02_count_pairs", "day02_encode", "day02_merge", "day02_pad"]


@exercise
def day02_count_pairs(answer):
    """Expect {pair: count} for {word as a tuple of symbols: its count}."""
    got = _pairs(answer, {("a", "b"): 3})
    expect(
        got != {("a", "b"): 1},
        "'ab' occurs 3 times, so its pair counts 3: add the word's count, not 1",
    )
    expect(
        got == {("a", "b"): 3},
        f"'ab', 3 times, has the one pair ('a', 'b') with count 3; you gave {got}",
    )
    got = _pairs(answer, {("a", "b"): 3, ("a", "b", "c"): 2})
    expect(
        got.get(("a", "b")) == 5,
        "('a', 'b') is in two words, 3 and 2 times: the counts add up to 5, "
        f"you gave {got.get(('a', 'b'))}",
    )
    expect(
        ("a", "c") not in got,
        "in 'abc', a and c are not neighbours: only neighbouring symbols are a pair",
    )
    got = _pairs(answer, {("a", "a", "a"): 1})
    expect(
        got == {("a", "a"): 2},
        "'aaa' has the pair ('a', 'a') twice, pairs overlap when they are counted; "
        f"you gave {got}",
    )
    got = _pairs(answer, {("th", "e"): 1, ("e",): 4})
    expect(
        got == {("th", "e"): 1},
        "a pair is two symbols, not two characters: ('th', 'e') has one pair and "
        f"('e',) has none; you gave {got}",
    )
    draw = random.Random(0)
    for _ in range(50):
        words = {
            tuple(draw.choices("abc", k=draw.randrange(1, 6))): i for i in (1, 2, 5)
        }
        got, wanted = _pairs(answer, words), _slow_pairs(words)
        expect(got == wanted, f"for {words} the counts are {wanted}; you gave {got}")


def _pairs(answer, words: dict) -> dict:
    """Return the answer's non-zero counts, after a look at its form."""
    got = answer(dict(words))
    expect(
        isinstance(got, Mapping),
        f"return a dict {{pair: count}}; what came is {type(got).__name__}",
    )
    for pair in got:
        expect(
            isinstance(pair, tuple) and len(pair) == 2,
            f"a key is a pair (left, right), not {pair!r}: joined, ('a', 'bc') and "
            "('ab', 'c') could not be told apart",
        )
    return {pair: count for pair, count in got.items() if count}


def _slow_pairs(words: dict) -> dict:
    counts = {}
    for symbols, count in words.items():
        for i in range(len(symbols) - 1):
            pair = (symbols[i], symbols[i + 1])
            counts[pair] = counts.get(pair, 0) + count
    return counts


@exercise
def day02_merge(answer):
    """Expect a list in which every occurrence of a pair is joined."""
    cases = [
        ("ring", ("n", "g"), ["r", "i", "ng"],
         "a pair becomes one symbol and the others stay as they are"),
        ("abab", ("a", "b"), ["ab", "ab"], "every occurrence is joined, not the first"),
        ("cab", ("a", "b"), ["c", "ab"], "a pair at the end counts too"),
        ("abc", ("a", "b"), ["ab", "c"], "what follows the last pair must stay"),
        ("ba", ("a", "b"), ["b", "a"], "the order of a pair matters"),
        ("aaa", ("a", "a"), ["aa", "a"], "from left to right, no symbol twice"),
        (["ab", "c"], ("b", "c"), ["ab", "c"], "only whole symbols are joined, and"
         " there is no symbol 'b' in it: do not search the joined string"),
        (["a", "bc"], ("a", "b"), ["a", "bc"], "only whole symbols are joined"),
        (["a"], ("a", "b"), ["a"], "one symbol has no pair"),
        ([], ("a", "b"), [], "no symbols, no pair"),
    ]  # fmt: skip
    for symbols, pair, wanted, reason in cases:
        given = list(symbols)
        got = _merged(answer, given, pair)
        expect(
            given == list(symbols), "your function changes the list that it is given"
        )
        expect(
            isinstance(got, list | tuple),
            f"return a list of symbols; what came is {type(got).__name__}",
        )
        expect(
            list(got) == wanted,
            f"{reason}: {given} with {pair} gives {wanted}, you gave {list(got)}",
        )


def _merged(answer, symbols: list, pair: tuple):
    try:
        return answer(symbols, pair)
    except IndexError:
        message = "the last symbol has no right neighbour: you read past the end"
        raise AssertionError(f"{message} of {symbols}") from None


@exercise
def day02_encode(answer):
    """Expect the tokens of a word, merges applied in the order they were learned."""
    cases = [
        ("abc", [("a", "b"), ("b", "c")], ["ab", "c"],
         "the order counts: the merge that was learned first goes first"),
        ("abab", [("a", "b")], ["ab", "ab"],
         "join a pair everywhere in the word, not only where it stands first"),
        ("abcabc", [("a", "b"), ("ab", "c")], ["abc", "abc"],
         "go on until no merge fits"),
        ("abc", [("a", "b"), ("b", "c"), ("a", "bc")], ["ab", "c"],
         "BPE does not look for the longest token: 'abc' is one, but a + b was learned"
         " first and leaves no 'bc' to join"),
        ("bcadbc", [("b", "c"), ("a", "d"), ("d", "bc")], ["bc", "ad", "bc"],
         "BPE does not look for the longest pair: a + d was learned before d + bc"),
        ("abc", [("b", "c"), ("a", "b")], ["a", "bc"],
         "BPE does not begin on the left: b + c was learned first"),
        ("xyz", [("a", "b")], ["x", "y", "z"], "without a merge, single symbols stay"),
        ("", [("a", "b")], [], "an empty word has no tokens"),
    ]  # fmt: skip
    for word, merges, wanted, reason in cases:
        _expect_tokens(answer, word, merges, wanted, reason)
    draw = random.Random(0)
    for _ in range(100):
        merges = _some_merges(draw)
        word = "".join(draw.choices("abc", k=8))
        wanted = _slow_encode(word, merges)
        _expect_tokens(answer, word, merges, wanted, "the lowest rank goes first")


def _expect_tokens(answer, word, merges, wanted, reason):
    given = list(merges)
    got = answer(word, given)
    expect(given == merges, "your function changes the list of merges")
    expect(
        isinstance(got, list | tuple),
        f"return a list of tokens; what came is {type(got).__name__}",
    )
    expect(
        list(got) == wanted,
        f"{reason}: {word!r} with merges {merges} gives {wanted}, you gave {list(got)}",
    )


def _some_merges(draw: random.Random) -> list:
    """Merges as training makes them: each joins tokens made before it, none twice."""
    made, merges = ["a", "b", "c"], []
    while len(merges) < 6:
        pair = (draw.choice(made), draw.choice(made))
        if "".join(pair) not in made:
            made.append("".join(pair))
            merges.append(pair)
    return merges


def _slow_encode(word: str, merges: list) -> list:
    symbols = list(word)
    for left, right in merges:
        i = 0
        while i < len(symbols) - 1:
            if (symbols[i], symbols[i + 1]) == (left, right):
                symbols[i : i + 2] = [left + right]
            i += 1
    return symbols


@exercise
def day02_pad(answer):
    """Expect (input_ids, attention_mask), padded on the right to the longest row."""
    ids, mask = _padded(answer, [[5, 6, 7], [8]], 0)
    expect(
        ids != [[5, 6, 7], [0, 0, 8]],
        "you padded on the left; today the pads go on the right: [8, 0, 0]",
    )
    expect(
        ids == [[5, 6, 7], [8, 0, 0]],
        "every row gets the length of the longest, with pads on the right: "
        f"[[5, 6, 7], [8, 0, 0]]; you gave {ids}",
    )
    expect(
        mask != [[0, 0, 0], [0, 1, 1]],
        "the mask is upside down: 1 is a token to look at, 0 is a pad",
    )
    expect(
        mask == [[1, 1, 1], [1, 0, 0]],
        f"the mask has 1 for each token, 0 for each pad; you gave {mask}",
    )
    ids, mask = _padded(answer, [[9, 5], [9], [6, 9, 9]], 9)
    expect(
        {len(row) for row in ids} == {3},
        "all rows get the length of the longest, and that need not be the first: "
        f"[9, 5], [9], [6, 9, 9] become 3 ids each; you gave {ids}",
    )
    expect(
        mask == [[1, 1, 0], [1, 0, 0], [1, 1, 1]],
        "id 9 is the pad and also a token of the text, as <|endoftext|> is for GPT-2: "
        f"the mask comes from the lengths, not from the ids; you gave {mask}",
    )
    expect(
        ids != [[9, 5, 0], [9, 0, 0], [6, 9, 9]],
        "the pads are `pad_id`, here 9, and not always 0",
    )
    expect(
        ids == [[9, 5, 9], [9, 9, 9], [6, 9, 9]],
        "[9, 5], [9], [6, 9, 9], padded with 9, become "
        f"[[9, 5, 9], [9, 9, 9], [6, 9, 9]]; you gave {ids}",
    )
    ids, mask = _padded(answer, [[4, 4]], 0)
    expect(
        (ids, mask) == ([[4, 4]], [[1, 1]]),
        f"a batch of one row needs no pads; you gave {ids}, {mask}",
    )


def _padded(answer, rows: list, pad_id: int) -> tuple[list, list]:
    given = copy.deepcopy(rows)
    got = answer(given, pad_id)
    expect(given == rows, "your function changes the rows that it is given: copy them")
    message = "return two things, input_ids and attention_mask, each a list of rows"
    expect(isinstance(got, tuple | list) and len(got) == 2, message)
    try:
        return tuple(_lists(part) for part in got)
    except TypeError:
        raise AssertionError(f"{message}; you gave {got}") from None


def _lists(rows) -> list:
    """Return rows of plain integers, from lists, tuples or a tensor."""
    rows = rows.tolist() if hasattr(rows, "tolist") else rows
    plain = [row.tolist() if hasattr(row, "tolist") else row for row in rows]
    return [[int(value) for value in row] for row in plain]
