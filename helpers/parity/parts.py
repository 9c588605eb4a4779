"""Parts: GPT-2 as seven functions, which a learner writes on day 8, one by one.

Any of them may be exchanged for another of the same name and arguments; the rest is
these, and the weights are the library's. Sizes are those of the reference.
"""

import math
from collections.abc import Callable
from functools import partial, wraps

import torch


def embed(input_ids, wte, wpe):
    """Look up tokens and their places: (batch, seq) to (batch, seq, d_model)."""
    return wte[input_ids] + wpe[: input_ids.shape[1]]


def layer_norm(x, weight, bias, eps):
    """Bring each vector to mean 0 and variance 1, then scale and shift it."""
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)  # (batch, seq, 1)
    return centred / (variance + eps).sqrt() * weight + bias


def attend(query, key, value):
    """Gather values from a query's own place and before: each (…, seq, d_head)."""
    scores = query @ key.mT / math.sqrt(query.shape[-1])  # (…, seq, seq)
    future = torch.ones_like(scores).triu(diagonal=1).bool()
    weights = scores.masked_fill(future, -math.inf).softmax(dim=-1)
    return weights @ value  # (…, seq, d_head)


def attention(x, c_attn, attend, c_proj, heads):
    """Let all heads attend, and mix what they bring: (batch, seq, d_model)."""
    batch, seq, d_model = x.shape
    query, key, value = (
        third.view(batch, seq, heads, -1).transpose(1, 2)  # (batch, head, seq, d_head)
        for third in c_attn(x).chunk(3, dim=-1)
    )
    gathered = attend(query, key, value).transpose(1, 2)  # (batch, seq, head, d_head)
    return c_proj(gathered.reshape(batch, seq, d_model))


def gelu(x):
    """Bend numbers as GPT-2 does, with the tanh form of the GELU."""
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return x / 2 * (1 + inner.tanh())


def block(x, ln_1, attn, ln_2, mlp):
    """Run one layer: what each half says is added to what came in."""
    x = x + attn(ln_1(x))
    return x + mlp(ln_2(x))


def stack(x, blocks, ln_f, wte):
    """Run the layers, the last norm, the head: logits (batch, seq, vocab)."""
    for layer in blocks:
        x = layer(x)  # (batch, seq, d_model)
    return ln_f(x) @ wte.T


def or_ours(function: Callable) -> Callable:
    """Lend the course's function of the same name while ``function`` is a stub."""

    @wraps(function)
    def either(*args, **options):
        try:
            return function(*args, **options)
        except NotImplementedError:
            return globals()[function.__name__](*args, **options)

    return either


def assembled(reference, **own: Callable) -> Callable:
    """Return ids to logits by these parts, ``own`` in their place where given.

    ``reference``: a GPT2LMHeadModel, whose weights they share.
    """
    parts = {part.__name__: part for part in PARTS} | own
    inside, heads = reference.transformer, reference.config.n_head

    def norm(ln):
        return lambda x: parts["layer_norm"](x, ln.weight, ln.bias, ln.eps)

    def layer(b):
        ways = {"c_attn": b.attn.c_attn, "c_proj": b.attn.c_proj, "heads": heads}
        attn = partial(parts["attention"], attend=parts["attend"], **ways)
        feed = lambda x: b.mlp.c_proj(parts["gelu"](b.mlp.c_fc(x)))  # noqa: E731
        return lambda x: parts["block"](x, norm(b.ln_1), attn, norm(b.ln_2), feed)

    def model(input_ids):
        x = parts["embed"](input_ids, inside.wte.weight, inside.wpe.weight)
        blocks = map(layer, inside.h)
        return parts["stack"](x, blocks, norm(inside.ln_f), inside.wte.weight)

    return model


PARTS = (embed, layer_norm, attend, attention, gelu, block, stack)
