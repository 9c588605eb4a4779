"""Wrong attention: heads, scores, masks, softmaxes, merges."""

import math

import torch

from helpers.parity.checkpoints import Values, look_back, split_heads
from helpers.parity.suspects.common import Operation, Suspect

HEADS = {"query_heads": "query", "key_heads": "key", "value_heads": "value"}
LARGE = -1e9  # what many write for minus infinity


def mistakes(config) -> list[Suspect]:
    """Return the wrong ways from query, key and value to merged heads."""
    return [*_heads(config), *_scores(), *_weights()]


def _heads(config) -> list[Suspect]:
    d_model, heads = config.n_embd, config.n_head

    def cut(split) -> dict[str, Operation]:
        return {h: lambda v, x=x: split(v[x]) for h, x in HEADS.items()}

    def viewed(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), heads, x.shape[1], -1)

    def strided(x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2)

    def taken(order: tuple[int, int, int]) -> dict[str, Operation]:
        names = ["query", "key", "value"]
        return {
            name: lambda v, place=place: v["c_attn"].chunk(3, dim=-1)[place]
            for name, place in zip(names, order, strict=True)
            if names[place] != name
        }

    def interleaved(place: int) -> Operation:
        return lambda v: (
            v["c_attn"].unflatten(-1, (heads, 3, -1))[..., place, :].flatten(2)
        )

    thirds = "c_attn gives query, key, value in this order; yours takes {}"
    one = (
        "the thirds of c_attn are cut out within each head: cut into three, then heads"
    )
    names = list(HEADS.values())
    orders = [(0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)]
    transpose = "heads are cut by view(batch, heads, seq, d_head)"
    found = [
        Suspect(thirds.format(", ".join(names[i] for i in order)), taken(order))
        for order in orders
    ]
    found += [
        Suspect(one, {name: interleaved(i) for i, name in enumerate(names)}),
        Suspect(
            f"{transpose}: view(batch, seq, heads, d_head), then transpose(1, 2)",
            cut(viewed),
        ),
        Suspect(
            "heads and d_head are exchanged: view(batch, seq, heads, d_head)",
            cut(strided),
        ),
    ]
    for wrong in range(1, d_model + 1):
        if d_model % wrong == 0 and wrong != heads:
            cause = f"the number of heads is {wrong}: the reference has {heads}"
            split = cut(lambda x, n=wrong: split_heads(x, n))
            found.append(Suspect(cause, split))
    return found


def _scores() -> list[Suspect]:
    """Return wrong scores, scales and masks."""

    def scaled(factor) -> dict[str, Operation]:
        return {"scaled": lambda v: v["scores"] * factor(v["query_heads"].shape[-1], v)}

    def hidden(v: Values, diagonal: int, low: float) -> torch.Tensor:
        kept = look_back(v["scaled"], diagonal).isfinite()
        return v["scaled"].masked_fill(~kept, low)

    def seen(v: Values) -> torch.Tensor:
        return look_back(v["scaled"]).isfinite()

    root = "divide them by the square root of d_head"
    found = [
        Suspect(f"the scores are not scaled: {root}", scaled(lambda d, v: 1)),
        Suspect(
            f"the scores are divided by sqrt(d_model): {root}",
            scaled(lambda d, v: v.config.n_embd**-0.5),
        ),
        Suspect(
            f"the scores are divided by d_head: {root}", scaled(lambda d, v: 1 / d)
        ),
        Suspect(f"the scores are multiplied: {root}", scaled(lambda d, v: d**0.5)),
        Suspect(
            f"the scores are divided by sqrt(seq): {root}",
            scaled(lambda d, v: v["scores"].shape[-1] ** -0.5),
        ),
        Suspect(
            f"the scores are divided by sqrt(number of heads): {root}",
            scaled(lambda d, v: v.config.n_head**-0.5),
        ),
        Suspect(
            "there is no causal mask: a query must not see keys after it",
            {"masked": lambda v: v["scaled"]},
        ),
        Suspect(
            "masked scores are set to 0, which still has weight: set them to -inf",
            {"masked": lambda v: v["scaled"] * seen(v)},
        ),
        Suspect(
            "the mask multiplies the weights after the softmax, so rows do not sum "
            "to 1: set scores to -inf in front of it",
            {
                "masked": lambda v: v["scaled"],
                "weights": lambda v: v["scaled"].softmax(dim=-1) * seen(v),
            },
        ),
    ]
    masks = {
        "the mask is off by one: a query sees the next token too": 1,
        "the mask is off by one: a query must see its own token": -1,
        "the mask is two off: a query sees two tokens ahead": 2,
    }
    flips = {
        "the mask is the wrong way round: it shows what comes after": lambda m: m.mT,
        "the mask is upside down: it hides what it must show": lambda m: ~m,
    }
    for low in (-math.inf, LARGE):
        for cause, diagonal in masks.items():
            mask = {"masked": lambda v, d=diagonal, low=low: hidden(v, d, low)}
            found.append(Suspect(cause, mask))
        for cause, flip in flips.items():
            mask = {
                "masked": lambda v, f=flip, low=low: v["scaled"].masked_fill(
                    ~f(seen(v)), low
                )
            }
            found.append(Suspect(cause, mask))
    return found


def _weights() -> list[Suspect]:
    """Return wrong softmaxes, gatherings and merges."""
    over = "the softmax runs over {}: it is over keys, dim=-1"
    kinds = {
        over.format("queries"): ("weights", lambda v: v["masked"].softmax(dim=-2)),
        over.format("heads"): ("weights", lambda v: v["masked"].softmax(dim=1)),
        "the softmax is missing": (
            "weights",
            lambda v: v["masked"].masked_fill(v["masked"].isinf(), 0),
        ),
        "the softmax is applied twice": (
            "weights",
            lambda v: v["masked"].softmax(dim=-1).softmax(dim=-1),
        ),
        "the weights are transposed: weights (query, key) times value": (
            "gathered",
            lambda v: v["weights"].mT @ v["value_heads"],
        ),
        "keys are gathered in place of values": (
            "gathered",
            lambda v: v["weights"] @ v["key_heads"],
        ),
        "values are gathered without the weights": (
            "gathered",
            lambda v: v["value_heads"],
        ),
        "heads are merged without transposing: transpose(1, 2), then reshape": (
            "merged",
            lambda v: v["gathered"].reshape(v["ln_1"].shape),
        ),
        "heads are merged with d_head in front: (batch, seq, head, d_head) it is": (
            "merged",
            lambda v: v["gathered"].permute(0, 2, 3, 1).flatten(2),
        ),
    }
    return [Suspect(cause, {name: run}) for cause, (name, run) in kinds.items()]
