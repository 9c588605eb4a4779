"""Right answers in other styles to the exercises of day 8, and other mistakes."""

import math
from functools import partial, reduce

import torch
from torch.nn import functional as F

from helpers.checks.day08 import _split
from helpers.parity import parts


def _embed(ids, wte, wpe):
    return F.embedding(ids, wte) + wpe[torch.arange(ids.shape[-1])]


def _norm(x, w, b, eps, n=0, axis=-1):
    variance = x.var(axis, correction=n, keepdim=True)
    return (x - x.mean(axis, True)) / (variance + eps).sqrt() * w + b


def _mask(q, k, v, diagonal):
    seen = torch.ones(q.shape[-2], q.shape[-2]).tril(diagonal).bool()
    return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)


def _written(q, k, v):
    scores = torch.einsum("...qd,...kd->...qk", q, k) / q.shape[-1] ** 0.5
    seen = torch.ones(scores.shape[-2:]).tril() == 1
    return scores.where(seen, -torch.inf).softmax(-1) @ v


def _einsum(x, c_attn, attend, c_proj, heads):
    split = c_attn(x).view(*x.shape[:2], 3, heads, -1).permute(2, 0, 3, 1, 4)
    return c_proj(attend(*split).permute(0, 2, 1, 3).reshape(x.shape))


def _merge(y):
    return y.transpose(1, 2).flatten(2)


def _heads(x, c_attn, attend, c_proj, heads, split=_split, merge=_merge):
    return c_proj(merge(attend(*(split(z, heads) for z in c_attn(x).chunk(3, -1)))))


def _mixed(x, c_attn, attend, c_proj, heads):
    return c_proj(_merge(attend(*_split(c_attn(x), heads).chunk(3, -1))))


def _gelu(x):
    return x * torch.sigmoid(2 * (2 / math.pi) ** 0.5 * (x + 0.044715 * x.pow(3)))


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
        "positions are counted from 1": lambda i, t, p: t[i] + p[1 : i.shape[1] + 1],
        "the position embedding is not added": lambda i, t, p: t[i],
        "the token embedding is multiplied by sqrt(d_model)": lambda i, t, p: (
            t[i] * t.shape[1] ** 0.5 + p[: i.shape[1]]
        ),
        "of shape (2, 4, 12), got": lambda ids, wte, wpe: wte[ids][0],
        "wte was changed": lambda ids, wte, wpe: wte.add_(1)[ids],
    },
    "day08_layer_norm": {
        "the variance is divided by n - 1": partial(_norm, n=1),
        "the mean is not subtracted (RMS)": lambda x, w, b, eps: (
            x / (x.square().mean(-1, True) + eps).sqrt() * w + b
        ),
        "the layer norm runs over the positions": partial(_norm, axis=1),
        "eps is outside the root (first": lambda x, w, b, eps: (
            (x - x.mean(-1, True)) / (x.std(-1, False, True) + eps) * w + b
        ),
        "is a return missing?": lambda x, w, b, eps: None,
        "correct, by torch's own layer_norm": lambda x, w, b, eps: F.layer_norm(
            x, w.shape, w, b, eps
        ),
        "layer 0: layer norm before attention": lambda x, w, b, eps: w * x + b,
    },
    "day08_attend": {
        "there is no causal mask": partial(_mask, diagonal=9),
        "the mask is off by one: a query sees the next": partial(_mask, diagonal=1),
        "masked scores are set to 0": lambda q, k, v: (
            (q @ k.mT / q.shape[-1] ** 0.5).tril().softmax(-1) @ v
        ),
        "raised RuntimeError": lambda q, k, v: q @ k @ v,
        "correct, by torch's own scaled_dot_product": partial(
            F.scaled_dot_product_attention, is_causal=True
        ),
    },
    "day08_attention": {
        "the thirds of c_attn are cut out within each head": _mixed,
        "heads are cut without then transpose(1, 2)": partial(
            _heads, split=lambda z, n: z.reshape(len(z), n, z.shape[1], -1)
        ),
        "heads are merged without transposing": partial(
            _heads, merge=lambda y: y.reshape(len(y), y.shape[2], -1)
        ),
        "of shape (2, 5, 12), got": lambda x, c, a, p, n: c(x),
        "first difference: layer 0: value": lambda x, c_attn, attend, c_proj, heads: (
            _einsum(x, lambda y: -c_attn(y), attend, c_proj, heads)
        ),
    },
    "day08_gelu": {
        "this is the exact GELU": F.gelu,
        "this is ReLU": torch.relu,
        "this is GELU with 0.44715": lambda x: (
            x / 2 * (1 + ((2 / math.pi) ** 0.5 * (x + 0.44715 * x**3)).tanh())
        ),
        "this is SiLU": F.silu,
        "correct, by torch's own gelu": partial(F.gelu, approximate="tanh"),
    },
    "day08_block": {
        "the stream is not added to attention's": lambda x, n, a, m, f: (
            (y := a(n(x))) + f(m(y))
        ),
        "attention is added to the normed stream": lambda x, n, a, m, f: (
            (y := n(x) + a(n(x))) + f(m(y))
        ),
        "both halves read the same stream": lambda x, n, a, m, f: x + a(n(x)) + f(m(x)),
        "x was changed in place": lambda x, n, a, m, f: x.add_(a(n(x))) + f(m(x)),
    },
    "day08_stack": {
        "the layer norm is missing": lambda x, b, n, w: parts.stack(
            x, b, lambda y: y, w
        ),
        "probabilities are returned": lambda *g: parts.stack(*g).softmax(-1),
        "the layers run backwards": lambda x, b, n, w: parts.stack(x, [*b][::-1], n, w),
        "real numbers of shape": lambda x, blocks, ln_f, wte: ln_f(x),
    },
    "day08_mend": {
        "it would call itself": lambda block, x, heads: block(x),
        "x was changed": lambda b, x, h: x.copy_(_written_out(b, x, h)),
        "try_out(mended)": _relu,
        '"cannot be viewed"': lambda b, x, h: x.mT.view(-1),  # "cannot be viewed"
    },
    "day08_causes": {
        "now in the debugger's order": lambda: "bdf",
        "here: 1 of 3": lambda: "abc",
        "expected a string": lambda: ["f", "d", "b"],
    },
}

RIGHT = {
    "day08_embed": [_embed],
    "day08_layer_norm": [_norm],
    "day08_attend": [_written],
    "day08_attention": [_einsum],
    "day08_gelu": [_gelu],
    "day08_block": [_block],
    "day08_stack": [_stack],
    "day08_mend": [_written_out],
    "day08_causes": [lambda: "".join(("f", "d", "b"))],
}
