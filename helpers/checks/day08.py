"""Checks for day 8: a mask behind a cache, a norm folded, a step's work, a block."""

from functools import partial
from itertools import product

import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import exercise, expect
from helpers.checks.values import same


def _mask(past, new, more=0):
    return torch.ones(new, past + new).tril(past + more).bool()


day08_cached_mask = exercise(
    "cached_mask(past, new): (new, past + new), True where a query may look.",
    cases=[(5, 3), (0, 4), (6, 1), (2, 4), (0, 1), (4, 4)],
    right=_mask,
    wrong={
        "row i is at past + i, not i": lambda past, new: _mask(past, new, -past),
        "a query sees its own token, too": lambda past, new: _mask(past, new, -1),
        "upside down: True is where a query may look": lambda *sizes: ~_mask(*sizes),
        "a row for each new token, not for all": lambda past, new: _mask(0, past + new),
        "a query sees the cached tokens, too": lambda past, new: _mask(0, new),
    },
)


def _fold(norm_weight, norm_bias, weight, bias):
    return norm_weight[:, None] * weight, norm_bias @ weight + bias


LUCK = torch.Generator().manual_seed(8)
day08_fold = exercise(
    "fold(norm_weight, norm_bias, weight, bias): a projection with the norm in it.",
    cases=[
        tuple(torch.randn(shape, generator=LUCK) for shape in (n, n, (n, m), m))
        for n, m in ((5, 5), (6, 10), (8, 3))
    ],
    each=True,
    right=_fold,
    wrong={
        "w scales W's rows, not its columns": lambda w, b, W, c: (w * W, b @ W + c),
        "the norm's weight is not in the weight": lambda w, b, W, c: (W, b @ W + c),
        "the norm's bias is forgotten: b @ W": lambda w, b, W, c: (w[:, None] * W, c),
        "c is forgotten, the old bias": lambda w, b, W, c: (w[:, None] * W, b @ W),
        "first the weight, then the bias": lambda *given: _fold(*given)[::-1],
    },
)


def _step(config, cached, keys=None, flops=2, inner=None, looks=2, head=1):
    d, inner = config.n_embd, inner or config.n_inner or 4 * config.n_embd
    looking = looks * d * (cached + 1 if keys is None else keys)
    weights = config.n_layer * (4 * d**2 + 2 * d * inner + looking)
    return flops * (weights + head * config.vocab_size * d)


SMALL = {"n_layer": 3, "n_head": 4, "n_embd": 20, "vocab_size": 70}
SHAPES = SMALL, SMALL | {"n_layer": 5, "n_inner": 24}, {"n_layer": 12, "n_embd": 768}
ENDS = {"bos_token_id": 0, "eos_token_id": 0}
day08_step_flops = exercise(
    "step_flops(config, cached): to read one token behind so many in the cache.",
    cases=[*product(SHAPES, (13, 0, 63))],
    call=lambda answer, shape, cached: answer(GPT2Config(**shape, **ENDS), cached),
    each=True,
    hint=lambda case, right, answer: f"expected {right:,}, got {answer:,} for {case}",
    right=_step,
    wrong={
        "the mask hides it from the old queries": lambda c, n: _step(c, n, 2 * n + 1),
        "a token looks at itself, too: cached + 1 keys": lambda c, n: _step(c, n, n),
        "the cache was ignored: cached + 1 keys": lambda c, n: _step(c, n, 1),
        "n_inner is given, not 4 d": lambda c, n: _step(c, n, inner=4 * c.n_embd),
        "the head is missing: V d weights": lambda c, n: _step(c, n, head=0),
        "scores and sums are two products": lambda c, n: _step(c, n, looks=1),
        "a multiplication and an addition are two": lambda c, n: _step(c, n, flops=1),
        "the cached tokens were read again": lambda c, n: (n + 1) * _step(c, n),
    },
)


def _split(z, heads):
    return z.unflatten(-1, (heads, -1)).transpose(1, 2)  # (batch, head, seq, d_head)


def _thirds(z, heads):
    return [_split(third, heads) for third in z.chunk(3, dim=-1)]


_gelu = partial(F.gelu, approximate="tanh")
_attend = partial(F.scaled_dot_product_attention, is_causal=True)


def _mend(
    block, x, heads, cut=_thirds, sum_=lambda x, y: x, bend=_gelu, attend=_attend
):
    y = block.ln_1(x)
    gathered = attend(*cut(block.attn.c_attn(y), heads)).transpose(1, 2).flatten(2)
    x = sum_(x, y) + block.attn.c_proj(gathered)
    return x + block.mlp.c_proj(bend(block.mlp.c_fc(block.ln_2(x))))


def _try_block(mended, d, heads):
    """Run an answer on a small random block, whose parts have the lesson's names."""
    sizes = {"n_layer": 1, "vocab_size": 9, "n_positions": 9}
    config = GPT2Config(n_embd=d, n_head=heads, **sizes, **ENDS)
    luck = torch.Generator().manual_seed(d)
    with torch.no_grad():
        block = GPT2LMHeadModel(config).eval().transformer.h[0]
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=luck)
        block.attn.register_forward_hook(lambda attn, given, answer: answer[0])
        block.attn.heads, block.attn.split = heads, partial(_split, heads=heads)
        block.attn.attend, block.mlp.bend = _attend, _gelu
        itself = "block(x) is what you are writing: it would call itself"
        block.forward = lambda *given, **options: expect(False, itself)
        x = torch.randn(2, 7, d, generator=luck)
        given = x.clone()
        answer = mended(block, x, heads)
    expect(torch.equal(x, given), "x was changed in place: x = x + …, not x +=")
    return answer


# In the order in which the debugger meets them; what to do, the learner finds out.
CUT = "still wrong: how query, key and value are cut out of what c_attn returns"
STREAM = "still wrong: what attention's output is added to"
day08_mend = exercise(
    "mended(block, x, heads): what a block of GPT-2 does.",
    cases=[(24, 4), (16, 2)],
    call=_try_block,
    same=partial(same, atol=1e-4),
    hint=lambda *_: "something is still wrong: what does try_out(mended) say?",
    right=_mend,
    wrong={
        CUT: partial(_mend, cut=lambda z, n: _split(z, n).chunk(3, dim=-1)),
        STREAM: partial(_mend, sum_=lambda x, y: y),
        "still wrong: which of its two forms the GELU has": partial(_mend, bend=F.gelu),
        f"{STREAM}, and more": partial(_mend, sum_=lambda x, y: y, bend=F.gelu),
        "use heads, they need not be 8": lambda block, x, heads: _mend(block, x, 8),
        "it must be causal": partial(_mend, attend=F.scaled_dot_product_attention),
    },
)
