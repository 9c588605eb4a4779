"""Right answers in other styles to the exercises of day 8, and other mistakes."""

import numpy as np
import torch
from torch.nn import functional as F

from helpers.gpt2.counting import flops


def _mask(past, new):
    return torch.arange(past + new) <= torch.arange(past, past + new)[:, None]


def _fold(w, b, W, c):
    return [torch.diag(w) @ W, c + W.T @ b]


def _numpy_step(config, cached):
    d = np.int64(config.n_embd)
    inner = config.n_inner or 4 * d
    each = 4 * d * d + 2 * d * inner + 2 * d * (cached + 1)
    return 2 * config.n_layer * each + 2 * config.vocab_size * d


def _written_out(block, x, heads):
    batch, seq, d = x.shape
    split = block.attn.c_attn(block.ln_1(x)).view(batch, seq, 3, heads, d // heads)
    query, key, value = split.permute(2, 0, 3, 1, 4)
    scores = query @ key.mT / (d // heads) ** 0.5
    future = torch.ones(seq, seq).triu(1).bool()
    shares = scores.masked_fill(future, float("-inf")).softmax(dim=-1)
    merged = (shares @ value).transpose(1, 2).reshape(batch, seq, d)
    x = x + block.attn.c_proj(merged)
    up = block.mlp.c_fc(block.ln_2(x))
    bent = up / 2 * (1 + (0.7978845608 * (up + 0.044715 * up**3)).tanh())
    return x + block.mlp.c_proj(bent)


def _with_parts(block, x, heads):
    thirds = block.attn.c_attn(block.ln_1(x)).chunk(3, dim=-1)
    gathered = block.attn.attend(*map(block.attn.split, thirds))
    x = x + block.attn.c_proj(gathered.transpose(1, 2).flatten(2))
    return x + block.mlp.c_proj(block.mlp.bend(block.mlp.c_fc(block.ln_2(x))))


def _with_whole_parts(block, x, heads, bend=None):
    x = x + block.attn(block.ln_1(x))
    feed = block.mlp(block.ln_2(x))
    return x + (bend(feed) if bend else feed)


WRONG = {
    "day08_cached_mask": {
        "True and False": lambda past, new: _mask(past, new).float(),
    },
    "day08_fold": {
        "bias was changed in place": lambda w, b, W, c: (w, c.add_(b @ W)),
    },
    "day08_step_flops": {
        "hides it": lambda c, n: (
            sum(flops(c, n + 1).values()) - sum(flops(c, n).values())
        ),
        "cache was ignored": lambda c, n: sum(flops(c, 1).values()),
    },
    "day08_mend": {
        "it would call itself": lambda block, x, heads: block(x),
        "x was changed": lambda b, x, h: x.copy_(_written_out(b, x, h)),
        "try_out(mended)": lambda *given: _with_whole_parts(*given, F.relu),
        '"cannot be viewed"': lambda b, x, h: x.mT.view(-1),  # "cannot be viewed"
    },
}

RIGHT = {
    "day08_cached_mask": [_mask],
    "day08_fold": [_fold],
    "day08_step_flops": [
        _numpy_step,
        lambda config, n: sum(flops(config, n + 1).values()) // (n + 1),
    ],
    "day08_mend": [_written_out, _with_parts, _with_whole_parts],
}
