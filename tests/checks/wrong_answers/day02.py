"""Right answers in other styles to the exercises of day 2, and mistakes of form."""

from collections import defaultdict
from itertools import pairwise


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


def _by_rank(word, merges):
    symbols = list(word)
    while pairs := [pair for pair in pairwise(symbols) if pair in merges]:
        symbols = _merge(symbols, min(pairs, key=merges.index))
    return symbols


def _learn(words, n_merges):
    merges, words, old = [], dict(words), sorted({s for word in words for s in word})
    for _ in range(n_merges):
        counts = _pairs(words)
        if not counts:
            break
        most = max(counts.values())
        level = [pair for pair in counts if counts[pair] == most]
        merges.append(sorted(level, key=lambda pair: [*map(old.index, pair)])[0])
        old.append("".join(merges[-1]))
        joined = defaultdict(int)
        for symbols, n in words.items():
            joined[tuple(_merge(symbols, merges[-1]))] += n
        words = joined
    return merges


def _never_done(words, n_merges):
    counts = _pairs(words)
    best = max(counts, key=counts.get)
    joined = {tuple(_merge(symbols, best)): n for symbols, n in words.items()}
    return [best, *_never_done(joined, n_merges - 1)] if n_merges > 1 else [best]


def _prepare(texts, tokenizer):
    rows = [tokenizer.encode(text, split_special_tokens=True) for text in texts]
    batch = tokenizer.pad(
        {"input_ids": [row + [tokenizer.eos_token_id] for row in rows]}
    )
    return batch["input_ids"], batch["attention_mask"]


def _as_in_the_day(texts, tokenizer):
    rows = [tokenizer.encode(text) for text in texts]
    width, pad = max(map(len, rows)), tokenizer.pad_token_id
    input_ids = [[pad] * (width - len(row)) + row for row in rows]
    return input_ids, [[int(i != pad) for i in row] for row in input_ids]


def _first_mask(texts, tokenizer):
    ids, masks = _prepare(texts, tokenizer)
    return ids, [masks[0] for _ in masks]


WRONG = {
    "day02_learn": {
        "no pair is left: stop there": _never_done,
        "words was changed in place": lambda words, n: words.clear(),
    },
    "day02_prepare": {
        "a stranger typed": _as_in_the_day,
        "the ids are right, the mask is not": _first_mask,
        "a list, got": lambda *case: (*map(str, _prepare(*case)),),
    },
}
RIGHT = {
    "day02_encode": [_by_rank],
    "day02_learn": [_learn],
    "day02_prepare": [_prepare, lambda *case: [*_prepare(*case)]],
}
