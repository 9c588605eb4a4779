"""A learner's GPT-2 in plain PyTorch, and bugs to plant in it."""

import math
import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from helpers.parity.mistakes import LAYER, OPERATIONS


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


def each(model, part, name, change):
    """Change a weight in a part of each block, once they are loaded."""
    for block in model.h:
        weight = block.get_submodule(part).get_parameter(name)
        weight.data = change(weight.data)


def forget(model, name):
    """Leave one weight as it began."""
    luck, weight = torch.Generator().manual_seed(7), model.get_parameter(name)
    weight.data = torch.randn(weight.shape, generator=luck) * 0.02


def normal(norm, x, *, unbiased=False, eps=None):
    var = x.var(-1, keepdim=True, unbiased=unbiased)
    eps = norm.eps if eps is None else eps
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(var + eps)


def fused(q, k, v, mask=None, **options):
    """The fused attention with another mask or scale."""
    options.setdefault("is_causal", mask is None)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, **options)


def square(q):
    return torch.ones(q.shape[-2], q.shape[-2])


def random_head(model):
    luck, (vocab, width) = torch.Generator().manual_seed(5), model.wte.weight.shape
    head = nn.Linear(width, vocab, bias=False)
    head.weight.data = torch.randn(vocab, width, generator=luck)
    return head


def dropping(model):
    embed, drop = model.embed, nn.Dropout(0.1)
    model.embed = lambda ids: drop(embed(ids))


# A method and its arguments: what it is in (a layer's number, if not 0; "fused" if the
# model is ``sdpa``). Under it: words of the cause | what the method does instead.
TABLE = """
model_positions(s, ids): position_embedding
    counted from 1 | torch.arange(ids.shape[-1]) + 1
    backwards | torch.arange(ids.shape[-1]).flip(0)
    has position 0 | ids * 0
model_embed(s, ids): position_embedding
    is not added | s.wte(ids)
model_embed(s, ids): token_embedding
    sqrt(d_model) | s.wte(ids) * s.wte.embedding_dim**0.5 + s.wpe(s.positions(ids))
whole(model): token_embedding
    wte.weight of your model is not | forget(model, "wte.weight")
    rounded to float16 | model.half().float()
    rounded to bfloat16 | model.bfloat16()
whole(model): position_embedding
    wpe.weight of your model is not | forget(model, "wpe.weight")
norm_forward(s, x): ln_1
    epsilon of the layer norm is 1e-05 | normal(s, x, eps=1e-5) * s.weight + s.bias
    epsilon of the layer norm is 0.01 | normal(s, x, eps=1e-2) * s.weight + s.bias
    n - 1 | normal(s, x, unbiased=True) * s.weight + s.bias
    mean is not subtracted | F.rms_norm(x, x.shape[-1:], s.weight, s.eps) + s.bias
    leaves out its weight and bias | normal(s, x)
    leaves out its bias | normal(s, x) * s.weight
    over the positions | normal(s, x.mT).mT * s.weight + s.bias
block_forward(s, x): ln_1
    norm is missing | x = x + s.attn(x); x + s.mlp(s.ln_2(x))
    after the sums | x = s.ln_1(x + s.attn(x)); s.ln_2(x + s.mlp(x))
block_forward(s, x): ln_2
    norm is missing | x = x + s.attn(s.ln_1(x)); x + s.mlp(x)
    read the same stream | x + s.attn(s.ln_1(x)) + s.mlp(s.ln_2(x))
block_forward(s, x): attended
    is not added | x = s.attn(s.ln_1(x)); x + s.mlp(s.ln_2(x))
    to the normed stream | x = s.ln_1(x); x = x + s.attn(x); x + s.mlp(s.ln_2(x))
    attention is missing | x + s.mlp(s.ln_2(x))
block_forward(s, x): added
    not added to feed-forward | x = x + s.attn(s.ln_1(x)); s.mlp(s.ln_2(x))
    attention is lost | x + s.mlp(s.ln_2(x + s.attn(s.ln_1(x))))
    to the normed stream | x = s.ln_2(x + s.attn(s.ln_1(x))); x + s.mlp(x)
    feed-forward is missing | x + s.attn(s.ln_1(x))
whole(model): ln_1
    ln_1 and ln_2 are | for b in model.h: b.ln_1, b.ln_2 = b.ln_2, b.ln_1; None
    switch dropout off | dropping(model)
whole(model): ln_2 1
    is not the | forget(model, "h.1.ln_2.weight")
model_head(s, x): ln_f
    twice | s.ln_f(x) @ s.wte.weight.T
whole(model): ln_f
    norm is missing | model.ln_f = nn.Identity(); None
whole(model): c_attn
    bias of attn.c_attn is missing | each(model, "attn.c_attn", "bias", lambda w: 0 * w)
    attn.c_attn is reshaped
        | each(model, "attn.c_attn", "weight", lambda w: w.T.reshape(w.shape))
attn_project(s, x): key
    query, value, key | q, k, v = s.c_attn(x).chunk(3, -1); (q, v, k)
attn_project(s, x): query
    key, query, value | q, k, v = s.c_attn(x).chunk(3, -1); (k, q, v)
    within each head | x = s.c_attn(x).unflatten(-1, (s.heads, 3, -1));
        [x[:, :, :, i].flatten(2) for i in range(3)]
attn_project(s, x): query fused
    within each head | x = s.c_attn(x).unflatten(-1, (s.heads, 3, -1));
        [x[:, :, :, i].flatten(2) for i in range(3)]
attn_split(s, x): query_heads
    then transpose(1, 2) | x.reshape(len(x), s.heads, x.shape[1], -1)
    heads and d_head are exchanged | x.unflatten(-1, (-1, s.heads)).permute(0, 3, 1, 2)
attn_split(s, x): query_heads fused
    heads is 8 | x.unflatten(-1, (8, -1)).transpose(1, 2)
    heads is 1 | x[:, None]
attn_scale(s, z, q): scaled
    not scaled | z
    sqrt(d_model) | z / s.width**0.5
    by d_head | z / q.shape[-1]
    multiplied | z * q.shape[-1] ** 0.5
    times what it should be | z / 3
attn_attend(s, q, k, v): scaled fused
    not scaled | fused(q, k, v, scale=1.0)
    sqrt(d_model) | Attention.mask(s, q / s.width**0.5 @ k.mT).softmax(-1) @ v
attn_mask(s, z): masked
    no causal mask | z
    set to 0 | z.tril()
    must see its own | z.masked_fill(torch.ones_like(z).triu() == 1, -1e9)
attn_future(s, seq): masked
    sees the next token | torch.ones(seq, seq).triu(2) == 1
    must see its own | torch.ones(seq, seq).triu(0) == 1
    the wrong way round | torch.ones(seq, seq).tril(-1) == 1
    upside down | torch.ones(seq, seq).tril() == 1
attn_attend(s, q, k, v): masked
    after the softmax | s.scale(q @ k.mT, q).softmax(-1).tril() @ v
attn_attend(s, q, k, v): masked fused
    no causal mask | fused(q, k, v, is_causal=False)
    sees the next token | fused(q, k, v, square(q).tril(1) == 1)
    the wrong way round | fused(q, k, v, square(q).triu() == 1)
attn_weigh(s, z): weights
    over queries | z.softmax(-2)
    over heads | z.softmax(1).nan_to_num(0)
    applied twice | z.softmax(-1).softmax(-1)
attn_gather(s, w, v): gathered
    weights are transposed | w.mT @ v
attn_merge(s, x): merged
    without transposing | x.reshape(len(x), x.shape[2], -1)
    d_head in front | x.permute(0, 2, 3, 1).flatten(2)
attn_output(s, x): projected
    bias of attn.c_proj is missing | x @ s.c_proj.weight.T
    attn.c_proj is missing | x
    attn.c_proj is transposed | x @ s.c_proj.weight + s.c_proj.bias
whole(model): c_fc
    bias of mlp.c_fc is missing | each(model, "mlp.c_fc", "bias", lambda w: 0 * w)
    mlp.c_fc is reshaped
        | each(model, "mlp.c_fc", "weight", lambda w: w.T.reshape(w.shape))
whole(model): c_fc 1
    is not the | forget(model, "h.1.mlp.c_fc.weight")
mlp_activate(s, x): gelu
    exact GELU | F.gelu(x)
    ReLU | x.relu()
    SiLU | F.silu(x)
    sigmoid | x * (1.702 * x).sigmoid()
    GELU is missing | x
    The nearest tensor | F.leaky_relu(x)
mlp_down(s, x): c_proj
    bias of mlp.c_proj is missing | x @ s.c_proj.weight.T
model_head(s, x): logits
    weights of its own, lm_head.weight | s.lm_head = random_head(s); s.lm_head(x)
    the same vector at every position | x @ s.wte.weight.T + random_head(s).weight[:, 0]
    probabilities are returned | (x @ s.wte.weight.T).softmax(-1)
    divided by sqrt(d_model) | x @ s.wte.weight.T / x.shape[-1] ** 0.5
model_blocks(s): ln_1
    backwards | s.h[::-1]
model_blocks(s): ln_1 1
    one layer is missing | s.h[:-1]
    of the first | [s.h[0]] * len(s.h)
model_blocks(s): ln_f
    last layer runs twice | [*s.h, s.h[-1]]
"""


class Bug(NamedTuple):
    """A mistake: where it is, words of its cause, how it is made, in which style."""

    operation: str
    cause: str
    changes: dict[str, Callable]
    style: Callable

    def build(self, reference):
        return self.style(reference, **self.changes)


def where(layer, name):
    words = OPERATIONS[name].words
    return f"layer {layer}: {words}" if name in LAYER else words


def function(arguments: str, body: str) -> Callable:
    """Return a function that ends with the last part of a body as its value."""
    *lines, value = body.split("; ")
    scope = {}
    source = "\n    ".join([f"def made{arguments}:", *lines, f"return {value}"])
    exec(source, globals(), scope)
    return scope["made"]


def read(table: str):
    for line in table.strip().replace("\n        ", " ").splitlines():
        if not line.startswith(" "):
            method, arguments, operation, layer, style = re.fullmatch(
                r"(\w+)(\(.*\)): (\w+) ?(1?)(.*)", line
            ).groups()
            continue
        cause, body = line.strip().split(" | ")
        change = {method: function(arguments, body)}
        place = where(int(layer or 0), operation)
        yield Bug(place, cause, change, sdpa if style else learner)


BUGS = list(read(TABLE))
