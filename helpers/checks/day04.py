"""Checks for day 4: the loop, left padding, a loop with a cache, a window.

The model is made up. Of a loop it is compared what it returns and what it lets the
model read, step by step: so right and wrong functions need no real model.
"""

from functools import partial

import torch

from helpers.checks.common import exercise, expect
from helpers.checks.values import kind, same

__all__ = ["day04_left_pad", "day04_slide", "day04_write", "day04_write_on"]
EOS = 11
LOGITS = "returns the logits of the next token, (1, vocab), already"


def _row(ids, what: str) -> list[int]:
    """Return the ids of a (1, seq) tensor as a list."""
    missing = ": is a return missing?" if ids is None else ""
    is_row = isinstance(ids, torch.Tensor) and ids.dim() == 2 and len(ids) == 1
    expect(is_row, f"expected {what} (1, seq), got {kind(ids)}{missing}")
    whole = not ids.is_floating_point() and ids.dtype != torch.bool
    expect(whole, f"expected {what} of whole numbers, got {ids.dtype}")
    return ids[0].tolist()


def _favour(token: int) -> torch.Tensor:
    """Return (1, vocab) logits with one largest, by little, and all of them below 0."""
    logits = torch.full((1, EOS + 1), -2.0)
    logits[0, token] = -1.0
    return logits


def _follow(ids: list[int]) -> int:
    """Return the token that the made-up model thinks likeliest after these."""
    return sum((place + 1) * token for place, token in enumerate(ids, 1)) % 10


def _watch(loop, prompt: list[int], follow, new: int, *options) -> tuple[list, list]:
    """Run a loop; return the text, and what the model was asked."""
    asked = []

    def score_next(input_ids):
        asked.append(_row(input_ids, "what the model reads"))
        expect(asked[-1], "the model was given nothing to read")
        expect(len(asked) <= new + 3, "the loop does not stop at max_new_tokens")
        return _favour(follow(asked[-1]))

    given = torch.tensor([prompt])
    text = _row(loop(score_next, given, new, *options), "an answer")
    expect(given.tolist() == [prompt], "input_ids was changed in place: use torch.cat")
    return text, asked


def _cut(score_next, error):
    """Explain what becomes of logits that are cut again."""
    lines = {
        "'logits'": f"{score_next} {LOGITS}: no .logits behind it",
        "too many indices": f"{score_next} {LOGITS}: no [:, -1] behind it",
        "same number of dimensions": "torch.cat joins (1, seq) and (1, 1): argmax with "
        f"keepdim=True, and no [:, -1] as {score_next} {LOGITS}",
    }
    return next((line for part, line in lines.items() if part in str(error)), None)


def _loop_hint(case, right, found):
    """Show where a loop first leaves the right way."""
    if isinstance(found, BaseException):
        line = _cut("score_next", found)
        return line and f"{line} (torch says: {found})"
    text, asked = found
    for step, (ids, wanted) in enumerate(zip(asked, right[1], strict=False)):
        said = f"step {step}: the model was given {ids}, expected {wanted}"
        if ids != wanted and ids == wanted[-len(ids) :]:
            return f"{said}: what stands before is missing"
        if ids != wanted and ids[-len(wanted) :] == wanted:
            return f"{said}: that is too much"
        if ids != wanted:
            return said
    if len(asked) != len(right[1]):
        return f"the model was asked {len(asked)} times, expected {len(right[1])}"
    return f"expected the text {right[0]}, got {text}"


def _newest(logits):
    return logits.argmax(dim=-1, keepdim=True)


def _all(ids, *_):
    return ids


def _loop(
    score_next,
    input_ids,
    new,
    eos=None,
    *,
    view=_all,
    pick=_newest,
    ends=lambda ids, token, eos: token.item() == eos,
    more=lambda prompt, eos: 0,
    begins=lambda prompt, eos: True,
    keep_eos=True,
    last_look=False,
    cut=lambda ids, prompt, eos: ids,
):
    """Write greedily; each option can be a mistake."""
    ids = input_ids
    for _ in range(new + more(input_ids, eos)):
        if not begins(ids, eos):
            break
        token = pick(score_next(view(ids, input_ids, eos)))
        if not keep_eos and token.item() == eos:
            break
        ids = torch.cat([ids, token], dim=1)
        if ends(ids, token, eos):
            break
    if last_look and ids.shape[1] > input_ids.shape[1]:
        score_next(ids)
    return cut(ids, input_ids, eos)


def _watch_write(write, prompt, script, most):
    text = prompt + script

    def follow(ids):
        ahead = len(ids) < len(text) and ids == text[: len(ids)]
        return text[len(ids)] if ahead else _follow(ids)

    return _watch(write, prompt, follow, most, EOS)


def _cut_behind(ids, prompt, eos):
    """Cut behind the first end token that is not the prompt's first."""
    places = [i for i, token in enumerate(ids[0].tolist()) if i and token == eos]
    return ids[:, : places[0] + 1] if places else ids


def _never(*_):
    return False


day04_write = exercise(
    "day04_write",
    "write(score_next, input_ids, max_new_tokens, eos_token_id): greedy, with ends.",
    cases=[
        ([EOS, 4, 1], [7, 3, 3, 0, 8, 2], 5),  # a prompt that begins as documents do
        ([5, 2], [9, 1, EOS, 6, 4, 4], 6),
        ([6], [EOS, 3], 4),
        ([2, 2, 8], [1, 7], 1),
        ([EOS], [4, 7, 2], 3),  # a prompt that is an end token only
        ([3, EOS, 4], [1, 7, 9], 2),
    ],
    call=_watch_write,
    hint=_loop_hint,
    right=_loop,
    wrong={
        "the same text was read twice: append the token chosen": partial(
            _loop, view=lambda ids, prompt, eos: prompt
        ),
        "only the last token was read: this model has no cache, so give it "
        "all": partial(_loop, view=lambda ids, prompt, eos: ids[:, -1:]),
        "after the prompt only the last token was read: this model has no cache, so "
        "give it all": partial(
            _loop, view=lambda ids, prompt, eos: ids if ids is prompt else ids[:, -1:]
        ),
        "only the new tokens were read: the prompt belongs to the text": partial(
            _loop,
            view=lambda ids, prompt, eos: (
                ids if ids is prompt else ids[:, prompt.shape[1] :]
            ),
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
        "max_new_tokens counts new tokens: the prompt does not count": partial(
            _loop, more=lambda prompt, eos: -prompt.shape[1]
        ),
        "one token too many: max_new_tokens are asked for": partial(
            _loop, more=lambda prompt, eos: 1
        ),
        "one token too few: max_new_tokens are asked for": partial(
            _loop, more=lambda prompt, eos: -1
        ),
        "the loop does not stop at max_new_tokens": partial(
            _loop, more=lambda prompt, eos: 99
        ),
        "the prompt is missing: return prompt and new tokens": (
            partial(_loop, cut=lambda ids, prompt, eos: ids[:, prompt.shape[1] :])
        ),
        "the model was asked once more than there are new tokens": partial(
            _loop, last_look=True
        ),
        "greedy takes the largest logit, not the smallest": partial(
            _loop, pick=lambda z: z.argmin(dim=-1, keepdim=True)
        ),
        "a token was drawn: greedy takes the one with the largest logit": partial(
            _loop, pick=lambda z: z.softmax(dim=-1).multinomial(1)
        ),
    },
)


def left_pad(
    rows: list,
    pad_token_id: int,
    *,
    right: bool = False,
    first: int = 0,
    columns: bool = False,
    low: int = 0,
) -> tuple:
    """Pad rows, and count their own tokens, one by one; low: the position of pads."""
    longest = max(map(len, rows))
    padded = []
    for row in rows:
        gap, n = [pad_token_id] * (longest - len(row)), len(row)
        places = list(range(first, n + first))
        parts = [gap, row], [[0] * len(gap), [1] * n], [[low] * len(gap), places]
        padded.append([sum(part[::-1] if right else part, []) for part in parts])
    ids, mask, positions = map(torch.tensor, zip(*padded, strict=True))
    return ids, mask, torch.arange(longest).expand_as(ids) if columns else positions


def _remasked(change):
    """Return a padding with another mask: change(ids, mask, pad)."""

    def pad(rows, pad_token_id):
        ids, mask, positions = left_pad(rows, pad_token_id)
        return ids, change(ids, mask, pad_token_id), positions

    return pad


def _same_padding(found, right) -> bool:
    ids, mask, positions = (torch.as_tensor(part) for part in found)
    own, ends = right[1].bool(), (0, ids.shape[1])  # pads may have any that exists
    outside = (positions < ends[0]).any(), (positions >= ends[1]).any()
    beyond = (right[2] < ends[0]).any(), (right[2] >= ends[1]).any()
    pairs = (ids, right[0]), (mask, right[1]), (positions[own], right[2][own])
    return outside == beyond and all(same(*pair) for pair in pairs)


def _pad_hint(case, right, found):
    longest = right[0].shape[1]
    if isinstance(found, tuple) and same(found[1], 1 - right[1]):
        return "the mask is upside down: 1 for tokens, 0 for pads"
    if isinstance(found, tuple) and found[2].max() >= longest:
        return f"a pad has position {found[2].max()}, beyond the {longest} columns"
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
    right=left_pad,
    wrong={
        "the pads are on the right: the last column must be each text's last "
        "token": partial(left_pad, right=True),
        "the mask is upside down: 1 for tokens, 0 for pads": _remasked(
            lambda ids, mask, pad: 1 - mask
        ),
        "a token was masked because its id is the pad's: count, do not "
        "compare": _remasked(lambda ids, mask, pad: (ids != pad).long()),
        "nothing is masked: 0 for pads": _remasked(lambda ids, mask, pad: mask * 0 + 1),
        "the pads are pad_token_id, not always 0": lambda rows, pad: left_pad(rows, 0),
        "these are columns: the first token of each text has position 0": partial(
            left_pad, columns=True
        ),
        "positions begin at 0, not at 1: cumsum counts the token itself": partial(
            left_pad, first=1
        ),
        "a pad has position -1, and there is no such row: clamp(min=0)": partial(
            left_pad, low=-1
        ),
        "positions stand where the mask should be: ids, mask, "
        "positions": lambda rows, pad: tuple(left_pad(rows, pad)[i] for i in (0, 2, 1)),
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


def _write_on(read, cache, input_ids, new, *, view=None, pieces=None, **options):
    """Write with a cache; view(ids, prompt, cache) can be a mistake."""
    view = view or (lambda ids, prompt, cache: ids[:, cache.length :])

    def score_next(unread):
        parts = pieces(unread) if pieces else [unread]
        return [read(part, cache) for part in parts if part.numel()][-1]

    seen = partial(_loop, view=lambda ids, prompt, eos: view(ids, prompt, cache))
    return seen(score_next, input_ids, new, **options)


def _whole_then_last(ids, prompt, cache):
    return ids if ids is prompt else ids[:, -1:]


def _start_once(read, cache, input_ids, new):
    start = cache.length
    return _write_on(read, cache, input_ids, new, view=lambda ids, *_: ids[:, start:])


day04_write_on = exercise(
    "day04_write_on",
    "write_on(read, cache, input_ids, new): greedy, no token read twice.",
    cases=[
        ([EOS, 4, 1], 0, 5),
        ([5, 2, 7, 7, 3], 3, 4),
        ([8, 3], 1, 2),
        ([6], 0, 1),
    ],
    call=_watch_write_on,
    hint=_loop_hint,
    right=_write_on,
    wrong={
        "the whole text was read at every step: the cache holds what was read": partial(
            _write_on, view=_all
        ),
        "the whole prompt was read, but the cache may hold its beginning: start at "
        "cache.length": partial(_write_on, view=_whole_then_last),
        "cache.length grows with each step: look it up in the loop": _start_once,
        "only the last token was read, and the cache does not hold what is before "
        "it": partial(_write_on, view=lambda ids, *_: ids[:, -1:]),
        "if the cache holds something, the rest of the prompt is still unread": partial(
            _write_on,
            view=lambda ids, prompt, cache: ids[:, -1:] if cache.length else ids,
        ),
        "the prompt was read again at every step: give it the token just "
        "chosen": partial(_write_on, view=lambda ids, prompt, cache: prompt),
        "the prompt was read in pieces: one call reads all that is unread": partial(
            _write_on, pieces=lambda unread: unread.split(1, dim=1)
        ),
        "the prompt was read in two pieces: one call reads all that is unread": partial(
            _write_on, pieces=lambda unread: (unread[:, :-1], unread[:, -1:])
        ),
        "read once too often: nobody asks what follows the last new token": (
            lambda read, cache, ids, new: _write_on(
                read, cache, ids, new + 1, cut=lambda ids, *_: ids[:, :-1]
            )
        ),
        "one token too many: `new` are asked for": partial(
            _write_on, more=lambda prompt, eos: 1
        ),
        "one token too few: `new` are asked for": partial(
            _write_on, more=lambda prompt, eos: -1
        ),
        "the prompt is missing: return prompt and new tokens": (
            partial(_write_on, cut=lambda ids, prompt, eos: ids[:, prompt.shape[1] :])
        ),
        "greedy takes the largest logit, not the smallest": partial(
            _write_on, pick=lambda z: z.argmin(dim=-1, keepdim=True)
        ),
    },
)


def _watch_slide(slide, prompt, new, context):
    return _watch(slide, prompt, _follow, new, context)


def _slide(score_next, input_ids, new, context, *, view=None, **options):
    """Write through a window: view(ids, context) can be a mistake."""
    view = view or (lambda ids, context: ids[:, -context:])
    window = partial(_loop, view=lambda ids, prompt, context: view(ids, context))
    options = {"ends": _never} | options
    return window(score_next, input_ids, new, context, **options)


def _text_cut(score_next, ids, new, context):
    for _ in range(new):
        ids = ids[:, -context:]
        ids = torch.cat([ids, _newest(score_next(ids))], dim=1)
    return ids


def _half(ids, context):
    over = ids.shape[1] - context
    return ids[:, -(-over // (context // 2)) * (context // 2) :] if over > 0 else ids


day04_slide = exercise(
    "day04_slide",
    "slide(score_next, input_ids, max_new_tokens, context): past the context.",
    cases=[
        ([5, 1, 8], 9, 4),
        ([3, 0, 7, 7, 2, 9, 4], 3, 5),  # a prompt that is too long itself
        ([6, 2], 3, 8),
    ],
    call=_watch_slide,
    hint=_loop_hint,
    right=_slide,
    wrong={
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
        "read": partial(_slide, view=lambda ids, context: ids[:, -(context - 1) :]),
        "only the last token was read: `context` of them fit": partial(
            _slide, view=lambda ids, context: ids[:, -1:]
        ),
        "half of the window was forgotten at once: forget no more than one "
        "token": partial(_slide, view=_half),
        "the first token was kept in view: the last `context` tokens are asked for": (
            partial(
                _slide,
                view=lambda ids, context: (
                    torch.cat([ids[:, :1], ids[:, 1 - context :]], dim=1)
                    if ids.shape[1] > context
                    else ids
                ),
            )
        ),
        "the window's beginning was worked out once: it slides with each token": (
            lambda score_next, ids, new, context: _slide(
                score_next,
                ids,
                new,
                context,
                view=lambda now, _: now[:, max(0, ids.shape[1] - context) :][
                    :, :context
                ],
            )
        ),
        "the text itself was cut: only what the model reads slides": _text_cut,
        "a long prompt was cut: only what the model reads slides": (
            lambda score_next, ids, new, context: _slide(
                score_next, ids[:, -context:], new, context
            )
        ),
        "the text stops where the context is full: it is to go on": partial(
            _slide, begins=lambda ids, context: ids.shape[1] < context
        ),
        "one token too many: max_new_tokens are asked for": partial(
            _slide, more=lambda prompt, eos: 1
        ),
        "one token too few: max_new_tokens are asked for": partial(
            _slide, more=lambda prompt, eos: -1
        ),
        "the prompt is missing: return prompt and new tokens": (
            partial(_slide, cut=lambda ids, prompt, eos: ids[:, prompt.shape[1] :])
        ),
        "greedy takes the largest logit, not the smallest": partial(
            _slide, pick=lambda z: z.argmin(dim=-1, keepdim=True)
        ),
    },
)
