"""A learner's GPT-2 in plain PyTorch, and bugs to plant in it."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from helpers.parity.mistakes import LAYER, OPERATIONS


def where(layer, name):
    words = OPERATIONS[name].words
    return words if layer is None else f"layer {layer}: {words}"


class Norm(nn.Module):
    """Layer norm by hand."""

    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.eps = eps

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        var = x.var(-1, keepdim=True, unbiased=False)
        return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


class Attention(nn.Module):
    """Explicit attention, one step per line."""

    def __init__(self, config):
        super().__init__()
        self.heads, self.width = config.n_head, config.n_embd
        self.c_attn = nn.Linear(self.width, 3 * self.width)
        self.c_proj = nn.Linear(self.width, self.width)

    def forward(self, x):
        q, k, v = (self.split(t) for t in self.project(x))
        return self.output(self.merge(self.attend(q, k, v)))

    def project(self, x):
        return self.c_attn(x).split(self.width, dim=-1)

    def split(self, x):
        batch, seq, _ = x.shape
        return x.view(batch, seq, self.heads, -1).transpose(1, 2)

    def attend(self, q, k, v):
        scores = self.mask(self.scale(q @ k.transpose(-1, -2), q))
        return self.gather(self.weigh(scores), v)

    def scale(self, scores, q):
        return scores / math.sqrt(q.shape[-1])

    def mask(self, scores):
        seq = scores.shape[-1]
        return scores.masked_fill(self.future(seq), -math.inf)

    def future(self, seq):
        return torch.triu(torch.ones(seq, seq, dtype=torch.bool), 1)

    def weigh(self, scores):
        return scores.softmax(-1)

    def gather(self, weights, v):
        return weights @ v

    def merge(self, x):
        return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1)

    def output(self, x):
        return self.c_proj(x)


class MLP(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.c_fc = nn.Linear(config.n_embd, 4 * config.n_embd)
        self.c_proj = nn.Linear(4 * config.n_embd, config.n_embd)

    def forward(self, x):
        return self.down(self.activate(self.c_fc(x)))

    def activate(self, x):
        return 0.5 * x * (1 + torch.tanh((2 / math.pi) ** 0.5 * (x + 0.044715 * x**3)))

    def down(self, x):
        return self.c_proj(x)


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1 = Norm(config.n_embd, config.layer_norm_epsilon)
        self.attn = Attention(config)
        self.ln_2 = Norm(config.n_embd, config.layer_norm_epsilon)
        self.mlp = MLP(config)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Learner(nn.Module):
    """What a learner writes; weights are loaded with every Conv1D transposed."""

    def __init__(self, config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.h = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = Norm(config.n_embd, config.layer_norm_epsilon)

    def forward(self, ids):
        x = self.embed(ids)
        for block in self.blocks():
            x = block(x)
        return self.head(self.ln_f(x))

    def embed(self, ids):
        return self.wte(ids) + self.wpe(self.positions(ids))

    def positions(self, ids):
        return torch.arange(ids.shape[-1])

    def blocks(self):
        return self.h

    def head(self, x):
        return x @ self.wte.weight.T


CONV = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


def learner(reference, **changes):
    """A learner's model with the reference's weights, and some methods exchanged.

    ``changes``: by "part_method", a function that takes the part first; "whole" is
    called on the finished model.
    """
    model = Learner(reference.config)
    weights = reference.transformer.state_dict()
    model.load_state_dict(
        {n: w.T.clone() if n.endswith(CONV) else w.clone() for n, w in weights.items()}
    )
    kinds = {"attn": Attention, "mlp": MLP, "block": Block, "model": Learner}
    kinds |= {"norm": Norm}
    whole = changes.pop("whole", None)
    for name, change in changes.items():
        part, method = name.split("_", 1)
        for module in model.modules():
            if type(module) is kinds[part]:
                setattr(module, method, change.__get__(module))
    model.eval()
    if whole:
        whole(model)
    return model


def sdpa(reference, **changes):
    """The right model with the fused attention, as most write it today."""

    def attend(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    def activate(self, x):
        return F.gelu(x, approximate="tanh")

    def forward(self, x):
        return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)

    right = {"attn_attend": attend, "mlp_activate": activate, "norm_forward": forward}
    return learner(reference, **right | changes)


def swap_norms(model):
    for block in model.h:
        block.ln_1, block.ln_2 = block.ln_2, block.ln_1


def each(part, change):
    """Change something on every part of the model, once it is loaded."""

    def whole(model):
        for block in model.h:
            change(block.get_submodule(part) if part else block)

    return whole


def set_weight(name, change):
    def on(module):
        module.get_parameter(name).data = change(module.get_parameter(name).data)

    return on


def forget(name):
    """Leave one weight as it began."""
    luck = torch.Generator().manual_seed(7)
    return set_weight(name, lambda w: torch.randn(w.shape, generator=luck) * 0.02)


def post_norm(self, x):
    x = self.ln_1(x + self.attn(x))
    return self.ln_2(x + self.mlp(x))


def no_residual(self, x):
    x = self.attn(self.ln_1(x))
    return x + self.mlp(self.ln_2(x))


def residual_of_norm(self, x):
    x = self.ln_1(x)
    x = x + self.attn(x)
    return x + self.mlp(self.ln_2(x))


def parallel(self, x):
    return x + self.attn(self.ln_1(x)) + self.mlp(self.ln_2(x))


def no_second_residual(self, x):
    x = x + self.attn(self.ln_1(x))
    return self.mlp(self.ln_2(x))


def second_of_input(self, x):
    middle = x + self.attn(self.ln_1(x))
    return x + self.mlp(self.ln_2(middle))


def second_of_norm(self, x):
    x = self.ln_2(x + self.attn(self.ln_1(x)))
    return x + self.mlp(x)


def no_first_norm(self, x):
    x = x + self.attn(x)
    return x + self.mlp(self.ln_2(x))


def no_second_norm(self, x):
    x = x + self.attn(self.ln_1(x))
    return x + self.mlp(x)


def no_feed_forward(self, x):
    return x + self.attn(self.ln_1(x))


def no_attention(self, x):
    return x + self.mlp(self.ln_2(x))


def mask_after_softmax(self, q, k, v):
    weights = self.scale(q @ k.transpose(-1, -2), q).softmax(-1)
    return (weights * ~self.future(q.shape[-2])) @ v


def interleaved(self, x):
    batch, seq, _ = x.shape
    parts = self.c_attn(x).view(batch, seq, self.heads, 3, -1)
    return [part.reshape(batch, seq, -1) for part in parts.unbind(3)]


def extra_bias(self, x):
    luck = torch.Generator().manual_seed(3)
    return x @ self.wte.weight.T + torch.randn(len(self.wte.weight), generator=luck)


def two_norms(self, ids):
    x = self.embed(ids)
    for block in self.h:
        x = block(x)
    return self.head(self.ln_f(self.ln_f(x)))


def no_final_norm(self, ids):
    x = self.embed(ids)
    for block in self.h:
        x = block(x)
    return self.head(x)


def norm_over_positions(self, x):
    mean, var = x.mean(1, keepdim=True), x.var(1, keepdim=True, unbiased=False)
    return (x - mean) / torch.sqrt(var + self.eps) * self.weight + self.bias


def normal(self, x, *, unbiased=False, eps=None):
    var = x.var(-1, keepdim=True, unbiased=unbiased)
    eps = self.eps if eps is None else eps
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(var + eps)


def rms(self, x):
    return (
        x * (x.pow(2).mean(-1, keepdim=True) + self.eps).rsqrt() * self.weight
        + self.bias
    )


def fused(mask=None, **options):
    """The fused attention with another mask or scale."""

    def attend(self, q, k, v):
        options.setdefault("is_causal", mask is None)
        own = None if mask is None else mask(q.shape[-2])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=own, **options)

    return attend


def small_query_attend(self, q, k, v):
    scores = q / self.width**0.5 @ k.mT
    return Attention.mask(self, scores).softmax(-1) @ v


def own_head(self, x):
    luck = torch.Generator().manual_seed(5)
    shape = self.wte.weight.shape
    self.lm_head = nn.Linear(*reversed(shape), bias=False)
    self.lm_head.weight.data = torch.randn(shape, generator=luck)
    return self.lm_head(x)


def reshape(w):
    return w.T.reshape(w.shape)


def set_heads(heads):
    return lambda attention: setattr(attention, "heads", heads)


class Bug(NamedTuple):
    """A mistake: its name, where it is, words of its cause, how it is made."""

    name: str
    operation: str
    cause: str
    changes: dict
    style: Callable = learner

    def build(self, reference):
        return self.style(reference, **self.changes)


def bugs(method, operation, rows, *, layer=0, style=learner):
    """Bugs of one method in one operation; ``rows``: name, (cause, change)."""
    place = where(layer if operation in LAYER else None, operation)
    return [
        Bug(name, place, cause, {method: change}, style)
        for name, (cause, change) in rows.items()
    ]


ones = torch.ones
root = math.sqrt
embed = Learner.embed


def thirds(*order):
    """Query, key and value in another order."""
    return lambda s, x: [s.c_attn(x).chunk(3, -1)[i] for i in order]


def unmasked_below(diagonal):
    """The future from this diagonal on."""
    return lambda s, seq: ones(seq, seq, dtype=torch.bool).triu(diagonal)


def seen_below(diagonal):
    """What is not the future, as the future."""
    return lambda s, seq: ones(seq, seq, dtype=torch.bool).tril(diagonal)


def with_dropout(model):
    drop = nn.Dropout(0.1)
    model.embed = lambda ids: drop(embed(model, ids))


BUGS = [
    *bugs(
        "model_positions",
        "position_embedding",
        {
            "positions from 1": (
                "counted from 1",
                lambda s, ids: torch.arange(ids.shape[-1]) + 1,
            ),
            "positions backwards": (
                "backwards",
                lambda s, ids: torch.arange(ids.shape[-1]).flip(0),
            ),
            "position 0 for all": ("has position 0", lambda s, ids: ids * 0),
        },
    ),
    *bugs(
        "model_embed",
        "position_embedding",
        {"no positions": ("is not added", lambda s, ids: s.wte(ids))},
    ),
    *bugs(
        "model_embed",
        "token_embedding",
        {
            "embedding scaled": (
                "sqrt(d_model)",
                lambda s, ids: (
                    s.wte(ids) * root(s.wte.embedding_dim) + s.wpe(s.positions(ids))
                ),
            ),
        },
    ),
    *bugs(
        "whole",
        "token_embedding",
        {
            "wte not loaded": ("wte.weight of your model is not", forget("wte.weight")),
            "float16 weights": ("rounded to float16", lambda m: m.half().float()),
            "bfloat16 model": ("rounded to bfloat16", lambda m: m.bfloat16()),
        },
    ),
    *bugs(
        "whole",
        "position_embedding",
        {"wpe not loaded": ("wpe.weight of your model is not", forget("wpe.weight"))},
    ),
    *bugs(
        "norm_forward",
        "ln_1",
        {
            "epsilon 1e-5": (
                "epsilon of the layer norm is 1e-05",
                lambda s, x: normal(s, x, eps=1e-5) * s.weight + s.bias,
            ),
            "epsilon 1e-2": (
                "epsilon of the layer norm is 0.01",
                lambda s, x: normal(s, x, eps=1e-2) * s.weight + s.bias,
            ),
            "unbiased variance": (
                "n - 1",
                lambda s, x: normal(s, x, unbiased=True) * s.weight + s.bias,
            ),
            "RMS norm": ("mean is not subtracted", rms),
            "norm without weight and bias": ("leaves out its weight and bias", normal),
            "norm without bias": (
                "leaves out its bias",
                lambda s, x: normal(s, x) * s.weight,
            ),
            "norm over positions": ("over the positions", norm_over_positions),
        },
    ),
    *bugs(
        "block_forward",
        "ln_1",
        {
            "no ln_1": ("norm is missing", no_first_norm),
            "norm behind the sum": ("after the sums", post_norm),
        },
    ),
    *bugs("whole", "ln_1", {"norms exchanged": ("ln_1 and ln_2 are", swap_norms)}),
    *bugs("block_forward", "ln_2", {"no ln_2": ("norm is missing", no_second_norm)}),
    *bugs("block_forward", "ln_2", {"parallel": ("read the same stream", parallel)}),
    *bugs(
        "whole",
        "ln_2",
        {"ln_2 of layer 1 not loaded": ("is not the", forget("h.1.ln_2.weight"))},
        layer=1,
    ),
    *bugs(
        "model_forward",
        "ln_f",
        {
            "no final norm": ("norm is missing", no_final_norm),
            "final norm twice": ("twice", two_norms),
        },
    ),
    *bugs(
        "whole",
        "c_attn",
        {
            "no bias in c_attn": (
                "bias of attn.c_attn is missing",
                each("attn.c_attn", set_weight("bias", torch.zeros_like)),
            ),
            "c_attn reshaped": (
                "attn.c_attn is reshaped",
                each("attn.c_attn", set_weight("weight", reshape)),
            ),
        },
    ),
    *bugs(
        "attn_project",
        "key",
        {"query, value, key": ("query, value, key", thirds(0, 2, 1))},
    ),
    *bugs(
        "attn_project",
        "query",
        {
            "key, query, value": ("key, query, value", thirds(1, 0, 2)),
            "thirds within heads": ("within each head", interleaved),
        },
    ),
    *bugs(
        "attn_project",
        "query",
        {"thirds within heads, fused": ("within each head", interleaved)},
        style=sdpa,
    ),
    *bugs(
        "attn_split",
        "query_heads",
        {
            "heads without transpose": (
                "then transpose(1, 2)",
                lambda s, x: x.reshape(len(x), s.heads, x.shape[1], -1),
            ),
            "heads and d_head exchanged": (
                "heads and d_head are exchanged",
                lambda s, x: x.unflatten(-1, (-1, s.heads)).permute(0, 3, 1, 2),
            ),
        },
    ),
    *bugs(
        "whole",
        "query_heads",
        {
            "twice as many heads": ("heads is 8", each("attn", set_heads(8))),
            "one head": ("heads is 1", each("attn", set_heads(1))),
        },
        style=sdpa,
    ),
    *bugs(
        "attn_scale",
        "scaled",
        {
            "no scale": ("not scaled", lambda s, z, q: z),
            "scale by d_model": ("sqrt(d_model)", lambda s, z, q: z / root(s.width)),
            "scale without root": ("by d_head", lambda s, z, q: z / q.shape[-1]),
            "scale multiplied": ("multiplied", lambda s, z, q: z * root(q.shape[-1])),
            "scale by 3": ("times what it should be", lambda s, z, q: z / 3),
        },
    ),
    *bugs(
        "attn_attend",
        "scaled",
        {
            "no scale, fused": ("not scaled", fused(scale=1.0)),
            "scale by d_model, on the query": ("sqrt(d_model)", small_query_attend),
        },
        style=sdpa,
    ),
    *bugs(
        "attn_mask",
        "masked",
        {
            "no mask": ("no causal mask", lambda s, z: z),
            "scores masked with 0": ("set to 0", lambda s, z: z.tril()),
            "does not see itself, -1e9": (
                "must see its own",
                lambda s, z: z.masked_fill(torch.ones_like(z).triu() == 1, -1e9),
            ),
        },
    ),
    *bugs(
        "attn_future",
        "masked",
        {
            "sees the next token": ("sees the next token", unmasked_below(2)),
            "does not see itself": ("must see its own", unmasked_below(0)),
            "mask the wrong way round": ("the wrong way round", seen_below(-1)),
            "mask upside down": ("upside down", seen_below(0)),
        },
    ),
    *bugs(
        "attn_attend",
        "masked",
        {"mask after softmax": ("after the softmax", mask_after_softmax)},
    ),
    *bugs(
        "attn_attend",
        "masked",
        {
            "no mask, fused": ("no causal mask", fused(is_causal=False)),
            "sees the next token, fused": (
                "sees the next token",
                fused(lambda seq: ones(seq, seq).tril(1) == 1),
            ),
            "mask the wrong way round, fused": (
                "the wrong way round",
                fused(lambda seq: ones(seq, seq).triu() == 1),
            ),
        },
        style=sdpa,
    ),
    *bugs(
        "attn_weigh",
        "weights",
        {
            "softmax over queries": ("over queries", lambda s, z: z.softmax(-2)),
            "softmax over heads": (
                "over heads",
                lambda s, z: z.softmax(1).nan_to_num(0),
            ),
            "softmax twice": ("applied twice", lambda s, z: z.softmax(-1).softmax(-1)),
        },
    ),
    *bugs(
        "attn_gather",
        "gathered",
        {"weights transposed": ("weights are transposed", lambda s, w, v: w.mT @ v)},
    ),
    *bugs(
        "attn_merge",
        "merged",
        {
            "merged without transpose": (
                "without transposing",
                lambda s, x: x.reshape(len(x), x.shape[2], -1),
            ),
            "merged with d_head in front": (
                "d_head in front",
                lambda s, x: x.permute(0, 2, 3, 1).flatten(2),
            ),
        },
    ),
    *bugs(
        "attn_output",
        "projected",
        {
            "no bias in attn.c_proj": (
                "bias of attn.c_proj is missing",
                lambda s, x: x @ s.c_proj.weight.T,
            ),
            "no projection": ("attn.c_proj is missing", lambda s, x: x),
            "c_proj not transposed": (
                "attn.c_proj is transposed",
                lambda s, x: x @ s.c_proj.weight + s.c_proj.bias,
            ),
        },
    ),
    *bugs(
        "block_forward",
        "attended",
        {
            "no residual": ("is not added", no_residual),
            "residual of the normed stream": ("to the normed stream", residual_of_norm),
            "no attention": ("attention is missing", no_attention),
        },
    ),
    *bugs(
        "whole",
        "c_fc",
        {
            "no bias in c_fc": (
                "bias of mlp.c_fc is missing",
                each("mlp.c_fc", set_weight("bias", torch.zeros_like)),
            ),
            "c_fc reshaped": (
                "mlp.c_fc is reshaped",
                each("mlp.c_fc", set_weight("weight", reshape)),
            ),
        },
    ),
    *bugs(
        "whole",
        "c_fc",
        {"c_fc of layer 1 not loaded": ("is not the", forget("h.1.mlp.c_fc.weight"))},
        layer=1,
    ),
    *bugs(
        "mlp_activate",
        "gelu",
        {
            "exact GELU": ("exact GELU", lambda s, x: F.gelu(x)),
            "ReLU": ("ReLU", lambda s, x: x.relu()),
            "SiLU": ("SiLU", lambda s, x: F.silu(x)),
            "sigmoid GELU": ("sigmoid", lambda s, x: x * torch.sigmoid(1.702 * x)),
            "no GELU": ("GELU is missing", lambda s, x: x),
            "leaky ReLU": ("The nearest tensor", lambda s, x: F.leaky_relu(x)),
        },
    ),
    *bugs(
        "mlp_down",
        "c_proj",
        {
            "no bias in mlp.c_proj": (
                "bias of mlp.c_proj is missing",
                lambda s, x: x @ s.c_proj.weight.T,
            ),
        },
    ),
    *bugs(
        "block_forward",
        "added",
        {
            "no second residual": ("not added to feed-forward", no_second_residual),
            "second residual of the input": ("attention is lost", second_of_input),
            "second residual of the norm": ("to the normed stream", second_of_norm),
            "no feed-forward": ("feed-forward is missing", no_feed_forward),
        },
    ),
    *bugs(
        "model_head",
        "logits",
        {
            "untied head": ("weights of its own, lm_head.weight", own_head),
            "bias in the head": ("the same vector at every position", extra_bias),
            "probabilities": (
                "probabilities are returned",
                lambda s, x: (x @ s.wte.weight.T).softmax(-1),
            ),
            "head scaled": (
                "divided by sqrt(d_model)",
                lambda s, x: x @ s.wte.weight.T / root(x.shape[-1]),
            ),
        },
    ),
    *bugs("model_blocks", "ln_1", {"backwards": ("backwards", lambda s: s.h[::-1])}),
    *bugs(
        "model_blocks",
        "ln_1",
        {
            "one layer too few": ("one layer is missing", lambda s: s.h[:-1]),
            "one layer for all": ("of the first", lambda s: [s.h[0]] * len(s.h)),
        },
        layer=1,
    ),
    *bugs(
        "model_blocks",
        "ln_f",
        {"last layer twice": ("last layer runs twice", lambda s: [*s.h, s.h[-1]])},
    ),
    *bugs("whole", "ln_1", {"dropout on": ("switch dropout off", with_dropout)}),
]
