"""Checks for day 4: the loop, left padding, a loop with a cache, a window."""

import torch

from helpers.checks.old import exercise, expect

__all__ = [
    "day04_left_pad",
    "day04_slide",
    "day04_write",
    "day04_write_on",
]
VOCAB, EOS = 12, 11


@exercise
def day04_write(write) -> None:
    """write(score_next, input_ids, max_new_tokens, eos_token_id): greedy, with ends.

    ``score_next`` reads (1, seq) ids and returns (1, vocab) logits.
    """
    cases = (
        ([EOS, 4, 1], [7, 3, 3, 0, 8, 2], 5),  # a prompt that begins as documents do
        ([5, 2], [9, 1, EOS, 6, 4, 4], 6),
        ([6], [EOS, 3], 4),
        ([2, 2, 8], [1, 7], 1),
        ([EOS], [4, 7, 2], 3),  # a prompt that is an end token only
    )
    for prompt, script, most in cases:
        _check_written(write, prompt, script, most)


def _check_written(write, prompt: list[int], script: list[int], most: int) -> None:
    wanted = prompt + script[:most]
    if EOS in script[:most]:
        wanted = prompt + script[: script.index(EOS) + 1]
    asked = []

    def score_next(input_ids):
        ids = _row(input_ids, "the model was given")
        _check_question(ids, asked, prompt, script)
        asked.append(ids)
        return _favour((prompt + script)[len(ids)])

    given = torch.tensor([prompt])
    answer = _call("score_next", write, score_next, given, most, EOS)
    found = _row(answer, "the answer is")
    expect(given.tolist() == [prompt], "input_ids was changed in place: use torch.cat")
    new = wanted[len(prompt) :]
    _check_prompt(found, wanted, prompt)
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
def day04_write_on(write_on) -> None:
    """write_on(read, cache, input_ids, new): greedy, no token read twice.

    ``read(unread, cache)`` reads (1, seq) ids, adds them to the cache and returns
    (1, vocab) logits; ``cache.length`` is how many tokens the cache holds.
    """
    _check_remembered(write_on, [EOS, 4, 1], held=0, new=5)
    _check_remembered(write_on, [5, 2, 7, 7, 3], held=3, new=4)
    _check_remembered(write_on, [8, 3], held=1, new=2)
    _check_remembered(write_on, [6], held=0, new=1)


class _Memory:
    """A made-up cache: the tokens themselves."""

    def __init__(self, ids: list[int]):
        self.ids = ids

    @property
    def length(self) -> int:
        return len(self.ids)


def _check_remembered(write_on, prompt: list[int], *, held: int, new: int) -> None:
    wanted = list(prompt)
    for _ in range(new):
        wanted.append(_follow(wanted))
    cache, calls = _Memory(prompt[:held]), []

    def read(unread, given):
        expect(given is cache, "read with the cache that you were given")
        ids = _row(unread, "the model was given")
        vain = "read once too often: nobody asks what follows the last new token"
        expect(len(calls) < new, vain)
        _check_unread(ids, cache.ids, wanted[: len(prompt) + len(calls)], prompt)
        cache.ids, _ = cache.ids + ids, calls.append(ids)
        return _favour(_follow(cache.ids))

    given = torch.tensor([prompt])
    answer = _call("read", write_on, read, cache, given, new)
    found = _row(answer, "the answer is")
    expect(given.tolist() == [prompt], "input_ids was changed in place: use torch.cat")
    _check_prompt(found, wanted, prompt)
    count = f"{new} new tokens were asked for, {len(found) - len(prompt)} came"
    expect(len(found) == len(wanted), count)
    expect(found == wanted, f"expected {wanted}, got {found}")


def _check_unread(ids, held: list[int], text: list[int], prompt: list[int]) -> None:
    """Raise AssertionError, with its likely cause, unless just the rest is read."""
    unread = text[len(held) :]
    if ids == unread:
        return
    expect(bool(ids), "the model was given nothing to read")
    twice = f"the whole text was read, but the cache holds {len(held)} tokens of it"
    expect(ids != text, twice)
    again = "the prompt was read again: the cache holds it, give the token just chosen"
    expect(ids != prompt, again)
    pieces = "the prompt was read in pieces: one call reads all that is unread"
    expect(ids != unread[: len(ids)], pieces)
    skipped = f"only {ids} was read, and the cache does not hold what is before it"
    expect(ids != unread[-len(ids) :], skipped)
    likely = "what is unread, and the likeliest tokens"
    raise AssertionError(f"the model was given {ids}, expected {unread}: {likely}")


@exercise
def day04_slide(slide) -> None:
    """slide(score_next, input_ids, max_new_tokens, context): past the context."""
    _check_slid(slide, [5, 1, 8], 9, 4)
    _check_slid(slide, [3, 0, 7, 7, 2, 9, 4], 3, 5)  # a prompt that is too long itself
    _check_slid(slide, [6, 2], 3, 8)


def _check_slid(slide, prompt: list[int], new: int, context: int) -> None:
    wanted = list(prompt)
    for _ in range(new):
        wanted.append(_follow(wanted[-context:]))
    views = []

    def score_next(input_ids):
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

    given = torch.tensor([prompt])
    answer = _call("score_next", slide, score_next, given, new, context)
    found = _row(answer, "the answer is")
    total = len(wanted)
    _check_prompt(found, wanted, prompt)
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


def _call(name: str, answer, *args):
    """Call the learner's loop; explain what becomes of logits that are cut again."""
    try:
        return answer(*args)
    except (RuntimeError, IndexError, AttributeError) as error:
        cut = ("number of dimensions", "too many indices", "'logits'")
        if not any(words in str(error) for words in cut):
            raise
        shape = f"{name} returns the logits of the next token, (1, vocab), already"
        advice = f"{shape}: no [:, -1] and no .logits behind it"
        raise AssertionError(f"{advice} ({error})") from error


def _check_prompt(found: list[int], wanted: list[int], prompt: list[int]) -> None:
    missing = "the prompt is missing: return prompt and new tokens"
    expect(found != wanted[len(prompt) :], missing)


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
    whole = f"{name} has {tensor.dtype}: whole numbers are wanted, torch.long"
    expect(not tensor.is_floating_point(), whole)
    return tensor.long().tolist()
