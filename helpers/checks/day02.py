"""Checks for day 2: a word encoded, merges learned, a batch repaired."""

from functools import partial
from itertools import combinations, pairwise, permutations

from transformers import GPT2Tokenizer

from helpers.checks.common import exercise
from helpers.tokens import BPE, END, count_pairs


def _merge(symbols, pair, most=99):
    if len(symbols) < 2 or not most:
        return list(symbols)
    if tuple(symbols[:2]) == pair:
        return ["".join(pair), *_merge(symbols[2:], pair, most - 1)]
    return [symbols[0], *_merge(symbols[1:], pair, most)]


def _in_text(symbols, pair):
    return " ".join(symbols).replace(" ".join(pair), "".join(pair)).split(" ")


def _older(pair, age):
    return [age[symbol] for symbol in pair]


def _learn(words, n_merges, count=count_pairs, join=_merge, add=1, first=_older):
    age = {symbol: i for i, symbol in enumerate(sorted({s for w in words for s in w}))}
    merges = []
    while len(merges) < n_merges and (counts := count(words)):
        best = min(counts, key=lambda pair: (-counts[pair], first(pair, age)))
        age.setdefault("".join(best), len(age))
        merges.append(best)
        joined = {}
        for symbols, n in words.items():
            symbols = tuple(join(symbols, best))
            joined[symbols] = n + add * joined.get(symbols, 0)
        words = joined
    return merges


def _learn_hint(case, right, answer):
    if isinstance(answer, ValueError):
        return "when every word is one symbol no pair is left: stop there"


# In none of these words two pairs are ever level; in those of TIES many are.
RINGS = {tuple("ring"): 5, tuple("sting"): 3, tuple("bang"): 1}
COUNTED = {tuple("ab"): 9, tuple("cd"): 1, tuple("ecd"): 2, tuple("cdf"): 3}
JOINED = {("a", "b", "c"): 4, ("ab", "c"): 3, ("d", "e"): 5, ("a", "b"): 2}
TIES = {tuple("xca"): 1, tuple("xcb"): 1, tuple("adz"): 2, tuple("mb"): 2}
TIES |= {tuple("ady"): 2, tuple("ka"): 4, tuple("kay"): 2}
day02_learn = exercise(
    "my_learn(words, n_merges): the merges, in the order in which they are learned.",
    cases=[(RINGS, 1), (RINGS, 3), (COUNTED, 3), (JOINED, 3), (COUNTED, 9), (TIES, 9)],
    hint=_learn_hint,
    right=_learn,
    wrong={
        "count again after each merge: it uses pairs up, and makes "
        "new": lambda words, n: [p for p, _ in count_pairs(words).most_common(n)],
        "merge the words too, or the same pair wins for ever": dict(
            join=lambda symbols, pair: symbols
        ),
        "each word counts as often as it occurs": dict(
            count=lambda words: count_pairs(dict.fromkeys(words, 1))
        ),
        "two words that have become one add up their counts": dict(add=0),
        "of level pairs the older wins, not the one that was counted first": dict(
            first=lambda pair, age: 0
        ),
        "a merged symbol is as old as its merge: younger than every letter": dict(
            first=lambda pair, age: pair
        ),
        "of level pairs compare the left symbols, then the right ones": dict(
            first=lambda pair, age: age[pair[0]]
        ),
        "a merge is a pair of symbols: ('i', 'n'), not 'in'": lambda words, n: [
            "".join(pair) for pair in _learn(words, n)
        ],
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
        "look again after each merge: it makes new pairs": lambda w, m: _encode(
            [*w], [pair for pair in m if pair in [*pairwise(w)]]
        ),
        "join a pair everywhere": dict(join=partial(_merge, most=1)),
        "whole symbols, not parts of a string": dict(join=_in_text),
    },
)


def _pad(rows, pad, way):
    width = max(map(len, rows))
    ids = [(row[::way] + [pad] * (width - len(row)))[::way] for row in rows]
    return ids, [([1] * len(row) + [0] * (width - len(row)))[::way] for row in rows]


STRANGE = BPE([("a", "b"), ("ab", "c")])
TOKENIZER = GPT2Tokenizer(vocab=STRANGE.vocab, merges=[*STRANGE.ranks])
TOKENIZER.pad_token = END


def _prepare(texts, tokenizer, plain=True, ends=1, way=1, guess=False, clean=False):
    texts = [text.replace(END, "" if clean else END) for text in texts]
    rows = [tokenizer.encode(text, split_special_tokens=plain) for text in texts]
    rows = [row + ends * [tokenizer.eos_token_id] for row in rows]
    ids, masks = _pad(rows, tokenizer.pad_token_id, way)
    if guess:
        masks = [[int(i != tokenizer.pad_token_id) for i in row] for row in ids]
    return ids, masks


MISTAKES = {
    "a stranger typed the mark and got the special id: split_special_tokens=True": dict(
        plain=False
    ),
    "what a stranger typed is text: keep the letters of the mark, do not delete "
    "them": dict(clean=True),
    "no document ends: add eos_token_id, the number, after each": dict(ends=0),
    "these texts are read, not continued: the pads go on the right": dict(way=-1),
    "the pad's id is the end mark's too: make the mask from the lengths, not from the "
    "ids": dict(guess=True),
}


def _prepare_hint(case, right, answer):
    """Name one of several mistakes."""
    for several in (s for n in (2, 3, 4) for s in combinations(MISTAKES, n)):
        options = {name: x for key in several for name, x in MISTAKES[key].items()}
        if list(answer) == [*_prepare(*case, TOKENIZER, **options)]:
            return several[0]
    return "the ids are right, the mask is not" if answer[0] == right[0] else None


day02_prepare = exercise(
    "my_prepare(texts, tokenizer): input_ids and attention_mask, two lists of rows.",
    cases=[([f"c{END}ab", "abc ab"],), (["a", "abcab", "ca"],)],
    call=lambda answer, texts: answer(texts, TOKENIZER),
    hint=_prepare_hint,
    right=_prepare,
    wrong={
        **MISTAKES,
        "the end mark as text is cut into letters, now that the text of strangers is "
        "safe: add eos_token_id, the number": lambda texts, tokenizer: _prepare(
            [text + END for text in texts], tokenizer, ends=0
        ),
        "one end mark is enough": dict(ends=2),
        "input_ids first, then the mask": lambda *case: _prepare(*case)[::-1],
    },
)
