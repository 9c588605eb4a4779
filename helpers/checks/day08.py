"""Checks for day 8: a mask behind a cache, a norm folded, a step's work, a block."""

from functools import partial
from itertools import product

import torch
from torch.nn import functional as F
from transformers import GPT2Config, GPT2LMHeadModel

from helpers.checks.common import Mistake, exercise, expect
from helpers.checks.values import same

__all__ = ["day08_cached_mask", "day08_fold", "day08_mend", "day08_step_flops"]


def triangle(rows, columns, diagonal=0):
    return torch.ones(rows, columns).tril(diagonal).bool()


def moved(more):
    """Return a mask whose diagonal has moved by so much more than past."""
    return lambda past, new: triangle(new, past + new, past + more)


right_mask = moved(0)


day08_cached_mask = exercise(
    "day08_cached_mask",
    """cached_mask(past, new): (new, past + new), True where a query may look.""",
    cases=[(5, 3), (0, 4), (6, 1), (2, 4), (0, 1), (4, 4)],
    right=right_mask,
    wrong={
        "row i is at position past + i, not at i: the diagonal moves by what is in the "
        "cache": lambda past, new: triangle(new, past + new),
        "by past, not by new, the diagonal moves": lambda past, new: triangle(
            new, past + new, new
        ),
        "a query sees its own token, too": moved(-1),
        "a query sees the token behind it": moved(1),
        "new tokens see each other's future": lambda past, new: triangle(
            new, past + new, 99
        ),
        "upside down: True is where a query may look": lambda *n: ~right_mask(*n),
        "backwards: what comes is shown": lambda *n: ~moved(-1)(*n),
        "the cached tokens are hidden from the new ones": lambda past, new: (
            right_mask(past, new) & (torch.arange(past + new) >= past)
        ),
        "cached keys come first, then new ones": lambda *n: right_mask(*n).roll(
            n[1], 1
        ),
        "the cached tokens ask nothing any more: one row for each new token, not "
        "for all": lambda past, new: triangle(past + new, past + new),
        "past + new columns: a query sees the cache": lambda past, new: triangle(
            new, new
        ),
        "rows are queries, columns are keys": lambda *n: right_mask(*n).T,
    },
)


def scaled(w, b, W, c):
    return w[:, None] * W


def added(w, b, W, c):
    return b @ W + c


def folding(weight=scaled, bias=added):
    def fold(norm_weight, norm_bias, weight_, bias_):
        given = norm_weight, norm_bias, weight_, bias_
        return weight(*given), bias(*given)

    return fold


def norms_and_projections(luck):
    sizes = (5, 5), (6, 10), (8, 3)  # inputs, outputs; a square has other mistakes
    shapes = [((d,), (d,), (d, outputs), (outputs,)) for d, outputs in sizes]
    return [tuple(torch.randn(s, generator=luck) for s in given) for given in shapes]


day08_fold = exercise(
    "day08_fold",
    """fold(norm_weight, norm_bias, weight, bias): a projection with the norm in it.""",
    cases=norms_and_projections,
    each=True,
    right=lambda norm_weight, norm_bias, weight, bias: folding()(
        norm_weight, norm_bias, weight, bias
    ),
    wrong={
        "the norm's weight belongs to the inputs, so it scales W's rows, as W is "
        "(in, out): w[:, None] * W": folding(weight=lambda w, b, W, c: w * W),
        "the norm's weight is not in the weight": folding(weight=lambda w, b, W, c: W),
        "multiply: nothing is undone": folding(lambda w, b, W, c: W / w[:, None]),
        "the new weight is (in, out), too": folding(lambda *given: scaled(*given).T),
        "the norm's bias is forgotten: it goes through W": folding(
            bias=lambda *g: g[3]
        ),
        "the projection's own bias is forgotten": folding(
            bias=lambda w, b, W, c: b @ W
        ),
        "the norm's bias is added after the norm's weight: it goes through the old W, "
        "not the new": folding(bias=lambda w, b, W, c: (b * w) @ W + c),
        "the norm's bias goes through W: b @ W": folding(bias=lambda w, b, W, c: b + c),
        "b @ W, not W @ b: W is (in, out)": folding(bias=lambda w, b, W, c: W @ b + c),
        "b @ W is added, not subtracted": folding(bias=lambda w, b, W, c: c - b @ W),
        "the projection's bias stays as it is, as no norm comes behind it, to scale "
        "it": folding(bias=lambda w, b, W, c: b @ W + w.mean() * c),
        "first the weight, then the bias": lambda *given: folding()(*given)[::-1],
        "two tensors: the bias, too": scaled,
    },
)


def step(config, cached, keys=None, flops=2, matrices=4, inner=None, looks=2, head=1):
    d, inner = config.n_embd, inner or width(config)
    weights = config.n_layer * (matrices * d**2 + 2 * d * inner)
    looking = config.n_layer * looks * d * (cached + 1 if keys is None else keys)
    return int(flops * (weights + looking + head * config.vocab_size * d))


def width(config):
    return config.n_inner or 4 * config.n_embd


def biases(config, cached):
    return step(config, cached) + config.n_layer * (5 * config.n_embd + width(config))


def all_parameters(config, cached):
    norms = config.n_layer * 4 * config.n_embd + 2 * config.n_embd
    table = config.n_positions * config.n_embd
    return 2 * biases(config, cached) - step(config, cached) + 2 * (norms + table)


SHAPES = (
    {"n_layer": 3, "n_head": 4, "n_embd": 20, "vocab_size": 70},
    {"n_layer": 5, "n_head": 2, "n_embd": 16, "vocab_size": 90, "n_inner": 24},
    {"n_layer": 12, "n_head": 12, "n_embd": 768},
)
ENDS = {"bos_token_id": 0, "eos_token_id": 0}
day08_step_flops = exercise(
    "day08_step_flops",
    """step_flops(config, cached): to read one token behind so many in the cache.""",
    cases=[*product(SHAPES, (13, 0, 63))],
    call=lambda answer, shape, cached: answer(GPT2Config(**shape, **ENDS), cached),
    each=True,
    right=step,
    wrong={
        "a token looks at itself, too: cached + 1 keys": lambda c, n: step(
            c, n, keys=n
        ),
        "a token looks at cached + 1 keys": lambda c, n: step(c, n, keys=n + 2),
        "the cache was ignored: cached + 1 keys": lambda c, n: step(c, n, keys=1),
        "a multiplication and an addition are two": lambda c, n: step(c, n, flops=1),
        "the head is missing: V d weights": lambda c, n: step(c, n, head=0),
        "embeddings are looked up, not multiplied": lambda c, n: step(c, n, head=2),
        "n_inner is given, not 4 d": lambda c, n: step(c, n, inner=4 * c.n_embd),
        "the cached tokens were read again": lambda c, n: (n + 1) * step(c, n),
        "the old queries would look at the new token, too: the mask hides it, in the "
        "longer text as well": lambda c, n: step(c, n, keys=2 * n + 1),
        "the square belongs to a whole text; the one query of a step meets cached + 1 "
        "keys": lambda c, n: step(c, n, keys=(n + 1) ** 2),
        "scores and sums are two products": lambda c, n: step(c, n, looks=1),
        "scores and sums are missing": lambda c, n: step(c, n, looks=0),
        "every layer has scores and sums": lambda c, n: step(c, n, looks=2 / c.n_layer),
        "heads divide the width among them, so that all of them together cost what one "
        "would": lambda c, n: step(c, n, looks=2 * c.n_head),
        "attention has four matrices of d * d": lambda c, n: step(c, n, matrices=3),
        "the feed-forward has two matrices": lambda c, n: step(
            c, n, inner=width(c) / 2
        ),
        "matrices only: of all parameters, those of norms, biases and positions do not "
        "multiply": all_parameters,
        "matrix products only: biases do not count": biases,
    },
)


def split(z, heads):
    return z.unflatten(-1, (heads, -1)).transpose(1, 2)  # (batch, head, seq, d_head)


def thirds(z, heads):
    return [split(third, heads) for third in z.chunk(3, dim=-1)]


def gelu(z):
    return F.gelu(z, approximate="tanh")


attend = partial(F.scaled_dot_product_attention, is_causal=True)


def merge(gathered):
    return gathered.transpose(1, 2).flatten(2)  # (batch, seq, d_model)


def add(x, total, norm, feed):
    return total + feed(norm(total))


def block(
    cut=thirds, stream=lambda x, y: x, bend=gelu, attend=attend, merge=merge, end=add
):
    """Return the block of the exercise, made of parts that can be exchanged."""

    def mended(block, x, heads):
        y = block.ln_1(x)
        gathered = attend(*cut(block.attn.c_attn(y), heads))
        total = stream(x, y) + block.attn.c_proj(merge(gathered))

        def feed(z):
            return block.mlp.c_proj(bend(block.mlp.c_fc(z)))

        return end(x, total, block.ln_2, feed)

    return mended


def heads_first(z, heads):
    return split(z, heads).chunk(3, dim=-1)


def viewed(z, heads):
    return [t.reshape(len(t), heads, t.shape[1], -1) for t in z.chunk(3, dim=-1)]


def normed(x, y):
    return y


def refuse(*given, **options):
    raise Mistake("block(x) is what you are writing: it would call itself")


def try_block(mended, d, heads):
    """Run an answer on a small random block, whose parts have the lesson's names."""
    sizes = {"n_layer": 1, "vocab_size": 9, "n_positions": 9}
    config = GPT2Config(n_embd=d, n_head=heads, **sizes, **ENDS)
    luck = torch.Generator().manual_seed(d)
    with torch.no_grad():
        block = GPT2LMHeadModel(config).eval().transformer.h[0]
        for parameter in block.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=luck)
        block.attn.register_forward_hook(lambda attn, given, answer: answer[0])
        block.attn.heads, block.attn.split = heads, partial(split, heads=heads)
        block.attn.attend, block.mlp.bend, block.forward = attend, gelu, refuse
        x = torch.randn(2, 7, d, generator=luck)
        given = x.clone()
        answer = mended(block, x, heads)
    expect(torch.equal(x, given), "x was changed in place: x = x + …, not x +=")
    return answer


def ask_debugger(case, expected, answer):
    if isinstance(answer, torch.Tensor):
        gap = (answer - expected).abs().max()
        return f"off by up to {gap:.2g}: what does try_out(mended) say?"
    return None


# In the order in which the debugger meets them; what to do, the learner finds out.
CUT = "still wrong: how query, key and value are cut out of what c_attn returns"
STREAM = "still wrong: what attention's output is added to"
BEND = "still wrong: which of its two forms the GELU has"
day08_mend = exercise(
    "day08_mend",
    """mended(block, x, heads): what a block of GPT-2 does.""",
    cases=[(24, 4), (16, 2)],
    call=try_block,
    same=partial(same, atol=1e-4),
    hint=ask_debugger,
    right=block(),
    wrong={
        CUT: block(heads_first),
        STREAM: block(stream=normed),
        BEND: block(bend=F.gelu),
        f"{CUT}, and more in attention": block(heads_first, normed),
        f"{CUT}, and more in the feed-forward": block(heads_first, bend=F.gelu),
        f"{CUT}, and more in both halves": block(heads_first, normed, F.gelu),
        f"{STREAM}, and more behind it": block(stream=normed, bend=F.gelu),
        "right for the pocket model's 8 heads only": lambda b, x, _: block()(b, x, 8),
        "the causal mask is gone: is_causal=True": block(
            attend=F.scaled_dot_product_attention
        ),
        "divide scores by the root of d_head": block(attend=partial(attend, scale=1.0)),
        "query, key, value: in this order": block(
            lambda *z: [thirds(*z)[i] for i in (1, 0, 2)]
        ),
        "a third is (batch, seq, d_model): view it as (batch, seq, heads, d_head), "
        "then transpose": block(viewed),
        "what was gathered is (batch, heads, seq, d_head): transpose it back before "
        "you reshape": block(merge=lambda z: z.reshape(len(z), z.shape[2], -1)),
        "the feed-forward reads what came in: it must read the sum with attention's "
        "output": block(end=lambda x, total, norm, feed: total + feed(norm(x))),
        "ln_2 is missing": block(end=lambda x, total, norm, feed: total + feed(total)),
        "the second sum is missing": block(
            end=lambda x, total, norm, feed: feed(norm(total))
        ),
    },
)
