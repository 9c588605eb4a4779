"""Wrong and right answers to the exercises of day 4."""

import torch


def _loop(
    *,
    pick=lambda z: z.argmax(dim=-1, keepdim=True),
    view=lambda ids, prompt: ids,
    seen=lambda ids, new: new,
    extra=0,
):
    """A loop with its parts exchanged: view, picker, where eos is looked for."""

    def write(next_logits, input_ids, max_new_tokens, eos_token_id):
        ids = input_ids
        for _ in range(max_new_tokens + extra):
            new = pick(next_logits(view(ids, input_ids)))
            ids = torch.cat([ids, new], dim=1)
            if eos_token_id in seen(ids, new).flatten().tolist():
                break
        return ids

    return write


def _without_eos(next_logits, input_ids, max_new_tokens, eos_token_id):
    for _ in range(max_new_tokens):
        new = next_logits(input_ids).argmax(dim=-1, keepdim=True)
        if new.item() == eos_token_id:
            break
        input_ids = torch.cat([input_ids, new], dim=1)
    return input_ids


def _max_length(next_logits, input_ids, max_new_tokens, eos_token_id):
    return _loop(extra=-input_ids.shape[1])(
        next_logits, input_ids, max_new_tokens, eos_token_id
    )


def _only_new(next_logits, input_ids, max_new_tokens, eos_token_id):
    ids = _loop()(next_logits, input_ids, max_new_tokens, eos_token_id)
    return ids[:, input_ids.shape[1] :]


def _asks_too_often(next_logits, input_ids, max_new_tokens, eos_token_id):
    logits = next_logits(input_ids)
    for _ in range(max_new_tokens):
        new = logits.argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, new], dim=1)
        if new.item() == eos_token_id:
            break
        logits = next_logits(input_ids)
    return input_ids


def _recursive(next_logits, input_ids, max_new_tokens, eos_token_id):
    if max_new_tokens == 0:
        return input_ids
    new = next_logits(input_ids).argmax(dim=-1)[None]
    ids = torch.cat([input_ids, new], dim=1)
    if new == eos_token_id:
        return ids
    return _recursive(next_logits, ids, max_new_tokens - 1, eos_token_id)


def _while(next_logits, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids[0].tolist()
    end = len(ids) + max_new_tokens
    while len(ids) < end:
        ids.append(next_logits(torch.tensor([ids]))[0].argmax().item())
        if ids[-1] == eos_token_id:
            break
    return torch.tensor([ids])


def _pad(*, side="left", mask=None, positions=None, dtype=torch.long):
    """Left padding with one of its parts exchanged."""

    def left_pad(rows, pad_token_id):
        longest = max(map(len, rows))
        fills = [[pad_token_id] * (longest - len(row)) for row in rows]
        pairs = zip(fills, rows, strict=True)
        ids = [fill + row if side == "left" else row + fill for fill, row in pairs]
        real = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        input_ids, real = torch.tensor(ids), torch.tensor(real, dtype=dtype)
        if mask:
            real = mask(input_ids, real, pad_token_id)
        places = (real.cumsum(dim=1) - 1).clamp(min=0)
        if positions:
            places = positions(input_ids, real)
        return input_ids, real, places

    return left_pad


def _slow_pad(rows, pad_token_id):
    longest = max(len(row) for row in rows)
    ids, mask, positions = [], [], []
    for row in rows:
        gap = longest - len(row)
        ids.append([pad_token_id for _ in range(gap)] + row)
        mask.append([column >= gap for column in range(longest)])
        positions.append([max(column - gap, 0) for column in range(longest)])
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(positions)


def _pad_in_place(rows, pad_token_id):
    longest = max(map(len, rows))
    for row in rows:
        while len(row) < longest:
            row.insert(0, pad_token_id)
    return _pad()(rows, pad_token_id)


def _looks_first(next_logits, input_ids, max_new_tokens, eos_token_id):
    for _ in range(max_new_tokens):
        if input_ids[0, -1] == eos_token_id:
            break
        new = next_logits(input_ids).argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, new], dim=1)
    return input_ids


def _cached(*, view=None, first=None, pick=lambda z: z.argmax(dim=-1, keepdim=True)):
    """A loop with a cache; what is read, at first and later, exchanged."""
    view = view or (lambda ids, cache: ids[:, cache.length :])

    def write_on(read, cache, input_ids, new):
        unread = (first or view)(input_ids, cache)
        for _ in range(new):
            chosen = pick(read(unread, cache))
            input_ids = torch.cat([input_ids, chosen], dim=1)
            unread = view(input_ids, cache)
        return input_ids

    return write_on


def _counting(change):
    """The right loop with another number of new tokens."""
    return lambda read, cache, ids, new: _cached()(read, cache, ids, new + change)


def _token_by_token(read, cache, input_ids, new):
    for column in range(cache.length, input_ids.shape[1]):
        logits = read(input_ids[:, column : column + 1], cache)
    for _ in range(new - 1):
        chosen = logits.argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, chosen], dim=1)
        logits = read(chosen, cache)
    return torch.cat([input_ids, logits.argmax(dim=-1, keepdim=True)], dim=1)


def _reads_the_last(read, cache, input_ids, new):
    logits = read(input_ids[:, cache.length :], cache)
    for _ in range(new):
        chosen = logits.argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, chosen], dim=1)
        logits = read(chosen, cache)
    return input_ids


def _other_cache(read, cache, input_ids, new):
    return _cached()(lambda unread, c: read(unread, None), cache, input_ids, new)


def _new_only(read, cache, input_ids, new):
    return _cached()(read, cache, input_ids, new)[:, input_ids.shape[1] :]


def _remembering_list(read, cache, input_ids, new):
    ids = input_ids[0].tolist()
    unread = ids[cache.length :]
    for _ in range(new):
        unread = [read(torch.tensor([unread]), cache)[0].argmax().item()]
        ids += unread
    return torch.tensor([ids])


def _window(view, *, keep=lambda ids, context: ids, extra=0):
    """A sliding loop with its view, and what is kept of the text, exchanged."""

    def slide(next_logits, input_ids, max_new_tokens, context):
        for _ in range(max_new_tokens + extra):
            new = next_logits(view(input_ids, context)).argmax(dim=-1, keepdim=True)
            input_ids = keep(torch.cat([input_ids, new], dim=1), context)
        return input_ids

    return slide


def _last(ids, context):
    return ids[:, -context:]


def _forget_all(ids, context):
    """Half a context, and then on until it is full again."""
    length = ids.shape[1]
    if length <= context:
        return ids
    half = context // 2
    return ids[:, -(half + (length - context - 1) % (context - half + 1)) :]


def _cuts_first(next_logits, input_ids, max_new_tokens, context):
    input_ids = input_ids[:, -context:]
    return _window(_last)(next_logits, input_ids, max_new_tokens, context)


def _list_slide(next_logits, input_ids, max_new_tokens, context):
    ids = input_ids[0].tolist()
    for _ in range(max_new_tokens):
        start = max(0, len(ids) - context)
        ids += next_logits(torch.tensor([ids[start:]])).argmax(dim=-1).tolist()
    return torch.tensor([ids])


WRONG = {
    "day04_write": [
        ("never feeds back", _loop(view=lambda ids, prompt: prompt), "read twice"),
        (
            "feeds back the new token alone",
            _loop(view=lambda ids, p: ids if ids is p else ids[:, -1:]),
            "only the last token",
        ),
        (
            "feeds back the new tokens without the prompt",
            _loop(view=lambda ids, p: ids if ids is p else ids[:, p.shape[1] - 1 :]),
            "no prompt in it",
        ),
        (
            "looks for eos in the prompt too",
            _loop(seen=lambda ids, new: ids),
            "end token of the prompt",
        ),
        ("looks for eos before it writes", _looks_first, "end token of the prompt"),
        (
            "cuts the logits again",
            _loop(pick=lambda z: z[:, -1].argmax(dim=-1, keepdim=True)),
            "no [:, -1]",
        ),
        (
            "asks for the logits of logits",
            _loop(pick=lambda z: z.logits.argmax(dim=-1, keepdim=True)),
            "no .logits",
        ),
        (
            "ignores eos",
            _loop(seen=lambda ids, new: torch.tensor([])),
            "behind the end token",
        ),
        ("leaves eos out", _without_eos, "belongs to the answer"),
        ("one token too many", _loop(extra=1), "5 new tokens were asked for, 6 came"),
        ("one token too few", _loop(extra=-1), "too short, 4 new"),
        ("counts the prompt", _max_length, "the prompt does not count"),
        ("returns the new tokens only", _only_new, "the prompt is missing"),
        (
            "takes the least likely",
            _loop(pick=lambda z: z.argmin(dim=-1, keepdim=True)),
            "were likeliest",
        ),
        (
            "draws",
            _loop(pick=lambda z: z.softmax(dim=-1).multinomial(1)),
            "likeliest",
        ),
        ("asks once more than it needs", _asks_too_often, "once more"),
        ("forgets to return", lambda *args: None, "returns None"),
        ("returns a list", lambda f, ids, n, e: ids[0].tolist(), "not (1, seq)"),
    ],
    "day04_left_pad": [
        ("pads on the right", _pad(side="right"), "on the right"),
        (
            "inverts the mask",
            _pad(mask=lambda ids, real, pad: 1 - real),
            "upside down",
        ),
        (
            "compares with the pad, which is also a token",
            _pad(mask=lambda ids, real, pad: (ids != pad).long()),
            "count, do not compare",
        ),
        (
            "masks nothing",
            _pad(mask=lambda ids, real, pad: torch.ones_like(ids)),
            "expected attention_mask",
        ),
        (
            "numbers the columns",
            _pad(positions=lambda ids, real: torch.arange(ids.shape[1]).expand_as(ids)),
            "these are columns",
        ),
        (
            "counts from 1",
            _pad(positions=lambda ids, real: real.cumsum(dim=1)),
            "not at 1",
        ),
        (
            "gives pads the position -1",
            _pad(positions=lambda ids, real: real.cumsum(dim=1) - 1),
            "clamp(min=0)",
        ),
        (
            "gives pads the position 100",
            _pad(
                positions=lambda ids, real: (real.cumsum(dim=1) - 1).masked_fill(
                    real == 0, 100
                )
            ),
            "position 100",
        ),
        ("makes a mask of floats", _pad(dtype=torch.float), "whole numbers"),
        ("forgets the positions", lambda r, p: _pad()(r, p)[:2], "three tensors"),
        ("returns lists", lambda r, p: tuple(map(list, _pad()(r, p))), "of shape"),
        ("changes the rows", _pad_in_place, "in place"),
    ],
    "day04_write_on": [
        ("reads the whole text", _cached(view=lambda ids, c: ids), "the whole text"),
        (
            "does not ask what the cache holds",
            _cached(first=lambda ids, c: ids, view=lambda ids, c: ids[:, -1:]),
            "the cache holds 3 tokens",
        ),
        (
            "reads the last token alone",
            _cached(view=lambda ids, c: ids[:, -1:]),
            "does not hold what is before",
        ),
        (
            "reads the prompt at every step",
            _cached(view=lambda ids, c: ids[:, : max(c.length, 3)]),
            "the prompt was read again",
        ),
        ("reads token by token", _token_by_token, "in pieces"),
        ("reads the last new token", _reads_the_last, "once too often"),
        ("counts one more", _counting(1), "once too often"),
        ("counts one less", _counting(-1), "5 new tokens were asked for, 4 came"),
        ("uses another cache", _other_cache, "that you were given"),
        ("returns the new tokens only", _new_only, "the prompt is missing"),
        (
            "takes the least likely",
            _cached(pick=lambda z: z.argmin(dim=-1, keepdim=True)),
            "likeliest",
        ),
        (
            "cuts the logits again",
            _cached(pick=lambda z: z[:, -1].argmax(dim=-1, keepdim=True)),
            "no [:, -1]",
        ),
        ("forgets to return", lambda *args: None, "returns None"),
    ],
    "day04_slide": [
        ("never slides", _window(lambda ids, context: ids), "the context is 4"),
        (
            "keeps the beginning",
            _window(lambda ids, context: ids[:, :context]),
            "the beginning again",
        ),
        (
            "makes room for the new token",
            _window(lambda ids, context: ids[:, -(context - 1) :]),
            "one token fewer",
        ),
        ("forgets half at a time", _window(_forget_all), "forget no more"),
        ("cuts the text", _window(_last, keep=_last), "the text itself"),
        ("cuts a long prompt", _cuts_first, "the text itself"),
        (
            "returns the new tokens only",
            lambda f, ids, n, c: _window(_last)(f, ids, n, c)[:, ids.shape[1] :],
            "the prompt is missing",
        ),
        (
            "cuts the logits again",
            lambda f, *rest: _window(_last)(lambda ids: f(ids)[:, -1], *rest),
            "no [:, -1]",
        ),
        ("counts from the context on", _window(_last, extra=1), "stop there"),
        ("one token too few", _window(_last, extra=-1), "expected 12 tokens"),
        (
            "reads the last token alone",
            _window(lambda ids, context: ids[:, -1:]),
            "forget no more",
        ),
        ("forgets to return", lambda *args: None, "returns None"),
    ],
}

RIGHT = {
    "day04_write": [_loop(), _recursive, _while],
    "day04_left_pad": [_pad(), _slow_pad],
    "day04_write_on": [_cached(), _remembering_list],
    "day04_slide": [_window(_last), _list_slide],
}
