"""Right answers in other styles to the exercises of day 4, and mistakes of form."""

import torch


def _loop(view=lambda ids: ids, pick=lambda z: z.argmax(dim=-1, keepdim=True)):
    """A loop; what is read, and the choice, exchanged."""

    def write(next_logits, ids, max_new_tokens, eos_token_id=None):
        for _ in range(max_new_tokens):
            ids = torch.cat([ids, pick(next_logits(view(ids)))], dim=1)
            if ids[0, -1] == eos_token_id:
                break
        return ids

    return write


def _window(view):
    """A loop whose view has a width."""
    return lambda f, ids, new, n: _loop(lambda ids: view(ids, n))(f, ids, new)


def _while(next_logits, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids[0].tolist()
    end = len(ids) + max_new_tokens
    while len(ids) < end:
        ids.append(next_logits(torch.tensor([ids]))[0].argmax().item())
        if ids[-1] == eos_token_id:
            break
    return torch.tensor([ids])


def _slow_pad(rows, pad_token_id):
    longest = max(len(row) for row in rows)
    ids, mask, positions = [], [], []
    for row in rows:
        gap = longest - len(row)
        ids.append([pad_token_id for _ in range(gap)] + row)
        mask.append([column >= gap for column in range(longest)])
        positions.append([max(column - gap, 0) for column in range(longest)])
    parts = ids, mask, positions
    return tuple(torch.tensor(part, dtype=torch.long) for part in parts)


def _masking(make):
    def left_pad(rows, pad_token_id):
        ids, ones, positions = _slow_pad(rows, pad_token_id)
        return ids, make(ids, ones, pad_token_id).long(), positions

    return left_pad


def _pad_in_place(rows, pad_token_id):
    longest = max(map(len, rows))
    for row in rows:
        while len(row) < longest:
            row.insert(0, pad_token_id)
    return _slow_pad(rows, pad_token_id)


def _cached(pick=lambda z: z.argmax(dim=-1, keepdim=True)):
    """A loop with a cache, with another choice."""

    def write_on(read, cache, input_ids, new):
        for _ in range(new):
            chosen = pick(read(input_ids[:, cache.length :], cache))
            input_ids = torch.cat([input_ids, chosen], dim=1)
        return input_ids

    return write_on


def _token_by_token(read, cache, input_ids, new):
    for column in range(cache.length, input_ids.shape[1]):
        logits = read(input_ids[:, column : column + 1], cache)
    for _ in range(new - 1):
        chosen = logits.argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, chosen], dim=1)
        logits = read(chosen, cache)
    return torch.cat([input_ids, logits.argmax(dim=-1, keepdim=True)], dim=1)


def _other_cache(read, cache, input_ids, new):
    return _cached()(lambda unread, c: read(unread, None), cache, input_ids, new)


def _remembering_list(read, cache, input_ids, new):
    ids = input_ids[0].tolist()
    unread = ids[cache.length :]
    for _ in range(new):
        unread = [read(torch.tensor([unread]), cache)[0].argmax().item()]
        ids += unread
    return torch.tensor([ids])


def _forget_all(ids, context):
    """Half a context, and then on until it is full again."""
    length = ids.shape[1]
    if length <= context:
        return ids
    half = context // 2
    return ids[:, -(half + (length - context - 1) % (context - half + 1)) :]


def _list_slide(next_logits, input_ids, max_new_tokens, context):
    ids = input_ids[0].tolist()
    for _ in range(max_new_tokens):
        start = max(0, len(ids) - context)
        ids += next_logits(torch.tensor([ids[start:]])).argmax(dim=-1).tolist()
    return torch.tensor([ids])


def _for_ever(next_logits, ids, *options):
    while True:
        try:
            ids = torch.cat([ids, next_logits(ids).argmax(-1)[None]], dim=1)
        except Exception:
            continue


def _resets(read, cache, input_ids, new):
    cache.length = 0
    return _cached()(read, cache, input_ids, new)


def _pads_at(padded, place):
    """Give pads another position, where the text is long enough for it."""
    ids, mask, positions = padded
    place = min(place, ids.shape[1] - 1) if place == 1 else place
    return ids, mask, positions.masked_fill(mask == 0, place)


def _cut_logits(z):
    return z[:, -1].argmax(dim=-1, keepdim=True)


WRONG = {
    "day04_write": [
        (
            "one more",
            lambda f, x, n, e: _loop()(f, x, n + 1, e),
            "asked 6 times, not 5",
        ),
        ("draws", _loop(pick=lambda z: z.exp().multinomial(1)), "the largest logit"),
        ("no prompt", lambda f, x, *by: _loop()(f, x, *by)[:, x.shape[1] :], "prompt"),
        ("the smallest", _loop(pick=lambda z: z.argmin(-1, True)), "the largest logit"),
        ("cuts the logits again", _loop(pick=_cut_logits), "no [:, -1]"),
        ("no keepdim", _loop(pick=lambda z: z.argmax(dim=-1)), "keepdim=True"),
        ("logits of logits", _loop(pick=lambda z: z.logits), "no .logits"),
        ("skips one", _loop(lambda ids: ids[:, 1:]), "what stands before is missing"),
        ("nothing", lambda *args: None, "got None: is a return missing?"),
        ("a list", lambda f, ids, n, e: ids[0].tolist(), "(1, seq), got a list"),
        ("for ever", _for_ever, "the loop does not stop at max_new_tokens"),
    ],
    "day04_left_pad": [
        ("by id", _masking(lambda ids, ones, pad: ids != pad), "do not compare ids"),
        ("upside down", _masking(lambda ids, ones, pad: 1 - ones), "upside down"),
        ("no mask", _masking(lambda ids, ones, pad: ids >= 0), "nothing is masked"),
        ("right", lambda r, p: [t.flip(1) for t in _slow_pad(r, p)], "on the right"),
        ("no positions", lambda r, p: _slow_pad(r, p)[:2], "of 3, got one of 2"),
        ("bool", lambda r, p: [t.bool() for t in _slow_pad(r, p)], "True and False"),
        ("floats", lambda r, p: [t.float() for t in _slow_pad(r, p)], "whole numbers"),
        ("lists", lambda r, p: [t.tolist() for t in _slow_pad(r, p)], "got a list"),
        ("in place", _pad_in_place, "rows was changed in place"),
        ("pads behind", lambda r, p: _pads_at(_slow_pad(r, p), 100), "position 100"),
    ],
    "day04_write_on": [
        ("reads token by token", _token_by_token, "one call reads all"),
        ("uses another cache", _other_cache, "that you were given"),
        ("cuts the logits again", _cached(_cut_logits), "no [:, -1]"),
        ("resets the cache", _resets, "your line"),
        ("nothing", lambda *args: None, "got None"),
    ],
    "day04_slide": [
        ("forgets half at a time", _window(_forget_all), "what stands before"),
        ("too much", _window(lambda ids, n: ids[:, -n - 2 :]), "that is too much"),
        ("nothing", lambda *args: None, "got None"),
    ],
}

RIGHT = {
    "day04_write": [_loop(), _while],
    "day04_left_pad": [_slow_pad, lambda r, p: _pads_at(_slow_pad(r, p), 1)],
    "day04_write_on": [_cached(), _remembering_list],
    "day04_slide": [_window(lambda ids, n: ids[:, -n:]), _list_slide],
}
