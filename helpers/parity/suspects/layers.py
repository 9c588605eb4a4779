"""Wrong parts of a layer: norms, projections, sums, feed-forward."""

import math

import torch
from torch.nn import functional as F

from helpers.parity.checkpoints import WEIGHTS, Values
from helpers.parity.suspects.common import Operation, Suspect

LINEAR = {"c_attn": "ln_1", "projected": "merged", "c_fc": "ln_2", "c_proj": "gelu"}
THIRDS = ("query", "key", "value")
NORMS = {"ln_1": "stream", "ln_2": "attended", "ln_f": "stream"}


def mistakes(config) -> list[Suspect]:
    """Return the wrong ways to build a layer, but for the inside of attention."""
    norms = [*_norms(config.layer_norm_epsilon), *_misplaced_norms()]
    return [*norms, *_linears(), *_thirds(), *_sums(), *_feed_forward()]


def _normal(x: torch.Tensor, eps: float, *, dim=-1, correction=0) -> torch.Tensor:
    """Return x with mean 0 and variance 1 over ``dim``."""
    variance = x.var(dim=dim, keepdim=True, correction=correction)
    return (x - x.mean(dim=dim, keepdim=True)) / (variance + eps).sqrt()


def _norms(eps: float) -> list[Suspect]:
    """Return wrong norms: functions of what comes in, the weight and the bias."""

    def std(x: torch.Tensor) -> torch.Tensor:
        return x.std(dim=-1, keepdim=True, correction=0)

    kinds = {
        "the layer norm is missing": lambda x, w, b: x,
        "the layer norm is applied twice": lambda x, w, b: (
            _normal(_normal(x, eps) * w + b, eps) * w + b
        ),
        "the layer norm leaves out its weight and bias: normal * weight + bias": (
            lambda x, w, b: _normal(x, eps)
        ),
        "the layer norm leaves out its bias": lambda x, w, b: _normal(x, eps) * w,
        "the layer norm leaves out its weight": lambda x, w, b: _normal(x, eps) + b,
        "the variance is divided by n - 1, not n: var(correction=0)": (
            lambda x, w, b: _normal(x, eps, correction=1) * w + b
        ),
        "the mean is not subtracted (RMS norm): use x - x.mean(-1, keepdim=True)": (
            lambda x, w, b: x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * w + b
        ),
        "the layer norm divides by the variance: divide by its square root": (
            lambda x, w, b: (x - x.mean(-1, keepdim=True)) / (std(x) ** 2 + eps) * w + b
        ),
        "epsilon is added to the standard deviation: add it to the variance": (
            lambda x, w, b: (x - x.mean(-1, keepdim=True)) / (std(x) + eps) * w + b
        ),
        "the layer norm runs over the positions: it is over d_model, dim=-1": (
            lambda x, w, b: _normal(x, eps, dim=1) * w + b
        ),
        "the weight of the layer norm is taken as 1 + weight": (
            lambda x, w, b: _normal(x, eps) * (1 + w) + b
        ),
    }
    for wrong in (1e-5, 1e-6, 1e-8, 1e-12, 1e-4, 1e-3, 1e-2):
        if not math.isclose(wrong, eps):
            cause = f"epsilon of the layer norm is {wrong:g} or so, not {eps:g}"
            kinds[cause] = lambda x, w, b, e=wrong: _normal(x, e) * w + b
    return [Suspect(cause, _all_norms(kind)) for cause, kind in kinds.items()]


def _misplaced_norms() -> list[Suspect]:
    exchanged = {
        "ln_1": lambda v: v.norm(v["stream"], "ln_2"),
        "ln_2": lambda v: v.norm(v["attended"], "ln_1"),
    }
    behind = {
        "ln_1": lambda v: v["stream"],
        "attended": lambda v: v.norm(v["stream"] + v["projected"], "ln_1"),
        "ln_2": lambda v: v["attended"],
        "added": lambda v: v.norm(v["attended"] + v["c_proj"], "ln_2"),
    }
    place = "the norms stand after the sums: norm what goes into attention and into"
    return [
        Suspect("ln_1 and ln_2 are exchanged", exchanged),
        Suspect(f"{place} feed-forward", behind),
    ]


def _all_norms(kind) -> dict[str, Operation]:
    def at(name: str) -> Operation:
        w, b = f"{name}.weight", f"{name}.bias"
        return lambda v: kind(v[NORMS[name]], v.weights[w], v.weights[b])

    return {name: at(name) for name in NORMS}


def _linears() -> list[Suspect]:
    """Return wrong x W + b, for each of the four in a layer."""
    kinds = {
        "the bias of {} is missing": lambda x, w, b: x @ w,
        "the weight of {} is transposed: it is stored (in, out), nn.Linear wants "
        "(out, in), so load weight.T once": lambda x, w, b: x @ w.T + b,
        "the weight of {} is reshaped where it must be transposed: use .T": (
            lambda x, w, b: x @ w.reshape(w.shape[::-1]).T + b
        ),
        "{} is missing": lambda x, w, b: x,
    }
    return [
        Suspect(cause.format(WEIGHTS[name]), {name: _linear(name, kind)})
        for cause, kind in kinds.items()
        for name in LINEAR
    ]


def _linear(name: str, kind) -> Operation:
    w, b = f"{WEIGHTS[name]}.weight", f"{WEIGHTS[name]}.bias"
    return lambda v: kind(v[LINEAR[name]], v.weights[w], v.weights[b])


def _thirds() -> list[Suspect]:
    """Return wrong x W + b for a query, key or value with a matrix of its own."""
    kinds = {
        "the bias of {} is missing: a third of attn.c_attn.bias": lambda x, w, b: x @ w,
        "the weight of {} is transposed: attn.c_attn.weight is stored (in, out)": (
            lambda x, w, b: x @ w.T + b
        ),
    }

    def third(place: int, kind) -> Operation:
        def run(v: Values) -> torch.Tensor:
            weight = v.weights["attn.c_attn.weight"].chunk(3, dim=-1)[place]
            return kind(
                v["ln_1"], weight, v.weights["attn.c_attn.bias"].chunk(3)[place]
            )

        return run

    found = []
    for cause, kind in kinds.items():
        runs = {name: third(place, kind) for place, name in enumerate(THIRDS)}
        found.append(Suspect(cause.format("query, key and value"), runs))
        found += [Suspect(cause.format(n), {n: run}) for n, run in runs.items()]
    return found


def _sums() -> list[Suspect]:
    """Return wrong residual connections."""
    kinds = {
        "the stream is not added to attention's output: x + attention(norm(x))": (
            "attended",
            lambda v: v["projected"],
        ),
        "attention is added to the normed stream: add it to what came in": (
            "attended",
            lambda v: v["ln_1"] + v["projected"],
        ),
        "attention is missing: x + attention(norm(x))": (
            "attended",
            lambda v: v["stream"],
        ),
        "attention and feed-forward read the same stream: attention comes first": (
            "ln_2",
            lambda v: v.norm(v["stream"], "ln_2"),
        ),
        "the stream is not added to feed-forward's output: x + mlp(norm(x))": (
            "added",
            lambda v: v["c_proj"],
        ),
        "feed-forward is added to the normed stream: add it to what came in": (
            "added",
            lambda v: v["ln_2"] + v["c_proj"],
        ),
        "feed-forward is added to the layer's input, so attention is lost": (
            "added",
            lambda v: v["stream"] + v["c_proj"],
        ),
        "feed-forward is missing: x + mlp(norm(x))": (
            "added",
            lambda v: v["attended"],
        ),
    }
    return [Suspect(cause, {name: run}) for cause, (name, run) in kinds.items()]


def _feed_forward() -> list[Suspect]:
    kinds = {
        "this is the exact GELU: GPT-2 has the tanh form, F.gelu(approximate='tanh')": (
            F.gelu
        ),
        "this is ReLU: GPT-2 has GELU in its tanh form": F.relu,
        "this is SiLU: GPT-2 has GELU in its tanh form": F.silu,
        "this is the sigmoid form of GELU: GPT-2 has the tanh form": (
            lambda x: x * (1.702 * x).sigmoid()
        ),
        "this is tanh alone: GPT-2 has GELU in its tanh form": torch.tanh,
        "GELU is missing between c_fc and c_proj": lambda x: x,
        "GELU's 2/pi lacks its square root": lambda x: (
            x / 2 * (1 + (2 / math.pi * (x + 0.044715 * x**3)).tanh())
        ),
        "GELU's cube is a square": lambda x: (
            x / 2 * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**2)).tanh())
        ),
        "GELU lacks its factor 1/2": lambda x: 2 * F.gelu(x, approximate="tanh"),
    }
    return [
        Suspect(cause, {"gelu": lambda v, kind=kind: kind(v["c_fc"])})
        for cause, kind in kinds.items()
    ]
