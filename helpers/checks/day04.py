"""Checks for day 4: the loop, left padding, a loop with a cache, a window.

The model is made up. Of a loop both is compared: what it returns, and what it lets the
model read, step by step; so the tables hold whole loops, each with one mistake.
"""

from functools import partial

import torch

from helpers.checks.common import exercise, expect
from helpers.checks.values import kind, same

__all__ = ["day04_left_pad", "day04_slide", "day04_write", "day04_write_on"]
EOS = 11
ALREADY = "it returns the logits of the next token, (1, vocab), already: "


def _row(ids, what: str) -> list[int]:
    """Return the ids of a (1, seq) tensor as a list."""
    lost = ": is a return missing?" if ids is None else ""
    is_row = isinstance(ids, torch.Tensor) and ids.dim() == 2 and len(ids) == 1
    expect(is_row, f"expected {what} (1, seq), got {kind(ids)}{lost}")
    whole = not ids.is_floating_point() and ids.dtype != torch.bool
    expect(whole, f"expected {what} of whole numbers, got {ids.dtype}")
    return ids[0].tolist()


def _favour(token: int) -> torch.Tensor:
    """Return (1, vocab) logits with one largest, by little, and all of them below 0."""
    return torch.full((1, EOS + 3), -2.0).index_fill(1, torch.tensor([token]), -1.0)


def _follow(ids: list[int]) -> int:
    """Return the token that the made-up model thinks likeliest after these."""
    return sum((place + 1) * token for place, token in enumerate(ids, 1)) % 10


def _watch(loop, prompt, follow, new, *options):
    """Run a loop; return the text, and what the model was given to read."""
    asked = []

    def score_next(input_ids):
        asked.append(_row(input_ids, "what the model reads"))
        expect(bool(asked[-1]), "the model was given nothing to read")
        expect(len(asked) <= new + 3, "the loop does not stop at max_new_tokens")
        return _favour(follow(asked[-1]))

    given = torch.tensor([prompt])
    text = _row(loop(score_next, given, new, *options), "an answer")
    expect(given.tolist() == [prompt], "input_ids was changed in place: use torch.cat")
    return text, asked


def _loop_hint(case, right, found):
    """Show where a loop first leaves the right way."""
    if isinstance(found, Exception):
        advice = {"'logits'": ALREADY + "no .logits behind it"}
        advice |= {"too many indices": ALREADY + "no [:, -1] behind it"}
        joined = "join (1, seq) and (1, 1): argmax with keepdim=True, no [:, -1] before"
        advice["same number of dim"] = joined
        return next((line for part, line in advice.items() if part in str(found)), None)
    for step, (ids, wanted) in enumerate(zip(found[1], right[1], strict=False)):
        if ids != wanted:
            before = ": what stands before is missing"
            before = before if ids == wanted[-len(ids) :] else ""
            more = ": that is too much" if ids[-len(wanted) :] == wanted else ""
            said = f"step {step}: the model was given {ids}, expected {wanted}"
            return said + before + more
    if len(found[1]) != len(right[1]):
        return f"the model was asked {len(found[1])} times, not {len(right[1])}"
    return f"expected the text {right[0]}, got {found[0]}"


def _any_form(value, expected):
    return None


def _never(*_):
    return False


def _loop(
    score_next,
    prompt,
    new,
    eos=None,
    *,
    view=lambda ids, prompt, eos: ids,
    pick=lambda logits: logits.argmax(dim=-1, keepdim=True),
    ends=lambda ids, token, eos: token.item() == eos,
    begins=lambda ids, eos: True,
    keep_eos=True,
    more=0,
    cut=lambda ids, prompt, eos: ids,
):
    """Write greedily; each option can be a mistake."""
    ids = prompt
    for _ in range(new + more):
        if not begins(ids, eos):
            break
        token = pick(score_next(view(ids, prompt, eos)))
        if not keep_eos and token.item() == eos:
            break
        ids = torch.cat([ids, token], dim=1)
        if ends(ids, token, eos):
            break
    return cut(ids, prompt, eos)


def _slips(loop) -> dict:
    """Return the mistakes that any loop can have."""
    return {
        "the prompt is missing: return prompt and new tokens": partial(
            loop, cut=lambda ids, prompt, eos: ids[:, prompt.shape[1] :]
        ),
        "one token too many was written": partial(loop, more=1),
        "one token too few was written": partial(loop, more=-1),
        "the loop does not stop at max_new_tokens": partial(loop, more=99),
        "greedy takes the largest logit, not the smallest": partial(
            loop, pick=lambda logits: logits.argmin(dim=-1, keepdim=True)
        ),
        "a token was drawn: greedy takes the one with the largest logit": partial(
            loop, pick=lambda logits: logits.softmax(dim=-1).multinomial(1)
        ),
    }


def _watch_write(write, prompt, script, new):
    text = prompt + script

    def follow(ids):
        ahead = len(ids) < len(text) and ids == text[: len(ids)]
        return text[len(ids)] if ahead else _follow(ids)

    return _watch(write, prompt, follow, new, EOS)


def _cut_behind(ids, prompt, eos):
    new = ids[0, prompt.shape[1] :].tolist()
    return ids[:, : prompt.shape[1] + [*new, eos].index(eos) + 1]


def _once_more(score_next, prompt, new, eos):
    ids = _loop(score_next, prompt, new, eos)
    score_next(ids)
    return ids


day04_write = exercise(
    "day04_write",
    "write(score_next, input_ids, max_new_tokens, eos_token_id): greedy, with ends.",
    cases=[
        ([EOS, 4, 1], [7, 12, 3, 0, 8, 2], 5),  # a prompt that begins as documents do
        ([5, 2], [9, 1, EOS, 6, 4, 4], 6),
        ([6], [EOS, 3], 4),
        ([2, 2, 8], [1, 7], 1),
        ([EOS], [4, 7, 2], 3),  # a prompt that is an end token only
        ([3, EOS, 4], [1, 7, 9], 2),
    ],
    call=_watch_write,
    form=_any_form,
    hint=_loop_hint,
    right=_loop,
    wrong=_slips(_loop)
    | {
        "the same text was read twice: append the token chosen": partial(
            _loop, view=lambda ids, prompt, eos: prompt
        ),
        "only the last token was read: this model has no cache, give it all": partial(
            _loop, view=lambda ids, prompt, eos: ids[:, -1:]
        ),
        "after the prompt only the last token was read: this model has no "
        "cache": partial(
            _loop, view=lambda ids, p, _: ids if ids is p else ids[:, -1:]
        ),
        "the text goes on behind the end token: leave the loop there": partial(
            _loop, ends=_never
        ),
        "stop at the end token, do not write on and cut afterwards": partial(
            _loop, ends=_never, cut=_cut_behind
        ),
        "the end token belongs to the answer: append it, then stop": partial(
            _loop, keep_eos=False
        ),
        "stopped at an end token of the prompt: look at the new token only": partial(
            _loop, ends=lambda ids, token, eos: eos in ids[0].tolist()
        ),
        "a prompt that ends with the end token is written on: look at the new "
        "token": partial(_loop, begins=lambda ids, eos: ids[0, -1] != eos),
        "a prompt with an end token is written on: look at the new token": partial(
            _loop, begins=lambda ids, eos: eos not in ids[0].tolist()
        ),
        "max_new_tokens counts new tokens: the prompt does not "
        "count": lambda f, ids, new, eos: _loop(f, ids, new - ids.shape[1], eos),
        "the model was asked once more than there are new tokens": _once_more,
    },
)


def _left_pad(rows, pad, *, right=False, first=0, columns=False, low=0, mask=None):
    """Pad rows, and count their own tokens; each option can be a mistake."""
    longest = max(map(len, rows))
    padded = []
    for row in rows:
        gap, n = longest - len(row), len(row)
        parts = [pad] * gap, row, [0] * gap, [1] * n, [low] * gap
        ids, ones, places = parts[:2], parts[2:4], (parts[4], range(first, n + first))
        order = slice(None, None, -1 if right else 1)
        padded.append([[*a, *b] for a, b in (t[order] for t in (ids, ones, places))])
    ids, ones, places = map(torch.tensor, zip(*padded, strict=True))
    places = torch.arange(longest).expand_as(ids) if columns else places
    return ids, ones if mask is None else mask(ids, ones, pad), places


def _exchanged(rows, pad):
    ids, mask, places = _left_pad(rows, pad)
    return ids, places, mask


def _same_padding(found, right):
    (ids, mask, places), own = map(torch.as_tensor, found), right[1].bool()
    low, high = (places < 0).any(), (places >= ids.shape[1]).any()  # no such row
    beyond = (right[2] < 0).any(), (right[2] >= ids.shape[1]).any()
    pairs = (ids, right[0]), (mask, right[1]), (places[own], right[2][own])
    return (low, high) == beyond and all(same(*pair) for pair in pairs)


UPSIDE_DOWN = "the mask is upside down: 1 for tokens, 0 for pads"
COMPARED = "a token was masked because its id is the pad's: count, do not compare"


def _pad_hint(case, right, found):
    ids, mask, places = found
    if same(mask, 1 - right[1]):
        return UPSIDE_DOWN
    if same(mask, (ids != case[1]).long()) and not same(mask, right[1]):
        return COMPARED
    if places.max() >= ids.shape[1]:
        return f"a pad has position {places.max()}, beyond the {ids.shape[1]} columns"
    return None


day04_left_pad = exercise(
    "day04_left_pad",
    "left_pad(rows, pad_token_id): input_ids, attention_mask and position_ids.",
    cases=[
        ([[EOS, 4, 1], [EOS, 7], [EOS, 2, 3, 5, 6]], EOS),
        ([[3, 4], [5, 6]], 0),
        ([[8, 0, 9]], 0),
        ([[2, 9, 4], [7]], 9),
    ],
    same=_same_padding,
    hint=_pad_hint,
    right=_left_pad,
    wrong={
        "the pads are on the right: the last column must be each text's last "
        "token": partial(_left_pad, right=True),
        UPSIDE_DOWN: partial(_left_pad, mask=lambda ids, ones, pad: 1 - ones),
        COMPARED: partial(_left_pad, mask=lambda ids, ones, pad: (ids != pad).long()),
        "nothing is masked: 0 for pads": partial(
            _left_pad, mask=lambda ids, ones, pad: torch.ones_like(ids)
        ),
        "the pads are pad_token_id, not always 0": lambda rows, pad: _left_pad(rows, 0),
        "these are columns: the first token of each text has position 0": partial(
            _left_pad, columns=True
        ),
        "positions begin at 0, not at 1: cumsum counts the token itself": partial(
            _left_pad, first=1
        ),
        "a pad has position -1, and there is no such row: clamp(min=0)": partial(
            _left_pad, low=-1
        ),
        "the order is input_ids, attention_mask, position_ids": _exchanged,
    },
)


class _Memory:
    """A made-up cache: the tokens themselves."""

    def __init__(self, ids: list[int]):
        self.ids = ids

    @property
    def length(self) -> int:
        """How many tokens it holds."""
        return len(self.ids)


def _watch_write_on(write_on, prompt, held, new):
    cache = _Memory(prompt[:held])

    def watched(score_next, input_ids, new):
        def read(unread, given):
            expect(given is cache, "read with the cache that you were given")
            cache.ids = cache.ids + _row(unread, "what the model reads")
            score_next(unread)
            return _favour(_follow(cache.ids))

        return write_on(read, cache, input_ids, new)

    return _watch(watched, prompt, _follow, new)


def _write_on(read, cache, prompt, new, *, view=None, pieces=None, **options):
    """Write with a cache; view(ids, prompt, cache) can be a mistake."""
    view = view or (lambda ids, prompt, cache: ids[:, cache.length :])

    def score_next(unread):
        parts = pieces(unread) if pieces else [unread]
        return [read(part, cache) for part in parts if part.numel()][-1]

    options["view"] = lambda ids, prompt, eos: view(ids, prompt, cache)
    return _loop(score_next, prompt, new, **options)


def _start_once(read, cache, prompt, new):
    start = cache.length
    return _write_on(read, cache, prompt, new, view=lambda ids, *_: ids[:, start:])


def _last_in_vain(read, cache, prompt, new):
    return _write_on(read, cache, prompt, new + 1)[:, :-1]


day04_write_on = exercise(
    "day04_write_on",
    "write_on(read, cache, input_ids, new): greedy, no token read twice.",
    cases=[([EOS, 4, 1], 0, 5), ([5, 2, 7, 7, 3], 3, 4), ([8, 3], 1, 2), ([6], 0, 1)],
    call=_watch_write_on,
    form=_any_form,
    hint=_loop_hint,
    right=_write_on,
    wrong=_slips(_write_on)
    | {
        "the whole text was read at every step: the cache holds what was read": partial(
            _write_on, view=lambda ids, prompt, cache: ids
        ),
        "the whole prompt was read, but the cache may hold its beginning: start at "
        "cache.length": partial(
            _write_on, view=lambda ids, p, cache: ids if ids is p else ids[:, -1:]
        ),
        "cache.length grows with each step: look it up in the loop": _start_once,
        "only the last token was read, and the cache does not hold what is before "
        "it": partial(_write_on, view=lambda ids, prompt, cache: ids[:, -1:]),
        "if the cache holds something, the rest of the prompt is still unread": partial(
            _write_on, view=lambda x, p, c: x[:, -1:] if c.length else x
        ),
        "the prompt was read again at every step: give it the token just "
        "chosen": partial(_write_on, view=lambda ids, prompt, cache: prompt),
        "the prompt was read in pieces: one call reads all that is unread": partial(
            _write_on, pieces=lambda unread: unread.split(1, dim=1)
        ),
        "the prompt was read in two pieces: one call reads all that is unread": partial(
            _write_on, pieces=lambda unread: (unread[:, :-1], unread[:, -1:])
        ),
        "read once too often: nobody asks what follows the last new "
        "token": _last_in_vain,
    },
)


def _slide(score_next, prompt, new, context, *, view=None, **options):
    """Write through a window: view(ids, context) can be a mistake."""
    view = view or (lambda ids, context: ids[:, -context:])
    options = {"ends": _never} | options
    options["view"] = lambda ids, prompt, context: view(ids, context)
    return _loop(score_next, prompt, new, context, **options)


def _text_cut(score_next, ids, new, context):
    for _ in range(new):
        ids = _slide(score_next, ids[:, -context:], 1, context)
    return ids


def _first_kept(ids, context):
    ends = torch.cat([ids[:, :1], ids[:, 1 - context :]], dim=1)
    return ends if ids.shape[1] > context else ids


def _window_stays(score_next, prompt, new, context):
    start = max(0, prompt.shape[1] - context)
    view = partial(_slide, view=lambda ids, _: ids[:, start : start + context])
    return view(score_next, prompt, new, context)


day04_slide = exercise(
    "day04_slide",
    "slide(score_next, input_ids, max_new_tokens, context): past the context.",
    cases=[
        ([5, 1, 8], 9, 4),
        ([3, 0, 7, 7, 2, 9, 4], 3, 5),  # a prompt that is too long itself
        ([6, 2], 3, 8),
    ],
    call=lambda slide, prompt, new, context: _watch(
        slide, prompt, _follow, new, context
    ),
    form=_any_form,
    hint=_loop_hint,
    right=_slide,
    wrong=_slips(_slide)
    | {
        "more was read than fits into the context: keep the last tokens": partial(
            _slide, view=lambda ids, context: ids
        ),
        "one more was read than fits into the context": partial(
            _slide, view=lambda ids, context: ids[:, -context - 1 :]
        ),
        "the model reads the beginning again and again: keep the last tokens": partial(
            _slide, view=lambda ids, context: ids[:, :context]
        ),
        "one token fewer than fits: the new token needs no room before it is "
        "read": partial(_slide, view=lambda ids, context: ids[:, 1 - context :]),
        "only the last token was read: `context` of them fit": partial(
            _slide, view=lambda ids, context: ids[:, -1:]
        ),
        "the first token was kept in view: the last `context` tokens are asked "
        "for": partial(_slide, view=_first_kept),
        "the window's beginning was worked out once: it slides with each "
        "token": _window_stays,
        "the text itself was cut: only what the model reads slides": _text_cut,
        "a long prompt was cut: only what the model reads "
        "slides": lambda f, ids, new, n: _slide(f, ids[:, -n:], new, n),
        "the text stops where the context is full: it is to go on": partial(
            _slide, begins=lambda ids, context: ids.shape[1] < context
        ),
    },
)
