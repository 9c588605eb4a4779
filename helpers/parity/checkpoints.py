"""What GPT-2 computes, operation by operation, from the weights of a library's model.

Slow and obvious on purpose: a table of named operations, each a function of the values
before it. Whoever exchanges one of them gets the numbers of that mistake (suspects).
That its logits are the library's own is checked each time (suspects.case).
Shapes: batch, seq, head, d_model; d_head is d_model / heads.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch


class Values(dict):
    """The values of one part so far, by operation, with the weights that it uses."""

    def __init__(self, values: dict, weights: dict[str, torch.Tensor], config):
        super().__init__(values)
        self.weights, self.config = weights, config

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Return x W + b with W stored (in, out)."""
        return x @ self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        """Return the layer norm of each position: mean 0, variance 1, w x + b."""
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        normal = centred / (variance + self.config.layer_norm_epsilon).sqrt()
        return normal * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]


class Step(NamedTuple):
    """The value of one operation; layer None is before or behind the layers."""

    layer: int | None
    name: str
    value: torch.Tensor


def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Cut (batch, seq, d_model) into (batch, head, seq, d_head)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def look_back(scores: torch.Tensor, diagonal: int = 0) -> torch.Tensor:
    """Set the scores of keys after the query (plus ``diagonal``) to minus infinity."""
    ahead = torch.ones_like(scores[0, 0]).tril(diagonal) == 0
    return scores.masked_fill(ahead, -math.inf)


def tanh_gelu(x: torch.Tensor) -> torch.Tensor:
    """Return GPT-2's GELU: x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))."""
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return x / 2 * (1 + inner.tanh())


EMBEDDING = {
    "token_embedding": lambda v: v.weights["wte.weight"][v["input_ids"]],
    "position_embedding": lambda v: v.weights["wpe.weight"][
        None, : v["input_ids"].shape[1]
    ],
    "embedded": lambda v: v["token_embedding"] + v["position_embedding"],
}

LAYER = {
    "ln_1": lambda v: v.norm(v["stream"], "ln_1"),
    "c_attn": lambda v: v.linear(v["ln_1"], "attn.c_attn"),
    "query": lambda v: v["c_attn"].chunk(3, dim=-1)[0],
    "key": lambda v: v["c_attn"].chunk(3, dim=-1)[1],
    "value": lambda v: v["c_attn"].chunk(3, dim=-1)[2],
    "query_heads": lambda v: split_heads(v["query"], v.config.n_head),
    "key_heads": lambda v: split_heads(v["key"], v.config.n_head),
    "value_heads": lambda v: split_heads(v["value"], v.config.n_head),
    "scores": lambda v: v["query_heads"] @ v["key_heads"].mT,
    "scaled": lambda v: v["scores"] / math.sqrt(v["query_heads"].shape[-1]),
    "masked": lambda v: look_back(v["scaled"]),
    "weights": lambda v: v["masked"].softmax(dim=-1),
    "gathered": lambda v: v["weights"] @ v["value_heads"],
    "merged": lambda v: v["gathered"].transpose(1, 2).flatten(2),
    "projected": lambda v: v.linear(v["merged"], "attn.c_proj"),
    "attended": lambda v: v["stream"] + v["projected"],
    "ln_2": lambda v: v.norm(v["attended"], "ln_2"),
    "c_fc": lambda v: v.linear(v["ln_2"], "mlp.c_fc"),
    "gelu": lambda v: tanh_gelu(v["c_fc"]),
    "c_proj": lambda v: v.linear(v["gelu"], "mlp.c_proj"),
    "added": lambda v: v["attended"] + v["c_proj"],
}

FINAL = {
    "ln_f": lambda v: v.norm(v["stream"], "ln_f"),
    "logits": lambda v: v["ln_f"] @ v.weights["wte.weight"].T,
}

PARTS = (EMBEDDING, LAYER, FINAL)

WORDS = {
    "token_embedding": "token embedding (wte)",
    "position_embedding": "position embedding (wpe)",
    "embedded": "token and position embedding added",
    "ln_1": "layer norm before attention (ln_1)",
    "c_attn": "query, key and value projected (attn.c_attn)",
    "query": "query",
    "key": "key",
    "value": "value",
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

# The weight that an operation uses.
WEIGHTS = {
    "token_embedding": "wte",
    "position_embedding": "wpe",
    "ln_1": "ln_1",
    "c_attn": "attn.c_attn",
    "projected": "attn.c_proj",
    "ln_2": "ln_2",
    "c_fc": "mlp.c_fc",
    "c_proj": "mlp.c_proj",
    "ln_f": "ln_f",
    "logits": "wte",
}

# A right model may not have these: fused attention hides scores, a matrix each for
# query, key and value has no c_attn.
OPTIONAL = {"position_embedding", "c_attn", "query_heads", "key_heads", "value_heads"}
OPTIONAL |= {"scores", "scaled", "masked", "weights", "merged"}

# Those that the next operations in the table do not need: siblings, not parents.
BRANCHES = {"query", "key", "value", "query_heads", "key_heads", "value_heads"}
BRANCHES |= {"token_embedding", "position_embedding"}


def forms(step: Step, heads: int, batch: int) -> Iterator[torch.Tensor]:
    """Yield a value in the forms in which it may come: in heads, for each row."""
    yield step.value
    if step.name in ("query", "key", "value"):
        yield split_heads(step.value, heads)
    if step.name == "position_embedding" and batch > 1:
        yield step.value.expand(batch, -1, -1)


def where(layer: int | None, name: str) -> str:
    """Return an operation in words, with its layer."""
    return WORDS[name] if layer is None else f"layer {layer}: {WORDS[name]}"


def trace(
    weights: dict[str, torch.Tensor],
    config,
    input_ids: torch.Tensor,
    *,
    swaps: dict | None = None,
    order: list[int] | None = None,
    start: tuple[int, dict[str, torch.Tensor]] | None = None,
) -> Iterator[Step]:
    """Yield every operation of GPT-2 with its value, in order.

    Args:
        weights: the state dict of a library's ``model.transformer``, float32.
        config: its GPT2Config.
        input_ids: (batch, seq).
        swaps: functions to run in place of the table's, by (layer, operation).
        order: whose weights each layer takes; left out, its own.
        start: a layer, and values in it to go on from: at least "stream", the
            (batch, seq, d_model) that comes in. These are not yielded.
    """
    swaps = swaps or {}
    order = list(range(config.n_layer)) if order is None else order
    first, given = start or (0, {})
    if start is None:
        values = Values({"input_ids": input_ids}, weights, config)
        yield from _part(values, EMBEDDING, None, swaps)
        given = {"stream": values["embedded"]}
    for layer in range(first, len(order)):
        values = Values(given, _own(weights, order[layer]), config)
        yield from _part(values, LAYER, layer, swaps)
        given = {"stream": values["added"]}
    values = Values(given, weights, config)
    yield from _part(values, FINAL, None, swaps)


def _part(values: Values, table: dict, layer: int | None, swaps) -> Iterator[Step]:
    for name, operation in table.items():
        if name not in values:
            values[name] = swaps.get((layer, name), operation)(values)
            yield Step(layer, name, values[name])


def _own(weights: dict[str, torch.Tensor], layer: int) -> dict[str, torch.Tensor]:
    """Return one layer's weights, without the layer in their names."""
    prefix = f"h.{layer}."
    own = (name for name in weights if name.startswith(prefix))
    return {name.removeprefix(prefix): weights[name] for name in own}
