"""Wrong answers to the exercises of day 2, the tempting ones among them; right ones."""

from collections import Counter, defaultdict
from itertools import combinations, pairwise

import torch


def once_per_word(words):
    return Counter(pair for symbols in words for pair in pairwise(symbols))


def last_word_wins(words):
    return {pair: n for symbols, n in words.items() for pair in pairwise(symbols)}


def set_of_pairs(words):
    counts = Counter()
    for symbols, n in words.items():
        for pair in set(pairwise(symbols)):
            counts[pair] += n
    return counts


def joined_keys(words):
    counts = Counter()
    for symbols, n in words.items():
        for a, b in pairwise(symbols):
            counts[a + b] += n
    return counts


def all_combinations(words):
    counts = Counter()
    for symbols, n in words.items():
        for pair in combinations(symbols, 2):
            counts[pair] += n
    return counts


def characters(words):
    counts = Counter()
    for symbols, n in words.items():
        for pair in pairwise("".join(symbols)):
            counts[pair] += n
    return counts


def one_long_text(words):
    text = [symbol for symbols, n in words.items() for symbol in symbols * n]
    return Counter(pairwise(text))


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


def merge_by_text(symbols, pair):
    text = " ".join(symbols).replace(" ".join(pair), "".join(pair))
    return text.split(" ")


def merge_characters(symbols, pair):
    text = "".join(symbols).replace("".join(pair), "|" + "".join(pair) + "|")
    return [part for part in text.split("|") if part]


def merge_first(symbols, pair):
    symbols = list(symbols)
    for i in range(len(symbols) - 1):
        if (symbols[i], symbols[i + 1]) == pair:
            return symbols[:i] + [symbols[i] + symbols[i + 1]] + symbols[i + 2 :]
    return symbols


def merge_in_place(symbols, pair):
    i = 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) == pair:
            symbols[i : i + 2] = ["".join(pair)]
        i += 1
    return symbols


def merge_reusing(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i : i + 2]) == pair:
            merged.append("".join(pair))
            i += 1 if pair[0] == pair[1] and i + 2 < len(symbols) else 2
        else:
            merged.append(symbols[i])
            i += 1
    return merged


def merge_losing_the_end(symbols, pair):
    merged, i = [], 0
    while i < len(symbols) - 1:
        hit = (symbols[i], symbols[i + 1]) == pair
        merged.append("".join(pair) if hit else symbols[i])
        i += 1 + hit
    return merged


def merge_either_way(symbols, pair):
    merged = merge_right(symbols, pair)
    return [*merge_right(merged, (pair[1], pair[0]))]


def merge_from_the_right(symbols, pair):
    back = merge_right(list(symbols)[::-1], (pair[1], pair[0]))
    return ["".join(pair) if s == pair[1] + pair[0] else s for s in back[::-1]]


def merge_past_the_end(symbols, pair):
    merged, i = [], 0
    while i < len(symbols):
        hit = (symbols[i], symbols[i + 1]) == pair
        merged.append("".join(pair) if hit else symbols[i])
        i += 1 + hit
    return merged


def merge_to_text(symbols, pair):
    return "".join(symbols)


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
    return tuple(stack)


def longest_match(word, merges):
    vocab = {left + right for left, right in merges}
    tokens = []
    while word:
        end = next((n for n in range(len(word), 1, -1) if word[:n] in vocab), 1)
        tokens.append(word[:end])
        word = word[end:]
    return tokens


def leftmost_first(word, merges):
    symbols = list(word)
    while any(pair in merges for pair in pairwise(symbols)):
        i = next(i for i, pair in enumerate(pairwise(symbols)) if pair in merges)
        symbols[i : i + 2] = [symbols[i] + symbols[i + 1]]
    return symbols


def newest_first(word, merges):
    return by_rank(word, merges[::-1])


def backwards_once(word, merges):
    symbols = list(word)
    for pair in merges[::-1]:
        symbols = merge_right(symbols, pair)
    return symbols


def one_place_per_merge(word, merges):
    symbols = list(word)
    for pair in merges:
        symbols = merge_first(symbols, pair)
    return symbols


def longest_pair_first(word, merges):
    symbols = list(word)
    while pairs := [pair for pair in pairwise(symbols) if pair in merges]:
        symbols = merge_right(symbols, max(pairs, key=lambda p: len(p[0] + p[1])))
    return symbols


def one_merge_only(word, merges):
    symbols = list(word)
    for pair in merges:
        if pair in pairwise(symbols):
            return merge_right(symbols, pair)
    return symbols


def whole_text(word, merges):
    return "".join(by_rank(word, merges))


def eats_merges(word, merges):
    symbols = list(word)
    while merges:
        symbols = merge_right(symbols, merges.pop(0))
    return symbols


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


def pad_left(rows, pad_id):
    n = max(map(len, rows))
    ids = [[pad_id] * (n - len(row)) + row for row in rows]
    return ids, [[0] * (n - len(row)) + [1] * len(row) for row in rows]


def pad_mask_upside_down(rows, pad_id):
    ids, mask = pad_right(rows, pad_id)
    return ids, [[1 - value for value in row] for row in mask]


def pad_mask_from_ids(rows, pad_id):
    ids, _ = pad_right(rows, pad_id)
    return ids, [[int(i != pad_id) for i in row] for row in ids]


def pad_with_zero(rows, pad_id):
    return pad_right(rows, 0)


def pad_one_too_many(rows, pad_id):
    n = max(map(len, rows)) + 1
    ids = [row + [pad_id] * (n - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (n - len(row)) for row in rows]


def pad_in_place(rows, pad_id):
    n = max(map(len, rows))
    mask = [[1] * len(row) + [0] * (n - len(row)) for row in rows]
    for row in rows:
        row += [pad_id] * (n - len(row))
    return rows, mask


def pad_cutting(rows, pad_id):
    n = min(map(len, rows))
    return [row[:n] for row in rows], [[1] * n for _ in rows]


def pad_ids_only(rows, pad_id):
    return {"input_ids": pad_right(rows, pad_id)[0]}


def pad_ids_without_mask(rows, pad_id):
    return pad_right(rows, pad_id)[0]


def pad_to_the_first(rows, pad_id):
    n = len(rows[0])
    ids = [row + [pad_id] * (n - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (n - len(row)) for row in rows]


def pad_all_ones(rows, pad_id):
    ids, _ = pad_right(rows, pad_id)
    return ids, [[1] * len(row) for row in ids]


def pad_right(rows, pad_id):
    n = max(map(len, rows))
    ids = [row + [pad_id] * (n - len(row)) for row in rows]
    return ids, [[1] * len(row) + [0] * (n - len(row)) for row in rows]


def pad_with_tensors(rows, pad_id):
    rows = [torch.tensor(row) for row in rows]
    pad = torch.nn.utils.rnn.pad_sequence
    mask = pad([torch.ones_like(row) for row in rows], batch_first=True)
    return pad(rows, batch_first=True, padding_value=pad_id), mask.bool()


WRONG = {
    "day02_count_pairs": [
        ("each word once", once_per_word, "add the word's count, not 1"),
        ("the last word overwrites", last_word_wins, "the counts add up to 5"),
        ("a set of pairs", set_of_pairs, "pairs overlap when they are counted"),
        ("keys joined", joined_keys, "a key is a pair"),
        ("not only neighbours", all_combinations, "not neighbours"),
        ("characters for symbols", characters, "not two characters"),
        ("pairs across copies of a word", one_long_text, "has the one pair"),
        ("nothing returned", lambda words: None, "return a dict"),
    ],
    "day02_merge": [
        ("text replaced, pieces kept", merge_by_text, "whole symbols"),
        ("characters replaced", merge_characters, "the others stay as they are"),
        ("the first only", merge_first, "every occurrence"),
        ("in place", merge_in_place, "changes the list"),
        ("a symbol used twice", merge_reusing, "no symbol twice"),
        ("the end lost", merge_losing_the_end, "what follows the last pair"),
        ("either order", merge_either_way, "the order of a pair matters"),
        ("from the right", merge_from_the_right, "from left to right"),
        ("past the end", merge_past_the_end, "you read past the end"),
        ("a string", merge_to_text, "return a list"),
    ],
    "day02_encode": [
        ("longest token first", longest_match, "the longest token"),
        ("leftmost pair first", leftmost_first, "does not begin on the left"),
        ("newest merge first", newest_first, "learned first goes first"),
        ("backwards, once", backwards_once, "the order counts"),
        ("one place for each merge", one_place_per_merge, "everywhere in the word"),
        ("longest pair first", longest_pair_first, "the longest pair"),
        ("one merge only", one_merge_only, "go on until no merge fits"),
        ("a string", whole_text, "return a list"),
        ("merges used up", eats_merges, "changes the list of merges"),
    ],
    "day02_pad": [
        ("on the left", pad_left, "you padded on the left"),
        ("mask upside down", pad_mask_upside_down, "upside down"),
        ("mask from the ids", pad_mask_from_ids, "not from the ids"),
        ("always zero", pad_with_zero, "not always 0"),
        ("one pad too many", pad_one_too_many, "length of the longest"),
        ("in place", pad_in_place, "changes the rows"),
        ("cut to the shortest", pad_cutting, "length of the longest"),
        ("no mask", pad_ids_only, "return two things"),
        ("ids, no mask", pad_ids_without_mask, "return two things"),
        ("as long as the first row", pad_to_the_first, "need not be the first"),
        ("all ones", pad_all_ones, "0 for each pad"),
    ],
}
RIGHT = {
    "day02_count_pairs": [pairs_by_index, pairs_by_counter],
    "day02_merge": [merge_right, merge_with_a_stack],
    "day02_encode": [by_rank, in_order],
    "day02_pad": [pad_right, pad_with_tensors],
}
