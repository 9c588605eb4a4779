"""Checks for day 4: the loop, a cache, a batch.

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
    "'logits'": "it returns the logits of the next token already: no .logits after it",
    "too many indices": "it returns (1, vocab) already: no [:, -1] after it",
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


def _write(score_next, prompt, new, eos=None, view=lambda ids, _: ids, cut=False):
    ids = prompt
    for _ in range(new):
        token = score_next(view(ids, prompt)).argmax(dim=-1, keepdim=True)
        ids = torch.cat([ids, token], dim=1)
        if token.item() == eos:
            break
    return ids[:, :-1] if cut and ids[0, -1] == eos else ids


# Prompts that begin with the end token, as documents do, or are one; some come to it.
PROMPTS = ([EOS, 4, 1], 5), ([9, 3], 6), ([8], 4), ([2, 2, 8], 1), ([EOS], 3)
day04_write = exercise(
    "write(score_next, input_ids, max_new_tokens, eos_token_id): greedy, with ends.",
    cases=[(*case, EOS) for case in (*PROMPTS, ([5, EOS, 4], 2))],
    call=_watch,
    hint=_loop_hint,
    right=_write,
    wrong={
        "append the token chosen": dict(view=lambda ids, prompt: prompt),
        "leave the loop at the end token": lambda f, ids, n, eos: _write(f, ids, n),
        "the end token belongs to the answer: append it, and only then leave the "
        "loop": dict(cut=True),
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
        "the cache holds what was read": dict(view=lambda ids, *_: ids),
        "the whole prompt was read, but the cache may hold its beginning: start at its "
        "length": dict(view=lambda x, p, n: x if x is p else x[:, -1:]),
        "cache.length grows with each step, and was looked up once: look it up in the "
        "loop": lambda *c: _write_on(*c, lambda x, *_, n=c[1].length: x[:, n:]),
    },
)


def _places(mask):
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)


def _in_rows(loop, prompts, new):
    """Run a loop on prompts padded on the left; return its ids, and what was read."""
    most, asked = max(map(len, prompts)), []
    ids = torch.tensor([[EOS] * (most - len(row)) + row for row in prompts])
    mask = torch.tensor([[0] * (most - len(row)) + [1] * len(row) for row in prompts])
    given = ids.clone(), mask.clone()

    def read(*tensors):
        expect(len(tensors) == 3, "read takes ids, mask and positions: three, in order")
        expect(len(asked) < new + 3, "the loop does not stop after new tokens")
        shapes = [tuple(getattr(tensor, "shape", ())) for tensor in tensors]
        wanted = len(prompts), most + len(asked)
        names = "input_ids", "attention_mask", "position_ids"
        for name, shape in zip(names, shapes, strict=True):
            expect(shape == wanted, f"{name}: {shape}, expected {wanted} at this call")
        rows, seen, places = (tensor.tolist() for tensor in tensors)
        low = min(map(min, places))
        expect(low >= 0, "-1 is no position: a pad has one, too, clamp(min=0)")
        packed = zip(rows, seen, places, strict=True)
        columns = [list(zip(*row, strict=True)) for row in packed]
        real = [[(token, at) for token, one, at in row if one] for row in columns]
        asked.append(real)
        logits = torch.full((len(real), EOS + 3), -2.0)
        for row, pairs in enumerate(real):
            logits[row, sum((at + 2) * token for token, at in pairs) % 17 % 12] = -1
        return logits

    text = loop(read, ids, mask, new)
    kept = torch.equal(ids, given[0]) and torch.equal(mask, given[1])
    expect(kept, "ids or mask were changed in place: use torch.cat")
    return text, asked


def _write_rows(
    read, ids, mask, new, places=_places, one=1, pick=lambda logits: logits
):
    for _ in range(new):
        chosen = pick(read(ids, mask, places(mask))).argmax(dim=-1, keepdim=True)
        ids = torch.cat([ids, chosen], dim=1)
        mask = torch.cat([mask, torch.full_like(chosen, one)], dim=1)
    return ids


PADDED = [[EOS, 4, 1, 7], [EOS, 2], [EOS, 9, 3]]
day04_write_rows = exercise(
    "write_rows(read, input_ids, attention_mask, new): greedy, for padded rows.",
    cases=[(PADDED, 4), ([[EOS, 5, 1], [EOS, 2, 8]], 3), ([[6], [3, 4]], 1)],
    call=_in_rows,
    right=_write_rows,
    wrong={
        "positions count the columns: in a row with pads its own tokens count, from "
        "0": dict(places=lambda mask: torch.ones_like(mask).cumsum(1) - 1),
        "positions begin at 0, not at 1": dict(places=lambda mask: mask.cumsum(dim=-1)),
        "a new token is no pad: its column of the mask holds 1": dict(one=0),
        "nobody may look at pads: do not make the mask anew, make it "
        "longer": lambda f, ids, mask, n: _write_rows(f, ids, torch.ones_like(mask), n),
        "each row has a choice of its own": dict(
            pick=lambda logits: logits[:1].expand(len(logits), -1)
        ),
        "pads included: return the whole rows, prompts and new "
        "tokens": lambda f, ids, *by: _write_rows(f, ids, *by)[:, ids.shape[1] :],
    },
)
