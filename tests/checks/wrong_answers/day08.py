"""Wrong and right answers to the exercises of day 8."""

import torch
from torch.nn import functional as F

from helpers.gpt2.counting import flops


def _mask(compare):
    """A mask from a comparison of key positions, query positions and the past."""

    def cached_mask(past, new):
        place = torch.arange(past + new)
        return compare(place, torch.arange(past, past + new)[:, None], past)

    return cached_mask


def _fold(weight, bias):
    """A folded projection from two formulas in w, b (the norm's), W and c."""

    def fold(w, b, W, c):
        return weight(w, b, W, c), bias(w, b, W, c)

    return fold


def _fold_in_place(w, b, W, c):
    c += b @ W
    W *= w[:, None]
    return W, c


def _right_weight(w, b, W, c):
    return w[:, None] * W


def _right_bias(w, b, W, c):
    return b @ W + c


def _step(
    *, each=lambda n: n + 1, fma=2, head=1, inner=None, looks=2, per=lambda c: 1, qkvo=4
):
    """The work of a step, with its terms exchanged."""

    def step_flops(config, cached):
        d, layers = config.n_embd, config.n_layer
        wide = inner(d) if inner else config.n_inner or 4 * d
        weights = layers * (qkvo * d * d + 2 * d * wide) + head * config.vocab_size * d
        looked = layers * looks * d * each(cached) * per(config)
        return int(fma * (weights + looked))

    return step_flops


def _reads_again(config, cached):
    return (cached + 1) * _step()(config, cached)


def _one_layer_looks(config, cached):
    return int(_step(per=lambda c: 1 / c.n_layer)(config, cached))


def _block(
    *,
    heads_first=False,
    add_to=lambda x, y: x,
    gelu=lambda z: F.gelu(z, approximate="tanh"),
    causal=True,
    second=lambda x, a: a,
    merge=lambda g: g.transpose(1, 2).flatten(2),
):
    """A block, with its parts exchanged."""

    def mended(block, x, heads):
        y = block.ln_1(x)
        z = block.attn.c_attn(y)
        if heads_first:
            cut = z.unflatten(-1, (heads, -1)).chunk(3, dim=-1)
        else:
            cut = [third.unflatten(-1, (heads, -1)) for third in z.chunk(3, dim=-1)]
        query, key, value = (part.transpose(1, 2) for part in cut)
        found = F.scaled_dot_product_attention(query, key, value, is_causal=causal)
        a = add_to(x, y) + block.attn.c_proj(merge(found))
        return second(x, a) + block.mlp.c_proj(gelu(block.mlp.c_fc(block.ln_2(a))))

    return mended


def _in_place(block, x, heads):
    x += _block()(block, x, heads) - x
    return x


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


def _with_whole_parts(block, x, heads):
    x = x + block.attn(block.ln_1(x))
    return x + block.mlp(block.ln_2(x))


WRONG = {
    "day08_cached_mask": [
        (
            "the triangle begins at the left",
            lambda past, new: torch.ones(new, past + new).tril().bool(),
            "past + i, not at i",
        ),
        (
            "a square of the new ones",
            lambda past, new: torch.ones(new, new).tril().bool(),
            "past + new columns",
        ),
        (
            "a square of all",
            lambda past, new: torch.ones(past + new, past + new).tril().bool(),
            "a row for each new token only",
        ),
        ("hides what it should show", _mask(lambda k, q, past: k > q), "upside down"),
        ("not itself", _mask(lambda k, q, past: k < q), "its own token, too"),
        (
            "one too many",
            _mask(lambda k, q, past: k <= q + 1),
            "sees the token behind it",
        ),
        (
            "no mask at all",
            lambda past, new: torch.ones(new, past + new).bool(),
            "each other's future",
        ),
        (
            "the cache is hidden",
            _mask(lambda k, q, past: (k <= q) & (k >= past)),
            "hidden from the new ones",
        ),
        (
            "numbers",
            lambda past, new: torch.ones(new, past + new).tril(past),
            "expected True and False",
        ),
        (
            "keys by queries",
            lambda past, new: torch.ones(past + new, new).tril().bool(),
            "rows are queries",
        ),
        ("backwards", _mask(lambda k, q, past: k >= q), "backwards"),
        ("nothing", lambda past, new: None, "expected a tensor"),
    ],
    "day08_fold": [
        (
            "columns scaled",
            lambda w, b, W, c: (
                (W * w, b @ W + c)
                if W.shape[0] == W.shape[1]
                else (w[:, None] * W, b @ W + c)
            ),
            "scales rows",
        ),
        ("weight kept", _fold(lambda w, b, W, c: W, _right_bias), "not in the weight"),
        (
            "divided",
            _fold(lambda w, b, W, c: W / w[:, None], _right_bias),
            "nothing is undone",
        ),
        (
            "norm's bias forgotten",
            _fold(_right_weight, lambda w, b, W, c: c),
            "goes through W as well",
        ),
        (
            "own bias forgotten",
            _fold(_right_weight, lambda w, b, W, c: b @ W),
            "own bias is forgotten",
        ),
        (
            "bias through the new weight",
            _fold(_right_weight, lambda w, b, W, c: b @ (w[:, None] * W) + c),
            "goes through the old W",
        ),
        ("in place", _fold_in_place, "has been changed"),
        ("transposed", _fold(lambda w, b, W, c: (w[:, None] * W).T, _right_bias), "ex"),
        ("one tensor", lambda w, b, W, c: w[:, None] * W, "return two tensors"),
        (
            "biases of two sizes added",
            _fold(_right_weight, lambda w, b, W, c: b + c),
            "along W's first axis",
        ),
        (
            "columns scaled, where they do not fit",
            _fold(lambda w, b, W, c: w * W, _right_bias),
            "its rows",
        ),
        (
            "biases swapped in the square",
            lambda w, b, W, c: (
                w[:, None] * W,
                W @ b + c if W.shape[0] == W.shape[1] else b @ W + c,
            ),
            "not W @ b",
        ),
        (
            "bias doubled",
            _fold(_right_weight, lambda w, b, W, c: b @ W + 2 * c),
            "off by up to",
        ),
    ],
    "day08_step_flops": [
        ("not itself", _step(each=lambda n: n), "cached + 1 keys"),
        ("multiplications only", _step(fma=1), "are two FLOPs"),
        ("no head", _step(head=0), "the head is missing"),
        ("always 4 d", _step(inner=lambda d: 4 * d), "n_inner is given"),
        ("reads all again", _reads_again, "only one is new"),
        (
            "the longer text less the shorter",
            lambda c, n: sum(flops(c, n + 1).values()) - sum(flops(c, n).values()),
            "the mask hides it",
        ),
        ("a square", _step(each=lambda n: (n + 1) ** 2), "the square belongs"),
        ("scores only", _step(looks=1), "two products"),
        ("times heads", _step(per=lambda c: c.n_head), "they multiply nothing"),
        ("no looking", _step(looks=0), "scores and sums are missing"),
        ("looks in one layer", _one_layer_looks, "in every layer"),
        ("embedding multiplied", _step(head=2), "looked up"),
        ("three matrices", _step(qkvo=3), "attention's four matrices"),
        ("a float", lambda c, n: float(_step()(c, n)), "a whole number"),
        ("nonsense", lambda c, n: 7, "expected"),
    ],
    "day08_mend": [
        ("thirds", _block(heads_first=True), "query, key and value are cut"),
        ("normed stream", _block(add_to=lambda x, y: y), "output is added to"),
        ("exact GELU", _block(gelu=F.gelu), "two forms the GELU"),
        (
            "all three",
            _block(heads_first=True, add_to=lambda x, y: y, gelu=F.gelu),
            "what c_attn returns, and more behind it",
        ),
        ("two left", _block(add_to=lambda x, y: y, gelu=F.gelu), "to, and more"),
        ("itself", lambda block, x, heads: block(x), "it would call itself"),
        ("no mask", _block(causal=False), "the causal mask is gone"),
        ("attention lost", _block(second=lambda x, a: x), "try_out(mended)"),
        (
            "merged by view",
            _block(merge=lambda g: g.reshape(len(g), g.shape[2], -1)),
            "off by",
        ),
        ("ReLU", _block(gelu=F.relu), "off by up to"),
        ("in place", _in_place, "changed in place"),
        ("nothing", lambda block, x, heads: None, "NoneType"),
    ],
}

RIGHT = {
    "day08_cached_mask": [
        lambda past, new: torch.ones(new, past + new).tril(past).bool(),
        _mask(lambda k, q, past: k <= q),
        lambda past, new: torch.ones(past + new, past + new).tril().bool()[past:],
    ],
    "day08_fold": [
        _fold(_right_weight, _right_bias),
        lambda w, b, W, c: (torch.diag(w) @ W, c + W.T @ b),
    ],
    "day08_step_flops": [
        _step(),
        lambda config, n: (
            2
            * config.n_embd
            * (
                config.n_layer
                * (
                    4 * config.n_embd
                    + 2 * (config.n_inner or 4 * config.n_embd)
                    + 2 * (n + 1)
                )
                + config.vocab_size
            )
        ),
        lambda config, n: sum(flops(config, n + 1).values()) // (n + 1),
    ],
    "day08_mend": [_block(), _written_out, _with_parts, _with_whole_parts],
}
