"""Checks for day 4: the loop, a cache, what a loop has read.

The model is made up; of a loop, what it returns is compared and what the model reads.
"""

import re
from functools import partial
from types import SimpleNamespace

import torch

from helpers.checks.common import exercise, expect
from helpers.checks.values import kind

EOS = 11
ERRORS = {
    "'logits'": "it returns the logits of the next token already: no .logits behind it",
    "too many indices": "it returns (1, vocab) already: no [:, -1] behind it",
    "same number of dim": "join (1, 1): argmax with keepdim=True, no [:, -1] before",
}


def _row(ids, what):
    is_row = re.fullmatch(r"a tensor of whole numbers of shape \(1, \d+\)", kind(ids))
    lost = ": is a return missing?" if ids is None else ""
    expect(bool(is_row), f"expected {what} (1, seq), got {kind(ids)}{lost}")
    return ids[0].tolist()


def _watch(loop, prompt, new, number, cached=False):
    """Run a loop; return the text, and what the model was given to read."""
    asked, cache = [], SimpleNamespace(ids=prompt[:number], length=number)

    def read(input_ids, given=None):
        asked.append(_row(input_ids, "what the model reads, whole numbers"))
        expect(bool(asked[-1]), "the model was given nothing to read")
        expect(len(asked) <= new + 3, "the loop does not stop at max_new_tokens")
        expect(not cached or given is cache, "read with the cache that you were given")
        cache.ids = cache.ids + asked[-1]
        cache.length = len(cache.ids)
        seen = enumerate(cache.ids if cached else asked[-1], 2)
        logits = torch.full((1, EOS + 3), -2.0)  # all below 0, the largest by little
        logits[0, sum(place * token for place, token in seen) % 17 % 12] = -1
        return logits

    ids = torch.tensor([prompt])
    text = loop(read, cache, ids, new) if cached else loop(read, ids, new, number)
    expect(ids.tolist() == [prompt], "input_ids was changed in place: use torch.cat")
    return SimpleNamespace(text=_row(text, "an answer, whole numbers"), asked=asked)


def _loop_hint(case, right, found):
    """Show where a loop first leaves the right way."""
    if isinstance(found, Exception):
        return next((line for part, line in ERRORS.items() if part in str(found)), None)
    for step, (ids, own) in enumerate(zip(found.asked, right.asked, strict=False)):
        reasons = {
            ": what stands before is missing": ids == own[-len(ids) :],
            ": the rest is missing, and one call reads all": ids == own[: len(ids)],
            ": greedy takes the largest logit": ids[:-1] == own[:-1],
        }
        if ids != own:
            why = next((reason for reason, holds in reasons.items() if holds), "")
            return f"step {step}: the model was given {ids}, expected {own}{why}"
    asked, due = len(found.asked), len(right.asked)
    if asked != due and all(map(int.__eq__, found.text, right.text)):
        return f"asked {asked} times, not {due}: once for each new token"
    if found.text == right.text[-len(found.text) :]:
        return "the prompt is missing: return all of it, and the new tokens"
    wrong = f"expected the text {right.text}, got {found.text}"
    return f"{wrong}: greedy takes the largest logit"


def _write(score_next, prompt, new, eos=None, view=lambda ids, prompt: ids):
    ids = prompt
    for _ in range(new):
        token = score_next(view(ids, prompt)).argmax(dim=-1, keepdim=True)
        ids = torch.cat([ids, token], dim=1)
        if token.item() == eos:
            break
    return ids


def _cut(ids, eos):
    return ids[:, :-1] if ids[0, -1] == eos else ids


# Prompts that begin with the end token, as documents do, or are one; some come to it.
PROMPTS = ([EOS, 4, 1], 5), ([9, 3], 6), ([8], 4), ([2, 2, 8], 1), ([EOS], 3)
day04_write = exercise(
    "write(score_next, input_ids, max_new_tokens, eos_token_id): greedy, with ends.",
    cases=[(*case, EOS) for case in (*PROMPTS, ([5, EOS, 4], 2))],
    call=_watch,
    hint=_loop_hint,
    right=_write,
    wrong={
        "append the token chosen": partial(_write, view=lambda ids, prompt: prompt),
        "leave the loop at the end token": lambda f, ids, n, eos: _write(f, ids, n),
        "the end token belongs to the answer: append it, and only then leave the "
        "loop": lambda f, ids, n, eos: _cut(_write(f, ids, n, eos), eos),
        "stopped at an end token of the prompt: look at the new token "
        "only": lambda f, ids, n, eos: _write(f, ids, 1 if eos in ids else n, eos),
        "max_new_tokens counts new tokens: those of the prompt do not "
        "count": lambda f, ids, n, eos: _write(f, ids, n - ids.shape[1], eos),
    },
)


def _write_on(read, cache, prompt, new, view=lambda ids, p, length: ids[:, length:]):
    read = partial(read, given=cache)
    return _write(read, prompt, new, view=lambda *ids: view(*ids, cache.length))


day04_write_on = exercise(
    "write_on(read, cache, input_ids, new): greedy, no token read twice.",
    cases=[([EOS, 4, 1], 5, 0), ([5, 2, 7, 7, 3], 4, 3), ([8, 3], 2, 1), ([6], 1, 0)],
    call=partial(_watch, cached=True),
    hint=_loop_hint,
    right=_write_on,
    wrong={
        "the cache holds what was read": partial(_write_on, view=lambda ids, *_: ids),
        "the whole prompt was read, but the cache may hold its beginning: start at its "
        "length": partial(_write_on, view=lambda x, p, n: x if x is p else x[:, -1:]),
        "cache.length grows with each step, and was looked up once: look it up in the "
        "loop": lambda *c: _write_on(*c, lambda x, *_, n=c[1].length: x[:, n:]),
    },
)


def _what_it_did(reads, prompt, context, view=list, one="cannot tell"):
    whole = [prompt + call for call in range(len(reads))]
    seen = [min(length, context) for length in whole]
    ways = {"no cache" if seen == whole else "window": seen}
    ways["cache"] = [prompt] + [1] * (len(reads) - 1)
    found = [way for way, due in ways.items() if view(reads) == view(due)]
    return one if reads == [prompt] else [*found, "broken"][0]


FITS, OUT = (5, 16), (5, 7)  # the prompt's tokens, the context
RUNS = [([5, 6, 7, 8], *FITS), ([5, 1, 1, 1], *FITS), ([5], *FITS), ([7], 9, 7)]
RUNS += [([5, 6, 7, 7, 7], *OUT), ([7, 7, 7], 9, 7), ([6, 7], 6, 7)]
RUNS += [([5, 5, 1, 1], *FITS), ([5, 2, 2, 2], *FITS), ([4, 2, 1, 1], *FITS)]
RUNS += [([6, 5, 7, 8], *FITS), ([1, 1, 1, 1], *FITS), ([5, 6, 7, 1, 1], *OUT)]
RUNS += [([4], *FITS)]
day04_what_it_did = exercise(
    "what_it_did(reads, prompt, context): what a loop did, from what it read.",
    cases=RUNS,
    each=True,
    right=_what_it_did,
    wrong={
        "one call tells nothing: all begin so": partial(_what_it_did, one="no cache"),
        "one call tells nothing only where it read just the prompt": lambda x, p, n: (
            _what_it_did([p] if len(x) == 1 else x, p, n)
        ),
        "the sum is not enough: look at each call": partial(_what_it_did, view=sum),
        "the first call counts, too": partial(_what_it_did, view=lambda x: x[1:]),
        "a window reads at most `context`": lambda x, p, n: _what_it_did(x, p, 99),
    },
)
