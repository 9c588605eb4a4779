"""Right answers in other styles to the exercises of day 3, and mistakes of form."""

import math

import torch
import torch.nn.functional as F


def _future(scores):
    return torch.ones_like(scores).triu(1).bool()


def _slow_causal(scores):
    weights = torch.zeros_like(scores)
    for t in range(len(scores)):
        weights[t, : t + 1] = scores[t, : t + 1].softmax(dim=0)
    return weights


def _stable_softmax(logits, dim=-1):
    e = (logits - logits.max(dim=-1, keepdim=True).values).exp()
    return e / e.sum(dim=dim, keepdim=True)


def _shifted(logits, labels, **options):
    return F.cross_entropy(logits[:, :-1].mT, labels[:, 1:], **options)


def _steps(logits, input_ids, n):
    places = range(len(input_ids) - n, len(input_ids))
    return [logits[t - 1].softmax(-1)[input_ids[t]].item() for t in places]


def _indexed(logits, labels):
    log_probs = logits[:, :-1].log_softmax(dim=-1).flatten(0, 1)
    return -log_probs[range(len(log_probs)), labels[:, 1:].flatten()].mean()


WRONG = {
    "day03_softmax": {
        "all rows together": lambda z: _stable_softmax(z, None),
        "each column sums to 1": lambda z: z.softmax(dim=0),
        "keepdim=True": lambda z: z.exp() / z.exp().sum(dim=-1),
        "subtract each row's": lambda z: z.clamp(-50, 50).softmax(dim=-1),
    },
    "day03_causal_weights": {
        "the future has weight": lambda s: s.softmax(dim=-1),
        "has a nan": lambda s: (s - math.inf * _future(s)).softmax(-1),
    },
    "day03_loss": {
        "labels of -100 were looked up as tokens": _indexed,
    },
}

RIGHT = {
    "day03_softmax": [
        _stable_softmax,
        lambda logits: logits.double().softmax(dim=-1),
        lambda logits: (logits - logits.logsumexp(dim=-1, keepdim=True)).exp(),
    ],
    "day03_causal_weights": [
        lambda s: (s + torch.full_like(s, -math.inf).triu(1)).softmax(dim=-1),
        _slow_causal,
    ],
    "day03_loss": [
        _shifted,
        lambda z, y: F.cross_entropy(z.mT, F.pad(y, (0, 1), value=-100)[:, 1:]),
    ],
    "day03_word_probability": [
        lambda z, x, n: math.prod(_steps(z, x, n)),
    ],
}
