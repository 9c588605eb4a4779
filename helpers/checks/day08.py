"""Checks for day 8: a mask behind a cache, a norm folded, a step's work, a block."""

from itertools import product

import torch
from torch.nn import functional as F
from transformers import GPT2Config

from helpers.checks.old import exercise, expect
from helpers.checks.parts import Parts

__all__ = [
    "day08_cached_mask",
    "day08_fold",
    "day08_mend",
    "day08_step_flops",
]


@exercise
def day08_cached_mask(cached_mask) -> None:
    """cached_mask(past, new): (new, past + new), True where a query may look."""
    for past, new in ((0, 4), (5, 3), (6, 1), (2, 4), (0, 1), (4, 4)):
        _check_mask(cached_mask(past, new), past, new)


def _check_mask(mask, past: int, new: int) -> None:
    here = f"with {past} tokens cached and {new} new"
    total = past + new
    expect(isinstance(mask, torch.Tensor), f"{here}: expected a tensor, got {mask!r}")
    shape = tuple(mask.shape)
    few = "a query looks at the cached tokens, too: past + new columns"
    expect(shape != (new, new) or not past, f"{here}: {few}")
    rows = "the cached tokens ask nothing any more: a row for each new token only"
    expect(shape != (total, total) or not past, f"{here}: {rows}")
    expect(shape != (total, new) or not past, f"{here}: rows are queries, columns keys")
    expect(shape == (new, total), f"{here}: expected {(new, total)}, got {shape}")
    kind = f"expected True and False, got {mask.dtype}: compare, or .bool()"
    expect(mask.dtype == torch.bool, f"{here}: {kind}")
    own = torch.arange(past, total)[:, None]  # the position of each query
    place = torch.arange(total)
    mistakes = {
        "upside down: True is where a query may look": place > own,
        "row i is at position past + i, not at i: the diagonal moves": (
            place <= own - past
        ),
        "a query sees its own token, too": place < own,
        "a query sees the token behind it": place <= own + 1,
        "the new tokens see each other's future": place + 0 * own >= 0,
        "the cached tokens are hidden from the new ones": (
            (place <= own) & (place >= past)
        ),
        "backwards: this shows what comes, and hides what was": place >= own,
    }
    right = place <= own
    mask = mask.cpu()
    for mistake, wrong in mistakes.items():
        same = torch.equal(mask, wrong) and not torch.equal(wrong, right)
        expect(not same, f"{here}: {mistake}")
    expected = f"expected\n{right.int().tolist()}, got\n{mask.int().tolist()}"
    expect(torch.equal(mask, right), f"{here}: {expected}")


@exercise
def day08_fold(fold) -> None:
    """fold(norm_weight, norm_bias, weight, bias): a projection with the norm in it."""
    generator = torch.Generator().manual_seed(8)
    for d, outputs in ((6, 10), (5, 5), (8, 3)):
        shapes = ((d,), (d,), (d, outputs), (outputs,))
        given = [torch.randn(shape, generator=generator) for shape in shapes]
        kept = [tensor.clone() for tensor in given]
        answer = _run_fold(fold, given)
        unchanged = all(map(torch.equal, given, kept))
        expect(unchanged, "a tensor that was given has been changed: make new ones")
        _check_folded(answer, *kept)


def _run_fold(fold, given):
    """Run an answer; where torch refuses its shapes, say which axis is which."""
    try:
        return fold(*given)
    except NotImplementedError:  # a RuntimeError, too
        raise
    except RuntimeError as error:
        d, outputs = given[2].shape
        line = str(error).strip().splitlines()[0]
        axes = f"the norm's weight and bias ({d},) go along W's first axis, its rows"
        axes += f"; the bias c ({outputs},) along its second, W being ({d}, {outputs})"
        raise AssertionError(f"torch stops with: {line}. Here {axes}") from error


def _check_folded(answer, w, b, weight, bias) -> None:
    two = "return two tensors: the new weight (in, out), the new bias (out,)"
    expect(isinstance(answer, tuple | list) and len(answer) == 2, two)
    found, shift = answer
    for tensor, like in ((found, weight), (shift, bias)):
        got = tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else tensor
        expect(got == tuple(like.shape), f"expected {tuple(like.shape)}, got {got}")
    rows = "the norm's weight belongs to the inputs, so it scales rows: w[:, None] * W"
    square = weight.shape[0] == weight.shape[1]
    expect(not (square and torch.allclose(found, weight * w)), rows)
    expect(not torch.allclose(found, weight), "the norm's weight is not in the weight")
    inverse = "multiply: the norm's weight is applied before W, nothing is undone"
    expect(not torch.allclose(found, weight / w[:, None]), inverse)
    expect(torch.allclose(found, w[:, None] * weight, atol=1e-5), f"weight: {rows}")
    mistakes = {
        "the norm's bias is forgotten: it goes through W as well": bias,
        "the projection's own bias is forgotten": b @ weight,
        "the norm's bias is added after the norm's weight: it goes through the old W": (
            b @ (w[:, None] * weight) + bias
        ),
        "the projection's bias does not go through the norm": w.mean() * bias,
    }
    if square:
        mistakes["the norm's bias must go through W: b @ W"] = bias + b
        mistakes["b @ W, not W @ b: W is (in, out)"] = weight @ b + bias
    for mistake, wrong in mistakes.items():
        expect(not torch.allclose(shift, wrong, atol=1e-5), f"bias: {mistake}")
    wanted = b @ weight + bias
    close = torch.allclose(shift, wanted, atol=1e-5)
    gap = (shift - wanted).abs().max()
    expect(close, f"bias: off by up to {gap:.2g}; what becomes of x = 0 in the norm?")


@exercise
def day08_step_flops(step_flops) -> None:
    """step_flops(config, cached): to read one token behind so many in the cache."""
    shapes = (
        {"n_layer": 3, "n_head": 4, "n_embd": 20, "vocab_size": 70},
        {"n_layer": 5, "n_head": 2, "n_embd": 16, "vocab_size": 90, "n_inner": 24},
        {"n_layer": 12, "n_head": 12, "n_embd": 768},
    )
    ends = {"bos_token_id": 0, "eos_token_id": 0}
    for shape in shapes:
        config = GPT2Config(**shape, **ends)
        for cached in (10, 0, 63):
            _check_step(step_flops(config, cached), config, cached, shape)


def _check_step(answer, config, cached: int, shape: dict) -> None:
    expect(isinstance(answer, int), f"expected a whole number, got {answer!r}")
    d, layers = config.n_embd, config.n_layer
    inner = config.n_inner or 4 * d
    projections = 2 * layers * (4 * d * d + 2 * d * inner)
    looking, head = 2 * layers * 2 * d, 2 * config.vocab_size * d
    right = projections + looking * (cached + 1) + head
    fixed = projections + head
    mistakes = {
        "a token looks at itself, too: cached + 1 keys": fixed + looking * cached,
        "a multiplication and an addition are two FLOPs": right // 2,
        "the head is missing: V d weights": right - head,
        "n_inner is given here: the feed-forward is not 4 d wide": (
            right + 2 * layers * 2 * d * (4 * d - inner)
        ),
        "all cached tokens were read again: only one is new": (
            (cached + 1) * (fixed + looking * (cached + 1))
        ),
        "the old queries would look at the new token, too: the mask hides it": (
            fixed + looking * (2 * cached + 1)
        ),
        "the square belongs to a whole text; one query meets cached + 1 keys": (
            fixed + looking * (cached + 1) ** 2
        ),
        "scores and sums are two products: 2 d for each key": (
            right - looking * (cached + 1) // 2
        ),
        "heads divide the width among them: they multiply nothing": (
            fixed + looking * (cached + 1) * config.n_head
        ),
        "scores and sums are missing": fixed,
        "scores and sums are in every layer": (
            fixed + looking * (cached + 1) // layers
        ),
        "embeddings are looked up, not multiplied": right + head,
        "the last of attention's four matrices is missing": right - 2 * layers * d * d,
    }
    here = f"{shape}, {cached} cached"
    for mistake, wrong in mistakes.items():
        expect(answer != wrong or wrong == right, f"{mistake} ({here})")
    expect(answer == right, f"expected {right:,}, got {answer:,} ({here})")


@exercise
def day08_mend(mended) -> None:
    """mended(block, x, heads): what a block of GPT-2 does."""
    for seed, (d, heads, batch, seq) in enumerate([(24, 4, 2, 7), (12, 3, 1, 5)]):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            block, x = Parts(d, heads).eval(), torch.randn(batch, seq, d)
        kept = x.clone()
        with torch.no_grad():
            answer = mended(block, x, heads)
            expect(torch.equal(x, kept), "x was changed in place: x = x + …, not x +=")
            _check_block(answer, block, x, heads)


# In the order in which the debugger meets them; what to do, the learner finds out.
LEFT = (
    "how query, key and value are cut out of what c_attn returns",
    "what attention's output is added to",
    "which of its two forms the GELU has",
)


def _check_block(answer, block, x, heads: int) -> None:
    kind = isinstance(answer, torch.Tensor)
    got = tuple(answer.shape) if kind else type(answer).__name__
    expect(kind and got == tuple(x.shape), f"expected {tuple(x.shape)}, got {got}")
    for mistakes in product((False, True), repeat=3):
        if any(mistakes) and _near(answer, _block(block, x, heads, *mistakes)):
            first = LEFT[mistakes.index(True)]
            more = ", and more behind it" if sum(mistakes) > 1 else ""
            raise AssertionError(f"still wrong: {first}{more}")
    open_future = _block(block, x, heads, causal=False)
    expect(not _near(answer, open_future), "the causal mask is gone: is_causal=True")
    right = _block(block, x, heads)
    gap = (answer - right).abs().max()
    advice = "what does try_out(mended) say?"
    expect(_near(answer, right), f"off by up to {gap:.2g}: {advice}")


def _near(one, other) -> bool:
    return torch.allclose(one, other, rtol=1e-4, atol=3e-5)


def _block(
    block, x, heads: int, thirds=False, normed=False, exact=False, causal=True
) -> torch.Tensor:
    """Run a block of GPT-2, with the mistakes that are asked for."""
    y = block.ln_1(x)
    projected = block.attn.c_attn(y)
    if thirds:
        split = projected.unflatten(-1, (heads, -1)).chunk(3, dim=-1)
    else:
        split = [z.unflatten(-1, (heads, -1)) for z in projected.chunk(3, dim=-1)]
    query, key, value = (z.transpose(1, 2) for z in split)
    gathered = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
    merged = gathered.transpose(1, 2).flatten(2)
    x = (y if normed else x) + block.attn.c_proj(merged)
    inner = block.mlp.c_fc(block.ln_2(x))
    bent = F.gelu(inner, approximate="none" if exact else "tanh")
    return x + block.mlp.c_proj(bent)
