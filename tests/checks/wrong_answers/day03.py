"""Right answers in other styles to the exercises of day 3, and mistakes of form."""

import torch
import torch.nn.functional as F


def _by_prefixes(logits_of, ids):
    whole = logits_of(ids)
    short = [logits_of(ids[:, :n])[0, -1] for n in range(1, ids.shape[1] + 1)]
    return not torch.allclose(whole[0], torch.stack(short), atol=1e-3)


def _in_place(logits_of, ids):
    before = logits_of(ids.clone())
    ids[0, -1] += 1
    return bool((logits_of(ids) - before)[0, :-1].any())


def _forgotten(text, changes, truth_of, belief_of):
    best, most = None, 0.1
    for word, other in changes.items():
        moves = []
        for of in (truth_of, belief_of):
            before, after = of(text), of(other)
            moves.append(1 - sum(min(p, after.get(w, 0)) for w, p in before.items()))
        if moves[0] - moves[1] >= most:
            best, most = word, moves[0] - moves[1]
    return best


def _stable_softmax(logits, dim=-1):
    e = (logits - logits.max(dim=-1, keepdim=True).values).exp()
    return e / e.sum(dim=dim, keepdim=True)


def _shifted(logits, labels, **options):
    return F.cross_entropy(logits[:, :-1].mT, labels[:, 1:], **options)


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
    "day03_peeks": {
        "input_ids was changed in place": _in_place,
        "expected True or False": lambda logits_of, ids: logits_of(ids),
    },
    "day03_forgotten": {
        "raised KeyError": lambda x, c, p, q: max(c, key=lambda w: p(c[w])[" yes"]),
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
    "day03_peeks": [_by_prefixes],
    "day03_loss": [
        _shifted,
        lambda z, y: F.cross_entropy(z.mT, F.pad(y, (0, 1), value=-100)[:, 1:]),
    ],
    "day03_forgotten": [_forgotten],
}
