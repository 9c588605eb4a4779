"""Right answers in other styles to the exercises of day 3, and mistakes of form."""

import math

import torch
import torch.nn.functional as F


def _future(scores):
    return torch.ones_like(scores).triu(1).bool()


def _in_place(scores):
    return scores.masked_fill_(_future(scores), -math.inf).softmax(dim=-1)


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


def _slow_loss(logits, labels):
    losses = []
    for row, targets in zip(logits, labels.tolist(), strict=True):
        for t, target in enumerate(targets[1:]):
            if target != -100:
                losses.append(math.log(row[t].exp().sum()) - row[t, target].item())
    return sum(losses) / len(losses)


def _steps(logits, input_ids, n):
    places = range(len(input_ids) - n, len(input_ids))
    return [logits[t - 1].softmax(-1)[input_ids[t]].item() for t in places]


def _gathered(logits, input_ids, n):
    log_probs = logits.log_softmax(dim=-1)[:-1]
    return log_probs.gather(1, input_ids[1:, None])[-n:].sum().exp()


def _softmax_in_place(logits):
    logits -= logits.max(dim=-1, keepdim=True).values
    return logits.softmax(dim=-1)


def _pads_as_zero(logits, labels):
    targets = labels[:, 1:]
    keep = targets != -100
    targets[~keep] = 0
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, targets[..., None])[..., 0][keep].mean()


def _indexed(logits, labels):
    log_probs = logits[:, :-1].log_softmax(dim=-1).flatten(0, 1)
    return -log_probs[range(len(log_probs)), labels[:, 1:].flatten()].mean()


WRONG = {
    "day03_softmax": [
        ("nothing", lambda z: None, "expected a tensor of real numbers of shape"),
        ("one row", lambda z: z[0].softmax(dim=-1), "of shape (3, 5), got a tensor"),
        ("in place", _softmax_in_place, "logits was changed in place"),
        ("all together", lambda z: _stable_softmax(z, None), "all rows together"),
        ("columns", lambda z: z.softmax(dim=0), "each column sums to 1"),
        ("no keepdim", lambda z: z.exp() / z.exp().sum(dim=-1), "keepdim=True"),
        ("cut off", lambda z: z.clamp(-50, 50).softmax(dim=-1), "subtract each row's"),
    ],
    "day03_causal_weights": [
        ("in place", _in_place, "scores was changed in place"),
        ("nothing", lambda scores: None, "is a return missing?"),
        ("no mask", lambda s: s.softmax(dim=-1), "the future has weight"),
        ("0 * -inf", lambda s: (s - math.inf * _future(s)).softmax(-1), "has a nan"),
    ],
    "day03_loss": [
        ("a loss per token", lambda z, y: _shifted(z, y, reduction="none"), "a number"),
        ("pads set to 0", _pads_as_zero, "labels was changed in place"),
        ("-100 looked up", _indexed, "labels of -100 were looked up as tokens"),
    ],
    "day03_word_probability": [
        ("text", lambda z, x, n: "0.1", "expected a number, got a string"),
    ],
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
        _slow_loss,
        lambda z, y: F.cross_entropy(z.mT, F.pad(y, (0, 1), value=-100)[:, 1:]),
    ],
    "day03_word_probability": [
        _gathered,
        lambda z, x, n: math.prod(_steps(z, x, n)),
    ],
}
