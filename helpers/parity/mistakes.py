"""GPT-2 as a table of operations, and the wrong ways in which people do each.

The right table is slow and obvious on purpose; that its logits are the library's is
checked each time (``compare``). The parameters of a function are the names of what it
reads: values made before it, or weights. A mistake is a wrong function in the place of
a right one; whether it was made, its numbers tell (``judge``).
Shapes: batch, seq, head, d_model; d_head is d_model / heads.
"""

import math
from collections.abc import Callable, Iterator
from functools import partial
from inspect import signature
from typing import NamedTuple

import torch
from torch.nn import functional as F


class On(NamedTuple):
    """A function, and the names of the values and weights that it is used on."""

    function: Callable[..., torch.Tensor]
    reads: tuple[str, ...]


Operation = On | Callable[..., torch.Tensor]


def on(operation: Operation) -> On:
    """Return an operation with what it reads: if not told, what its parameters say."""
    if isinstance(operation, On):
        return operation
    return On(operation, tuple(signature(operation).parameters))


def variance(x, dim=-1, correction=0):
    """Return the mean squared distance from the mean; (…, 1)."""
    return x.var(dim=dim, keepdim=True, correction=correction)


def normal(x, eps, dim=-1, correction=0):
    """Return x with mean 0 and variance 1."""
    centred = x - x.mean(dim=dim, keepdim=True)
    return centred / (variance(x, dim, correction) + eps).sqrt()


def layer_norm(x, w, b, eps):
    """Return each position with mean 0 and variance 1, then w x + b."""
    return normal(x, eps) * w + b


def linear(x, w, b):
    """Return x W + b with W stored (in, out)."""
    return x @ w + b


def split_heads(x, heads):
    """Cut (batch, seq, d_model) into (batch, head, seq, d_head)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def hide(scores, seen=torch.tril, low=-math.inf):
    """Set scores to ``low`` but for what is seen of all (query, key)."""
    return scores.masked_fill(seen(torch.ones_like(scores)) == 0, low)


def gelu(x, root=0.5, cubic=0.044715, power=3):
    """Return GPT-2's GELU: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    return x / 2 * (1 + ((2 / math.pi) ** root * (x + cubic * x**power)).tanh())


def norm_of(name: str, function=layer_norm, *, x=None, weights=None) -> On:
    """Return a norm; another function, input or weights make it a wrong one."""
    x = x or {"ln_1": "stream", "ln_2": "attended", "ln_f": "stream"}[name]
    weights = weights or name
    return On(function, (x, f"{weights}_weight", f"{weights}_bias", "eps"))


def sum_normed(name: str, *summands: str) -> On:
    """Return the norm of a sum, which GPT-2 has not."""
    reads = (*summands, f"{name}_weight", f"{name}_bias", "eps")
    return On(lambda x, y, w, b, eps: layer_norm(x + y, w, b, eps), reads)


def within_heads(c_attn, heads, place):
    """Cut a third out of each head, as GPT-2 does not."""
    return c_attn.unflatten(-1, (heads, 3, -1))[..., place, :].flatten(2)


LINEAR = {
    "c_attn": ("ln_1", "attn_c_attn"),
    "projected": ("merged", "attn_c_proj"),
    "c_fc": ("ln_2", "mlp_c_fc"),
    "c_proj": ("gelu", "mlp_c_proj"),
}


def linear_of(name: str, function=linear) -> On:
    """Return a projection; another function makes it a wrong one."""
    x, weights = LINEAR[name]
    return On(function, (x, f"{weights}_weight", f"{weights}_bias"))


EMBEDDING = {
    "token_embedding": lambda wte, ids: wte[ids],
    "position_embedding": lambda wpe, ids: wpe[None, : ids.shape[1]],
    "embedded": On(torch.add, ("token_embedding", "position_embedding")),
}
LAYER = {
    "ln_1": norm_of("ln_1"),
    "c_attn": linear_of("c_attn"),
    "query": lambda c_attn: c_attn.chunk(3, dim=-1)[0],
    "key": lambda c_attn: c_attn.chunk(3, dim=-1)[1],
    "value": lambda c_attn: c_attn.chunk(3, dim=-1)[2],
    "query_heads": lambda query, heads: split_heads(query, heads),
    "key_heads": lambda key, heads: split_heads(key, heads),
    "value_heads": lambda value, heads: split_heads(value, heads),
    "scores": lambda query_heads, key_heads: query_heads @ key_heads.mT,
    "scaled": lambda scores, query_heads: scores / query_heads.shape[-1] ** 0.5,
    "masked": lambda scaled: hide(scaled),
    "weights": lambda masked: masked.softmax(dim=-1),
    "gathered": lambda weights, value_heads: weights @ value_heads,
    "merged": lambda gathered: gathered.transpose(1, 2).flatten(2),
    "projected": linear_of("projected"),
    "attended": lambda stream, projected: stream + projected,
    "ln_2": norm_of("ln_2"),
    "c_fc": linear_of("c_fc"),
    "gelu": lambda c_fc: gelu(c_fc),
    "c_proj": linear_of("c_proj"),
    "added": lambda attended, c_proj: attended + c_proj,
}
FINAL = {
    "ln_f": norm_of("ln_f"),
    "logits": lambda ln_f, wte: ln_f @ wte.T,
}
OPERATIONS = EMBEDDING | LAYER | FINAL
WORDS = {
    "token_embedding": "token embedding (wte)",
    "position_embedding": "position embedding (wpe)",
    "embedded": "token and position embedding added",
    "ln_1": "layer norm before attention (ln_1)",
    "c_attn": "query, key and value projected (attn.c_attn)",
    "query_heads": "query split into heads",
    "key_heads": "key split into heads",
    "value_heads": "value split into heads",
    "scores": "attention scores, query times key",
    "scaled": "attention scores scaled",
    "masked": "attention scores masked",
    "weights": "attention weights (softmax)",
    "gathered": "values gathered by the weights",
    "merged": "heads merged",
    "projected": "attention projected (attn.c_proj)",
    "attended": "attention added to the stream",
    "ln_2": "layer norm before feed-forward (ln_2)",
    "c_fc": "feed-forward, up (mlp.c_fc)",
    "gelu": "feed-forward, GELU",
    "c_proj": "feed-forward, down (mlp.c_proj)",
    "added": "feed-forward added to the stream",
    "ln_f": "final layer norm (ln_f)",
    "logits": "logits (the head)",
}


class Step(NamedTuple):
    """The value of one operation; layer None is before or behind the layers."""

    layer: int | None
    name: str
    value: torch.Tensor
    sources: tuple[int, ...]  # the numbers of the steps that it was made from

    def __str__(self) -> str:
        words = WORDS.get(self.name, self.name)
        return words if self.layer is None else f"layer {self.layer}: {words}"


def trace(weights, config, input_ids, *, dtype=torch.float32, swaps=None, order=None):
    """Yield every operation of GPT-2, in order, as a Step.

    ``weights`` is the state dict of a library's ``model.transformer``, and input_ids
    (batch, seq); ``swaps`` are operations to run in place of the tables', by (layer,
    name), and ``order`` tells whose weights each layer takes: by default, its own.
    """
    swaps, order = swaps or {}, order or list(range(config.n_layer))
    heads, d_model = config.n_head, config.n_embd
    values = {"ids": input_ids, "heads": heads, "d_head": d_model // heads}
    values |= {"d_model": d_model, "eps": config.layer_norm_epsilon}
    layers = [(layer, LAYER) for layer in range(len(order))]
    newest, count = {}, 0  # the number of the newest step of each name
    for layer, table in [(None, EMBEDDING), *layers, (None, FINAL)]:
        own = weight_names(weights, None if layer is None else order[layer])
        values["layer"] = layer
        values |= {short: weights[name].to(dtype) for short, name in own.items()}
        for name, right in table.items():
            function, reads = on(swaps.get((layer, name), right))
            values[name] = function(*(values[read] for read in reads))
            sources = tuple(newest[read] for read in reads if read in newest)
            yield Step(layer, name, values[name], sources)
            newest[name], count = count, count + 1
        values["stream"], newest["stream"] = values[name], newest[name]


def weight_names(weights, layer: int | None) -> dict[str, str]:
    """Return the names of a layer's weights, or of those outside, by name to read."""
    if layer is None:
        outside = {"wte": "wte.weight", "wpe": "wpe.weight"}
        return outside | {"ln_f_weight": "ln_f.weight", "ln_f_bias": "ln_f.bias"}
    own = [name for name in weights if name.startswith(f"h.{layer}.")]
    return {name.split(".", 2)[2].replace(".", "_"): name for name in own}


class Mistake(NamedTuple):
    """A mistake: what is wrong and what to do, and how to make it.

    ``swaps`` are wrong operations by name, and ``family`` those of the same mistake
    wherever it can be made; ``order`` tells whose weights the layers take, and
    ``rounded`` is a type through which all weights went.
    """

    cause: str
    swaps: dict[str, Operation] = {}
    family: dict[str, Operation] = {}
    order: Callable[[list[int]], list[int]] | None = None
    rounded: torch.dtype | None = None


# Of one operation: a sentence, then what to put into it, with the wrong function.
SENTENCES = {
    "token_embedding": "the token embedding is {}: add wte[input_ids] as it is",
    "position_embedding": "positions {}: the first token has position 0",
    "scaled": "the scores are {}: divide them by the square root of d_head",
    "masked": "{}: set the scores of keys after the query to -inf",
    "weights": "the softmax {}: once, over keys, dim=-1",
    "gathered": "{}: weights (query, key) times value",
    "merged": "heads are merged {}: transpose(1, 2), then reshape",
    "attended": "attention {}: x + attention(norm(x))",
    "gelu": "this is {}: GPT-2 has the tanh form, F.gelu(approximate='tanh')",
    "added": "feed-forward {}: x + mlp(norm(x))",
    "logits": "{} are returned: return logits, the loss and the sampler want them",
    "ln_1": "{}: each norm has an input and weights of its own",
    "ln_2": "{}: each norm has an input and weights of its own",
}
WRONG = {
    "token_embedding": {
        "multiplied by sqrt(d_model)": lambda wte, ids, d_model: (
            wte[ids] * d_model**0.5
        ),
    },
    "position_embedding": {
        "are counted from 1": lambda wpe, ids: wpe[None, 1 : ids.shape[1] + 1],
        "are one too low": lambda wpe, ids: wpe.roll(1, 0)[None, : ids.shape[1]],
        "run backwards": lambda wpe, ids: wpe[None, : ids.shape[1]].flip(1),
        "are all 0": lambda wpe, ids: wpe[0 * ids],
    },
    "ln_1": {
        "ln_2 stands in place of ln_1": norm_of("ln_1", weights="ln_2"),
    },
    "scaled": {
        "not scaled": lambda scores: scores,
        "divided by sqrt(d_model)": lambda scores, d_model: scores / d_model**0.5,
        "divided by d_head": lambda scores, d_head: scores / d_head,
        "multiplied by it": lambda scores, d_head: scores * d_head**0.5,
        "divided by sqrt(heads)": lambda scores, heads: scores / heads**0.5,
        "divided by sqrt(seq)": lambda scores: scores / scores.shape[-1] ** 0.5,
        "also divided by the layer's number": lambda scores, d_head, layer: (
            scores / d_head**0.5 / (layer + 1)
        ),
    },
    "masked": {
        "there is no causal mask": lambda scaled: scaled,
        "masked scores are set to 0, which has weight": lambda scaled: scaled.tril(),
        "masked scores are set to -10, which has weight": lambda scaled: hide(
            scaled, low=-10
        ),
    },
    "weights": {
        "runs over queries": lambda masked: masked.softmax(dim=-2),
        "runs over heads": lambda masked: masked.softmax(dim=1),
        "is missing": lambda scaled: scaled.tril(),
        "is applied twice": lambda masked: masked.softmax(dim=-1).softmax(dim=-1),
    },
    "gathered": {
        "the weights are transposed": lambda weights, value_heads: (
            weights.mT @ value_heads
        ),
        "keys are gathered": lambda weights, key_heads: weights @ key_heads,
        "values are not gathered": lambda value_heads: value_heads,
    },
    "merged": {
        "without transposing": lambda gathered, stream: gathered.reshape(stream.shape),
        "with d_head in front": lambda gathered: gathered.permute(0, 2, 3, 1).flatten(
            2
        ),
    },
    "attended": {
        "is not added to the stream": lambda projected: projected,
        "is added to the normed stream": lambda ln_1, projected: ln_1 + projected,
        "is missing": lambda stream: stream,
    },
    "ln_2": {
        "attention and feed-forward read the same stream": norm_of("ln_2", x="stream"),
        "ln_1 stands in place of ln_2": norm_of("ln_2", weights="ln_1"),
    },
    "gelu": {
        "the exact GELU": lambda c_fc: F.gelu(c_fc),
        "ReLU": lambda c_fc: c_fc.relu(),
        "SiLU": lambda c_fc: F.silu(c_fc),
        "the sigmoid form of GELU": lambda c_fc: c_fc * (1.702 * c_fc).sigmoid(),
        "tanh alone": lambda c_fc: c_fc.tanh(),
        "no GELU at all": lambda c_fc: c_fc,
        "GELU without 2/pi's root": lambda c_fc: gelu(c_fc, root=1),
        "GELU with x^2 for x^3": lambda c_fc: gelu(c_fc, power=2),
        "GELU with 0.44715 for 0.044715": lambda c_fc: gelu(c_fc, cubic=0.44715),
        "GELU without its factor 1/2": lambda c_fc: 2 * gelu(c_fc),
    },
    "added": {
        "is not added to the stream": lambda c_proj: c_proj,
        "is added to the normed stream": lambda ln_2, c_proj: ln_2 + c_proj,
        "is added to the input, attention is lost": lambda stream, c_proj: (
            stream + c_proj
        ),
        "is missing": lambda attended: attended,
    },
    "logits": {
        "probabilities": lambda ln_f, wte: (ln_f @ wte.T).softmax(-1),
        "log-probabilities": lambda ln_f, wte: (ln_f @ wte.T).log_softmax(-1),
        "logits divided by sqrt(d_model)": lambda ln_f, wte, d_model: (
            ln_f @ wte.T / d_model**0.5
        ),
    },
}
# Of a norm, what it does: functions of its input, weight, bias and epsilon.
WRONG_NORMS = {
    "is missing": lambda x, w, b, eps: x,
    "is applied twice": lambda x, w, b, eps: layer_norm(
        layer_norm(x, w, b, eps), w, b, eps
    ),
    "leaves out its weight and bias": lambda x, w, b, eps: normal(x, eps),
    "leaves out its bias": lambda x, w, b, eps: normal(x, eps) * w,
    "leaves out its weight": lambda x, w, b, eps: normal(x, eps) + b,
    "divides by n - 1, not n: var(correction=0)": lambda x, w, b, eps: (
        normal(x, eps, correction=1) * w + b
    ),
    "does not subtract the mean (RMS norm)": lambda x, w, b, eps: (
        F.rms_norm(x, w.shape, w, eps) + b
    ),
    "divides by the variance: divide by its square root": lambda x, w, b, eps: (
        normal(x, eps) * (variance(x) + eps).rsqrt() * w + b
    ),
    "adds epsilon to the standard deviation, not the variance": lambda x, w, b, eps: (
        normal(x, 0) / (1 + eps * variance(x).rsqrt()) * w + b
    ),
    "runs over the positions: it is over d_model, dim=-1": lambda x, w, b, eps: (
        normal(x, eps, dim=1) * w + b
    ),
    "takes its weight as 1 + weight": lambda x, w, b, eps: normal(x, eps) * (1 + w) + b,
    "has epsilon 1e-02 or so, not the config's": lambda x, w, b, eps: layer_norm(
        x, w, b, 1e-2
    ),
    "has epsilon 1e-03 or so, not the config's": lambda x, w, b, eps: layer_norm(
        x, w, b, 1e-3
    ),
    "has epsilon 1e-04 or so, not the config's": lambda x, w, b, eps: layer_norm(
        x, w, b, 1e-4
    ),
    "has epsilon 1e-05 or so, not the config's": lambda x, w, b, eps: layer_norm(
        x, w, b, 1e-5
    ),
    "has epsilon 1e-06 or so, not the config's": lambda x, w, b, eps: layer_norm(
        x, w, b, 1e-6
    ),
    "has epsilon 1e-07 or less, not the config's": lambda x, w, b, eps: layer_norm(
        x, w, b, 0
    ),
}
# Of x W + b, for each of the four in a layer, and the three thirds of c_attn.
WRONG_LINEARS = {
    "the bias of {} is missing": lambda x, w, b: x @ w,
    "the weight of {} is transposed: it is stored (in, out), nn.Linear wants "
    "(out, in), so load weight.T once": lambda x, w, b: x @ w.T + b,
    "the weight of {} is reshaped where it must be transposed: use .T": (
        lambda x, w, b: x @ w.reshape(w.shape[::-1]).T + b
    ),
    "{} is missing": lambda x, w, b: x,
}
# Of query, key and value together: the cut of c_attn's output, and into heads.
WRONG_HEADS = {
    "heads are cut by view(batch, heads, seq, d_head)": (
        lambda x, heads: x.reshape(len(x), heads, x.shape[1], -1)
    ),
    "heads and d_head are exchanged": (
        lambda x, heads: x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)
    ),
}
# Of the mask: what a query sees of all (query, key).
WRONG_MASKS = {
    "is off by one: a query sees the next token too": lambda m: m.tril(1),
    "is off by one: a query must see its own token": lambda m: m.tril(-1),
    "is two off: a query sees two tokens ahead": lambda m: m.tril(2),
    "is the wrong way round: it shows what comes after": lambda m: m.triu(),
    "is upside down: it hides what it must show": lambda m: m.triu(1),
}

THIRDS = ("query", "key", "value")
CUT = "c_attn gives query, key, value in this order; yours takes"
# Of several operations at once.
WRONG_TOGETHER = {
    "ln_1 and ln_2 are exchanged": {
        "ln_1": norm_of("ln_1", weights="ln_2"),
        "ln_2": norm_of("ln_2", weights="ln_1"),
    },
    "the norms stand after the sums: norm what goes into attention and feed-forward": {
        "ln_1": lambda stream: stream,
        "attended": sum_normed("ln_1", "stream", "projected"),
        "ln_2": lambda attended: attended,
        "added": sum_normed("ln_2", "attended", "c_proj"),
    },
    "the position embedding is not added": {
        "position_embedding": lambda wpe, ids: 0 * wpe[ids],
        "embedded": lambda token_embedding: token_embedding,
    },
    "the token embedding is not added, only the position's": {
        "token_embedding": lambda wte, ids: 0 * wte[ids],
        "embedded": lambda position_embedding: position_embedding,
    },
    f"{CUT} query, value, key": {"key": LAYER["value"], "value": LAYER["key"]},
    f"{CUT} key, query, value": {"query": LAYER["key"], "key": LAYER["query"]},
    f"{CUT} value, key, query": {"query": LAYER["value"], "value": LAYER["query"]},
    "the thirds of c_attn are cut out within each head: cut into three, then heads": {
        "query": lambda c_attn, heads: within_heads(c_attn, heads, 0),
        "key": lambda c_attn, heads: within_heads(c_attn, heads, 1),
        "value": lambda c_attn, heads: within_heads(c_attn, heads, 2),
    },
    "the mask multiplies the weights after the softmax, so rows do not sum to 1: set "
    "scores to -inf in front of it": {
        "masked": lambda scaled: scaled,
        "weights": lambda scaled: scaled.softmax(dim=-1).tril(),
    },
}
# Of the layers: whose weights they take.
ORDERS = {
    "the layers run backwards": lambda own: own[::-1],
    "one layer is missing, the last": lambda own: own[:-1],
    "one layer is missing, the first": lambda own: own[1:],
    "the last layer runs twice": lambda own: [*own, own[-1]],
    "all layers have the weights of the first": lambda own: own[:1] * len(own),
    "all layers have the weights of the last": lambda own: own[-1:] * len(own),
}


def _third(function, place: int, x, w, b):
    return function(x, w.chunk(3, dim=-1)[place], b.chunk(3)[place])


def _all() -> Iterator[Mistake]:
    for name, wrong in WRONG.items():
        for what, function in wrong.items():
            yield Mistake(SENTENCES[name].format(what), {name: function})
    for what, function in WRONG_NORMS.items():
        family = {name: norm_of(name, function) for name in ("ln_1", "ln_2", "ln_f")}
        for name, norm in family.items():
            yield Mistake(f"the layer norm {what}", {name: norm}, family)
    for what, function in WRONG_LINEARS.items():
        for name, (_, weights) in LINEAR.items():
            words = what.format(weights.replace("_", ".", 1))
            yield Mistake(words, {name: linear_of(name, function)})
        thirds = [linear_of("c_attn", partial(_third, function, i)) for i in range(3)]
        words = what.format("query, key and value")
        yield Mistake(words, dict(zip(THIRDS, thirds, strict=True)))
    for what, function in WRONG_HEADS.items():
        cut = {f"{name}_heads": On(function, (name, "heads")) for name in THIRDS}
        yield Mistake(f"{what}: view(batch, seq, heads, d_head), transpose(1, 2)", cut)
    for number in (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 25, 32):
        cut = {
            f"{name}_heads": On(partial(split_heads, heads=number), (name,))
            for name in THIRDS
        }
        yield Mistake(f"the number of heads is {number}: take config.n_head", cut)
    for what, seen in WRONG_MASKS.items():
        for low in (-math.inf, -1e9):  # some write the second
            masked = On(partial(hide, seen=seen, low=low), ("scaled",))
            yield Mistake(f"the mask {what}", {"masked": masked})
    for what, swaps in WRONG_TOGETHER.items():
        yield Mistake(what, swaps)
    for what, order in ORDERS.items():
        yield Mistake(what, order=order)
    for dtype in (torch.float16, torch.bfloat16):
        words = f"the weights were rounded to {dtype}: load them as float32"
        yield Mistake(words.replace("torch.", ""), rounded=dtype)


MISTAKES = list(_all())
