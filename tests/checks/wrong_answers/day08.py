"""Right answers in other styles to the exercises of day 8, and other mistakes."""

from functools import partial, reduce

import torch
from torch.nn import functional as F


def _embed(ids, wte, wpe):
    return F.embedding(ids, wte) + wpe[torch.arange(ids.shape[-1])]


def _std(x, w, b, eps):
    return (x - x.mean(-1, True)) / (x.std(-1, False, True) + eps) * w + b


def _einsum(x, c_attn, attend, c_proj, heads):
    split = c_attn(x).view(*x.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    return c_proj(attend(*split).permute(0, 2, 1, 3).reshape(x.shape))


def _block(x, ln_1, attn, ln_2, mlp):
    for norm, half in ((ln_1, attn), (ln_2, mlp)):
        x = x + half(norm(x))
    return x


def _stack(x, blocks, ln_f, wte):
    return F.linear(ln_f(reduce(lambda x, run: run(x), blocks, x)), wte)


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


def _relu(block, x, heads):
    x = x + block.attn(block.ln_1(x))
    return x + F.relu(block.mlp(block.ln_2(x)))


WRONG = {
    "day08_embed": {
        "of shape (2, 4, 12), got": lambda ids, wte, wpe: wte[ids][0],
        "wte was changed": lambda ids, wte, wpe: wte.add_(1)[ids],
    },
    "day08_layer_norm": {
        "eps is outside the root (first": _std,
        "is a return missing?": lambda x, w, b, eps: None,
        "layer 0: layer norm before attention": lambda x, w, b, eps: w * x + b,
    },
    "day08_attend": {"raised RuntimeError": lambda q, k, v: q @ k @ v},
    "day08_attention": {
        "of shape (2, 5, 12), got": lambda x, c, a, p, n: c(x),
        "layer 0: query": lambda x, c, a, p, n: _einsum(x, lambda y: -c(y), a, p, n),
    },
    "day08_gelu": {"this is SiLU": F.silu},
    "day08_block": {
        "x was changed in place": lambda x, n, a, m, f: x.add_(a(n(x))) + f(m(x)),
    },
    "day08_stack": {
        "real numbers of shape": lambda x, blocks, ln_f, wte: ln_f(x),
    },
    "day08_mend": {
        "it would call itself": lambda block, x, heads: block(x),
        "x was changed": lambda b, x, h: x.copy_(_written_out(b, x, h)),
        "try_out(mended)": _relu,
        '"cannot be viewed"': lambda b, x, h: x.mT.view(-1),  # "cannot be viewed"
    },
}

RIGHT = {
    "day08_embed": [_embed],
    "day08_layer_norm": [
        lambda x, w, b, eps: F.layer_norm(x, w.shape, w, b, eps),
        lambda x, w, b, eps: (
            (x - x.mean(-1, True))
            / (x.var(-1, keepdim=True, correction=0) + eps).sqrt()
            * w
            + b
        ),
    ],
    "day08_attend": [partial(F.scaled_dot_product_attention, is_causal=True)],
    "day08_attention": [_einsum],
    "day08_gelu": [partial(F.gelu, approximate="tanh")],
    "day08_block": [_block],
    "day08_stack": [_stack],
    "day08_mend": [_written_out],
}
