"""Wrong and right answers to the exercises of day 3."""

import math

import torch
import torch.nn.functional as F


def _masked(scores, mask):
    return scores.masked_fill(mask, -math.inf)


def _future(scores):
    return torch.ones_like(scores).triu(1).bool()


def _zero_after(scores):
    return scores.softmax(dim=-1).tril()


def _renormalised(scores):
    weights = scores.softmax(dim=-1).tril()
    return weights / weights.sum(dim=-1, keepdim=True)


def _in_place(scores):
    return scores.masked_fill_(_future(scores), -math.inf).softmax(dim=-1)


def _slow_causal(scores):
    weights = torch.zeros_like(scores)
    for t in range(len(scores)):
        weights[t, : t + 1] = scores[t, : t + 1].softmax(dim=0)
    return weights


def _added_mask(scores):
    mask = torch.zeros_like(scores).masked_fill(_future(scores), -math.inf)
    e = (scores + mask - (scores + mask).max(dim=-1, keepdim=True).values).exp()
    return e / e.sum(dim=-1, keepdim=True)


def _naive_softmax(logits):
    return logits.exp() / logits.exp().sum(dim=-1, keepdim=True)


def _stable_softmax(logits):
    e = (logits - logits.max(dim=-1, keepdim=True).values).exp()
    return e / e.sum(dim=-1, keepdim=True)


def _softmax_minus(shift):
    def softmax(logits):
        e = (logits - shift(logits)).exp()
        return e / e.sum(dim=-1, keepdim=True)

    return softmax


def _nll(logits, labels, **options):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), **options)


def _shifted(logits, labels, **options):
    return _nll(logits[:, :-1], labels[:, 1:], **options)


def _row_means(logits, labels):
    rows = [_shifted(logits[i : i + 1], labels[i : i + 1]) for i in range(len(labels))]
    return sum(rows) / len(rows)


def _looked_up(logits, labels):
    log_probs = logits[:, :-1].log_softmax(dim=-1)
    return -log_probs.gather(-1, labels[:, 1:, None]).mean()


def _slow_loss(logits, labels):
    losses = []
    for row, targets in zip(logits, labels.tolist(), strict=True):
        for t, target in enumerate(targets[1:]):
            if target != -100:
                losses.append(math.log(row[t].exp().sum()) - row[t, target].item())
    return sum(losses) / len(losses)


def _steps(logits, input_ids, n, lag=1):
    probs = logits.softmax(dim=-1)
    places = range(len(input_ids) - n, len(input_ids))
    return torch.stack([probs[t - lag, input_ids[t]] for t in places])


def _gathered(logits, input_ids, n):
    log_probs = logits.log_softmax(dim=-1)[:-1]
    return log_probs.gather(1, input_ids[1:, None])[-n:].sum().exp()


def _logit_product(logits, input_ids, n):
    return logits[:-1].gather(1, input_ids[1:, None])[-n:].prod()


WRONG = {
    "day03_softmax": [
        ("exp of large logits overflows", _naive_softmax, "exp(1000) is inf"),
        (
            "subtracts the largest logit of all rows",
            _softmax_minus(lambda z: z.max()),
            "each row's own largest",
        ),
        (
            "subtracts the mean",
            _softmax_minus(lambda z: z.mean(dim=-1, keepdim=True)),
            "not the mean",
        ),
        ("sums over the wrong axis", lambda z: z.softmax(dim=0), "each column sums"),
        (
            "divides by the sum of everything",
            lambda z: z.exp() / z.exp().sum(),
            "all rows together",
        ),
        (
            "divides the logits themselves",
            lambda z: z / z.sum(dim=-1, keepdim=True),
            "take exp before",
        ),
        (
            "stops at the logarithm",
            lambda z: z.log_softmax(dim=-1),
            "the exp is missing",
        ),
        (
            "forgets keepdim",
            lambda z: z.exp() / z.exp().sum(dim=-1),
            "keepdim=True",
        ),
        ("uses powers of two", lambda z: _stable_softmax(z * math.log(2)), "exp(z)"),
        ("forgets to return", lambda z: None, "returns None"),
        (
            "returns one row",
            lambda z: z[0].softmax(dim=-1),
            "expected probabilities of",
        ),
    ],
    "day03_causal_weights": [
        (
            "zeroes the weights after the softmax",
            _zero_after,
            "zeroed after the softmax",
        ),
        ("and then divides by the sums", _renormalised, "future scores of 300"),
        (
            "multiplies the scores by the mask",
            lambda s: s.tril().softmax(dim=-1),
            "exp(0) is 1",
        ),
        (
            "keeps the future instead of the past",
            lambda s: _masked(s, ~_future(s) & ~torch.eye(len(s)).bool()).softmax(
                dim=-1
            ),
            "sees the future",
        ),
        (
            "masks the diagonal too",
            lambda s: _masked(s, torch.ones_like(s).triu().bool()).softmax(dim=-1),
            "position t sees itself",
        ),
        (
            "sums over the queries",
            lambda s: _masked(s, _future(s)).softmax(dim=0),
            "the columns sum to 1",
        ),
        ("forgets the mask", lambda s: s.softmax(dim=-1), "nothing is masked"),
        (
            "masks with -1000",
            lambda s: s.masked_fill(_future(s), -1000.0).softmax(dim=-1),
            "must be -inf",
        ),
        (
            "multiplies the mask by -inf",
            lambda s: (s + _future(s).float() * -math.inf).softmax(dim=-1),
            "0 times -inf",
        ),
        (
            "uses a mask of its own size",
            lambda s: _masked(s, _future(torch.ones(5, 5))).softmax(dim=-1),
            "build the mask inside",
        ),
        ("changes the scores in place", _in_place, "in place"),
        ("returns the scores", lambda s: _masked(s, _future(s)), "not the softmax"),
    ],
    "day03_loss": [
        ("does not shift", _nll, "had read it"),
        ("shifts twice", lambda z, y: _nll(z[:, :-2], y[:, 2:]), "token after next"),
        (
            "shifts the wrong way",
            lambda z, y: _nll(z[:, 1:], y[:, :-1]),
            "the wrong way",
        ),
        (
            "flattens, then shifts",
            lambda z, y: F.cross_entropy(z.flatten(0, 1)[:-1], y.flatten()[1:]),
            "shift inside each row",
        ),
        ("sums", lambda z, y: _shifted(z, y, reduction="sum"), "this is the sum"),
        ("forgets the sign", lambda z, y: -_shifted(z, y), "sign is wrong"),
        (
            "counts -100 as token 0",
            lambda z, y: _shifted(z, y.clamp(min=0)),
            "counted as tokens",
        ),
        ("looks -100 up", _looked_up, "looked up as tokens"),
        (
            "divides by all positions",
            lambda z, y: _shifted(z, y, reduction="sum") / y[:, 1:].numel(),
            "divided by the -100 positions",
        ),
        ("averages the rows' means", _row_means, "mean of the rows' means"),
        ("returns the perplexity", lambda z, y: _shifted(z, y).exp(), "perplexity"),
        ("uses bits", lambda z, y: _shifted(z, y) / math.log(2), "in bits"),
        (
            "returns a loss per token",
            lambda z, y: _shifted(z, y, reduction="none"),
            "expected one number",
        ),
    ],
    "day03_word_probability": [
        (
            "is off by one",
            lambda z, x, n: _steps(z, x, n, lag=0).prod(),
            "use those at t - 1",
        ),
        (
            "takes one token too many",
            lambda z, x, n: _steps(z, x, n + 1).prod(),
            "one token too many",
        ),
        (
            "uses one row for all tokens",
            lambda z, x, n: z.softmax(dim=-1)[len(x) - n - 1, x[-n:]].prod(),
            "one row scored",
        ),
        ("adds", lambda z, x, n: _steps(z, x, n).sum(), "a chain multiplies"),
        ("averages", lambda z, x, n: _steps(z, x, n).mean(), "this is the mean"),
        (
            "takes a root",
            lambda z, x, n: _steps(z, x, n).prod() ** (1 / n),
            "geometric",
        ),
        (
            "takes the first token",
            lambda z, x, n: _steps(z, x, n)[0],
            "first token alone",
        ),
        (
            "takes the last token",
            lambda z, x, n: _steps(z, x, n)[-1],
            "last token alone",
        ),
        (
            "stays with logarithms",
            lambda z, x, n: _steps(z, x, n).log().sum(),
            "log-probability",
        ),
        (
            "scores the whole text",
            lambda z, x, n: _steps(z, x, len(x) - 1).prod(),
            "the whole text",
        ),
        ("multiplies logits", _logit_product, "softmax comes first"),
        ("returns every step", _steps, "expected one number"),
    ],
}

RIGHT = {
    "day03_softmax": [
        _stable_softmax,
        lambda logits: logits.double().softmax(dim=-1),
        lambda logits: (logits - logits.logsumexp(dim=-1, keepdim=True)).exp(),
    ],
    "day03_causal_weights": [
        lambda s: _masked(s, _future(s)).softmax(dim=-1),
        _slow_causal,
        _added_mask,
    ],
    "day03_loss": [
        _shifted,
        _slow_loss,
        lambda z, y: _nll(z, F.pad(y, (0, 1), value=-100)[:, 1:]),
    ],
    "day03_word_probability": [
        lambda z, x, n: _steps(z, x, n).prod(),
        _gathered,
        lambda z, x, n: math.prod(_steps(z, x, n).tolist()),
    ],
}
