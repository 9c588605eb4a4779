"""Wrong beginnings, wrong ends, layers in disorder, and weights that are not right."""

import math
from collections.abc import Callable, Iterator

import torch

from helpers.parity.checkpoints import EMBEDDING, FINAL, PARTS, WEIGHTS, Step, Values
from helpers.parity.suspects.common import Operation, Suspect


def mistakes(config) -> list[Suspect]:
    """Return wrong embeddings, heads and orders of layers."""
    return [*_embeddings(), *_head(), *_structure()]


def own_weights(model, weights: dict[str, torch.Tensor], step: Step) -> list[Suspect]:
    """Return suspects that use a parameter of the learner's own in one operation.

    Every one that has the shape of a parameter that belongs there, or of its transpose,
    and holds other numbers.
    """
    part = next(part for part in PARTS if step.name in part)
    place = "" if step.layer is None else f"h.{step.layer}."
    found = []
    for kind in ("weight", "bias"):
        name = f"{WEIGHTS.get(step.name)}.{kind}"
        if place + name not in weights:
            continue
        cause = f"{{}} of your model is not the reference's {place}{name}: load it"
        if step.name == "logits":
            cause = "the head has weights of its own, {}: tie it to the token embedding"
        for own, other in _others(model, weights[place + name]):

            def wrong(v: Values, name=name, other=other) -> torch.Tensor:
                return part[step.name](Values(v, v.weights | {name: other}, v.config))

            found.append(Suspect(cause.format(own), {step.name: wrong}))
    return found


def _others(model, right: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield parameters of this shape, or of its transpose, that hold other numbers."""
    for name, own in getattr(model, "named_parameters", dict)():
        own = own.detach().to("cpu", torch.float32)
        for other in (own, own.t()) if own.dim() == 2 else (own,):
            if other.shape == right.shape and not torch.equal(other, right):
                yield name, other


def _positions(find: Callable[[int], torch.Tensor]) -> dict[str, Operation]:
    def run(v: Values) -> torch.Tensor:
        places = find(v["input_ids"].shape[1]) % v.config.n_positions
        return v.weights["wpe.weight"][places][None]

    return {"position_embedding": run}


def _embeddings() -> list[Suspect]:
    scale = "the token embedding is multiplied by sqrt(d_model): GPT-2 does not"
    return [
        Suspect(
            "positions are counted from 1: the first token has position 0",
            _positions(lambda seq: torch.arange(1, seq + 1)),
        ),
        Suspect(
            "positions are one too low: the first token has position 0, not -1",
            _positions(lambda seq: torch.arange(-1, seq - 1)),
        ),
        Suspect(
            "positions run backwards: the first token has position 0",
            _positions(lambda seq: torch.arange(seq).flip(0)),
        ),
        Suspect(
            "every token has position 0: use torch.arange(seq)",
            _positions(lambda seq: torch.zeros(seq, dtype=torch.long)),
        ),
        Suspect(
            "the position embedding is not added",
            {"position_embedding": lambda v: 0 * EMBEDDING["position_embedding"](v)},
        ),
        Suspect(
            "the token embedding is not added, only the position's",
            {"token_embedding": lambda v: 0 * EMBEDDING["token_embedding"](v)},
        ),
        Suspect(
            scale,
            {
                "token_embedding": lambda v: (
                    EMBEDDING["token_embedding"](v) * math.sqrt(v.config.n_embd)
                )
            },
        ),
    ]


def _head() -> list[Suspect]:
    def logits(change) -> dict[str, Operation]:
        return {"logits": lambda v: change(FINAL["logits"](v), v)}

    ready = "return logits, the loss and the sampler want them"
    return [
        Suspect(
            f"probabilities are returned: {ready}",
            logits(lambda z, v: z.softmax(dim=-1)),
        ),
        Suspect(
            f"log-probabilities are returned: {ready}",
            logits(lambda z, v: z.log_softmax(dim=-1)),
        ),
        Suspect(
            "the logits are divided by sqrt(d_model): GPT-2 does not",
            logits(lambda z, v: z * v.config.n_embd**-0.5),
        ),
    ]


def _structure() -> list[Suspect]:
    """Return layers in a wrong order or number, and rounded weights."""
    orders = {
        "the layers run backwards": lambda n: list(range(n))[::-1],
        "one layer is missing, the last": lambda n: list(range(n - 1)),
        "one layer is missing, the first": lambda n: list(range(1, n)),
        "the last layer runs twice": lambda n: [*range(n), n - 1],
        "all layers have the weights of the first: each needs its own": lambda n: (
            [0] * n
        ),
        "all layers have the weights of the last: each needs its own": (
            lambda n: [n - 1] * n
        ),
    }
    rounded = "the weights were rounded to {}: load them as float32"
    return [
        *(Suspect(cause, order=order) for cause, order in orders.items()),
        Suspect(rounded.format("float16"), change=lambda w: w.half().float()),
        Suspect(rounded.format("bfloat16"), change=lambda w: w.bfloat16().float()),
    ]
