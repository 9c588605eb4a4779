"""Checks for day 4: the loop, left padding, the cache's size, a sliding window."""

import torch
from transformers import GPT2Config

from helpers.checks.common import exercise, expect

__all__ = [
    "day04_cache_bytes",
    "day04_left_pad",
    "day04_slide",
    "day04_write",
]
VOCAB, EOS = 12, 11


@exercise
def day04_write(write) -> None:
    """write(next_logits, input_ids, max_new_tokens, eos_token_id): greedy, with ends.

    ``next_logits`` reads (1, seq) ids and returns (1, vocab) logits.
    """
    cases = (
        ([EOS, 4, 1], [7, 3, 3, 0, 8, 2], 5),  # a prompt that begins as documents do
        ([5, 2], [9, 1, EOS, 6, 4, 4], 6),
        ([6], [EOS, 3], 4),
        ([2, 2, 8], [1, 7], 1),
    )
    for prompt, script, most in cases:
        _check_written(write, prompt, script, most)


def _check_written(write, prompt: list[int], script: list[int], most: int) -> None:
    wanted = prompt + script[:most]
    if EOS in script[:most]:
        wanted = prompt + script[: script.index(EOS) + 1]
    asked = []

    def next_logits(input_ids):
        ids = _row(input_ids, "the model was given")
        _check_question(ids, asked, prompt, script)
        asked.append(ids)
        return _favour((prompt + script)[len(ids)])

    given = torch.tensor([prompt])
    found = _row(write(next_logits, given, most, EOS), "the answer is")
    expect(given.tolist() == [prompt], "input_ids was changed in place: use torch.cat")
    new = wanted[len(prompt) :]
    expect(found != new, "the prompt is missing: return prompt and new tokens")
    if len(found) < len(wanted):
        cut = "the end token belongs to the answer: append it, then stop"
        expect(found != wanted[:-1] or wanted[-1] != EOS, cut)
        old = "stopped at the end token of the prompt: look at the new token only"
        expect(EOS not in prompt or len(found) > len(prompt) + 1, old)
        counted = f"{most} new tokens were asked for, and the prompt does not count"
        raise AssertionError(f"too short, {len(found) - len(prompt)} new: {counted}")
    went_on = f"{most} new tokens were asked for, {len(found) - len(prompt)} came"
    if EOS in new:
        went_on = "the text goes on behind the end token: leave the loop there"
    expect(len(found) == len(wanted), went_on)
    likeliest = f"expected {wanted}, got {found}: append the token of the largest logit"
    expect(found == wanted, likeliest)
    surplus = "the model was asked once more than there are new tokens"
    expect(len(asked) == len(new), surplus)


def _check_question(ids, asked, prompt, script) -> None:
    """Raise AssertionError, with its likely cause, for a text not to be asked about."""
    expect(ids not in asked, "the same text was read twice: append the token chosen")
    last = "only the last token was read: this model has no cache, so give it all"
    expect(len(ids) > 1 or len(prompt) == 1 and not asked, last)
    new = ids[len(prompt) :]
    expect(ids[: len(prompt)] == prompt, f"the model was given {ids}: no prompt in it")
    expect(EOS not in new, "the text goes on behind the end token: leave the loop")
    expect(len(new) < len(script), "the loop does not stop at max_new_tokens")
    likeliest = f"the model was given {ids}, but {script[: len(new)]} were likeliest"
    expect(new == script[: len(new)], likeliest)


@exercise
def day04_left_pad(left_pad) -> None:
    """left_pad(rows, pad_token_id): input_ids, attention_mask and position_ids."""
    _check_padded(left_pad, [[EOS, 4, 1], [EOS, 7], [EOS, 2, 3, 5, 6]], EOS)
    _check_padded(left_pad, [[3, 4], [5, 6]], 0)
    _check_padded(left_pad, [[8, 0, 9]], 0)


def _check_padded(left_pad, rows: list[list[int]], pad: int) -> None:
    given = [list(row) for row in rows]
    answer = left_pad(given, pad)
    expect(given == rows, "the rows were changed in place: make new lists")
    three = "return three tensors: input_ids, attention_mask, position_ids"
    expect(isinstance(answer, tuple | list) and len(answer) == 3, three)
    longest = max(map(len, rows))
    shape = (len(rows), longest)
    ids, mask, positions = (
        _integers(tensor, shape, name)
        for tensor, name in zip(answer, three[22:].split(", "), strict=True)
    )
    gaps = [longest - len(row) for row in rows]
    fills = [[pad] * gap for gap in gaps]
    wanted = [fill + row for fill, row in zip(fills, rows, strict=True)]
    right = [row + fill for fill, row in zip(fills, rows, strict=True)]
    side = "the pads are on the right: the last column must be each text's last token"
    expect(ids == wanted or ids != right, side)
    expect(ids == wanted, f"expected input_ids {wanted}, got {ids}")
    real = [[0] * gap + [1] * (longest - gap) for gap in gaps]
    inverted = "the mask is upside down: 1 for tokens, 0 for pads"
    expect(mask == real or mask != [[1 - one for one in row] for row in real], inverted)
    compared = [[int(token != pad) for token in row] for row in ids]
    same = "a token was masked because its id is the pad's: count, do not compare"
    expect(mask == real or mask != compared, same)
    expect(mask == real, f"expected attention_mask {real}, got {mask}")
    for row, gap in zip(positions, gaps, strict=True):
        own = row[gap:]
        columns = "these are columns: the first token of each text has position 0"
        expect(not gap or own != list(range(gap, longest)), columns)
        one = "positions begin at 0, not at 1: cumsum counts the token itself"
        expect(own != list(range(1, len(own) + 1)), one)
        counted = list(range(len(own)))
        expect(own == counted, f"expected positions {counted} behind pads, got {own}")
        low = "a pad has position -1, and there is no such row: clamp(min=0)"
        expect(min(row) >= 0, low)
        high = f"a pad has position {max(row)}, beyond the batch's {longest} columns"
        expect(max(row) < longest, high)


@exercise
def day04_cache_bytes(cache_bytes) -> None:
    """cache_bytes(config, tokens, batch, bytes_per_number): all keys and values."""
    odd = GPT2Config(n_layer=5, n_head=3, n_embd=21, n_positions=64)
    for config, tokens, batch, width in (
        (odd, 13, 11, 4),
        (odd, 13, 11, 2),
        (GPT2Config(), 1, 1, 4),
    ):
        _check_bytes(cache_bytes, config, tokens, batch, width)


def _check_bytes(cache_bytes, config, tokens: int, batch: int, width: int) -> None:
    layers, heads, d_model = config.n_layer, config.n_head, config.n_embd
    wanted = 0
    for _layer in range(layers):
        for _kind in ("keys", "values"):
            wanted += batch * heads * tokens * (d_model // heads) * width
    found = cache_bytes(config, tokens, batch, width)
    expect(found is not None, "the function returns None: return a number of bytes")
    wrong = {
        "half of it: keys and values are both kept": wanted / 2,
        "the heads share d_model, they do not multiply it": wanted * heads,
        "this is one head: all heads together have d_model numbers": wanted / heads,
        "one layer: every layer has keys and values of its own": wanted / layers,
        "the whole context was counted, and only so many tokens were read": (
            wanted / tokens * config.n_positions
        ),
        "the cache grows linearly: no square of the number of tokens": wanted * tokens,
        "this is one text: each row of the batch has its own cache": wanted / batch,
        "these are numbers, not bytes: multiply by bytes_per_number": wanted / width,
        "every number was taken for 4 bytes: use bytes_per_number": wanted / width * 4,
        "these are bits: a byte is asked for": wanted * 8,
        "this is in KiB: return bytes": wanted / 1024,
        "these are weights' sizes (d_model twice): keys have d_model numbers": (
            wanted * d_model
        ),
    }
    for message, value in wrong.items():
        expect(found == wanted or found != value, message)
    expect(found == wanted, f"expected {wanted} bytes, got {found}")


@exercise
def day04_slide(slide) -> None:
    """slide(next_logits, input_ids, max_new_tokens, context): past the context."""
    _check_slid(slide, [5, 1, 8], 9, 4)
    _check_slid(slide, [3, 0, 7, 7, 2, 9, 4], 3, 5)  # a prompt that is too long itself
    _check_slid(slide, [6, 2], 3, 8)


def _check_slid(slide, prompt: list[int], new: int, context: int) -> None:
    wanted = list(prompt)
    for _ in range(new):
        wanted.append(_follow(wanted[-context:]))
    views = []

    def next_logits(input_ids):
        ids = _row(input_ids, "the model was given")
        much = f"{len(ids)} tokens were read: the context is {context}"
        expect(len(ids) <= context, much)
        expect(bool(ids), "the model was given nothing to read")
        end = len(prompt) + len(views)
        start = max(0, end - context)
        _check_view(ids, wanted[start:end], wanted[:context])
        views.append(ids)
        expect(len(views) <= new, f"{new} new tokens were asked for: stop there")
        return _favour(_follow(ids))

    found = _row(slide(next_logits, torch.tensor([prompt]), new, context), "got")
    total = len(wanted)
    cut = "the text itself was cut: only what the model reads slides"
    expect(found == wanted or found != wanted[-len(found) :], cut)
    short = f"expected {total} tokens, prompt and {new} new ones, got {len(found)}"
    expect(len(found) == total, short)
    expect(found == wanted, f"expected {wanted}, got {found}")


def _check_view(ids: list[int], view: list[int], beginning: list[int]) -> None:
    if ids == view:
        return
    first = "the model reads the beginning again and again: keep the last tokens"
    expect(ids != beginning, first)
    one = "one token fewer than fits: the new token needs no room before it is read"
    expect(ids != view[1:], one)
    few = f"the model was given {len(ids)} tokens where {len(view)} fit: forget no more"
    expect(len(ids) == len(view), few)
    raise AssertionError(f"the model was given {ids}, expected the last: {view}")


def _follow(ids: list[int]) -> int:
    """Return the token that the made-up model thinks likeliest after these."""
    return sum((place + 1) * token for place, token in enumerate(ids, 1)) % 10


def _favour(token: int) -> torch.Tensor:
    """Return (1, vocab) logits with one largest, by little, and all of them below 0."""
    logits = torch.full((1, VOCAB), -2.0)
    logits[0, token] = -1.0
    return logits


def _row(ids, what: str) -> list[int]:
    """Return the ids of a (1, seq) tensor as a list."""
    expect(ids is not None, "the function returns None: return the ids")
    kind = isinstance(ids, torch.Tensor)
    got = tuple(ids.shape) if kind else type(ids).__name__
    expect(kind and ids.dim() == 2 and len(ids) == 1, f"{what} {got}, not (1, seq)")
    return ids[0].tolist()


def _integers(tensor, shape: tuple[int, int], name: str) -> list[list[int]]:
    kind = isinstance(tensor, torch.Tensor)
    got = tuple(tensor.shape) if kind else type(tensor).__name__
    expect(kind and got == shape, f"expected {name} of shape {shape}, got {got}")
    whole = f"{name} are {tensor.dtype}: the model wants whole numbers, torch.long"
    expect(not tensor.is_floating_point(), whole)
    return tensor.long().tolist()
