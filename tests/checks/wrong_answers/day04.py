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


def _while(next_logits, input_ids, max_new_tokens, eos_token_id):
    ids = input_ids[0].tolist()
    end = len(ids) + max_new_tokens
    while len(ids) < end:
        ids.append(next_logits(torch.tensor([ids]))[0].argmax().item())
        if ids[-1] == eos_token_id:
            break
    return torch.tensor([ids])


def _cached(read, cache, input_ids, new):
    for _ in range(new):
        chosen = read(input_ids[:, cache.length :], cache).argmax(-1, keepdim=True)
        input_ids = torch.cat([input_ids, chosen], dim=1)
    return input_ids


def _token_by_token(read, cache, input_ids, new):
    for column in range(cache.length, input_ids.shape[1]):
        logits = read(input_ids[:, column : column + 1], cache)
    for _ in range(new - 1):
        chosen = logits.argmax(dim=-1, keepdim=True)
        input_ids = torch.cat([input_ids, chosen], dim=1)
        logits = read(chosen, cache)
    return torch.cat([input_ids, logits.argmax(dim=-1, keepdim=True)], dim=1)


def _other_cache(read, cache, input_ids, new):
    return _cached(lambda unread, c: read(unread, None), cache, input_ids, new)


def _for_ever(next_logits, ids, *options):
    while True:
        try:
            ids = torch.cat([ids, next_logits(ids).argmax(-1)[None]], dim=1)
        except Exception:
            continue


def _cut_logits(z):
    return z[:, -1].argmax(dim=-1, keepdim=True)


def _rows(longer=True, low=0):
    """A loop for rows, with another formula for the positions."""

    def write(read, ids, mask, new):
        for _ in range(new):
            places = (mask.cumsum(1) - 1).masked_fill(mask == 0, low)
            ids = torch.cat([ids, read(ids, mask, places).argmax(-1)[:, None]], dim=1)
            mask = torch.cat([mask, mask[:, -1:]], dim=1) if longer else mask
        return ids

    return write


WRONG = {
    "day04_write": {
        "asked 6 times, not 5": lambda f, x, n, e: _loop()(f, x, n + 1, e),
        "prompt": lambda f, x, *by: _loop()(f, x, *by)[:, x.shape[1] :],
        "the largest logit": _loop(pick=lambda z: z.argmin(-1, True)),
        "no [:, -1]": _loop(pick=_cut_logits),
        "keepdim=True": _loop(pick=lambda z: z.argmax(dim=-1)),
        "no .logits": _loop(pick=lambda z: z.logits),
        "what stands before is missing": _loop(lambda ids: ids[:, 1:]),
        "got None: is a return missing?": lambda *args: None,
        "(1, seq), got a list": lambda f, ids, n, e: ids[0].tolist(),
        "the loop does not stop at max_new_tokens": _for_ever,
    },
    "day04_write_on": {
        "one call reads all": _token_by_token,
        "that you were given": _other_cache,
    },
    "day04_write_rows": {
        "-1 is no position": _rows(low=-1),
        "attention_mask: (3, 4), expected (3, 5)": _rows(longer=False),
    },
}

RIGHT = {
    "day04_write": [_loop(), _while],
    "day04_write_on": [_cached],
    "day04_write_rows": [_rows(), _rows(low=1)],
}
