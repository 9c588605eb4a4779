"""Checks for day 7: kinds of heads, what each says, what may be said."""

from functools import partial

import torch

from helpers.checks.common import exercise
from helpers.checks.values import same

LUCK = torch.Generator().manual_seed(7)


def _texts(length: int):
    """Yield a head of each kind, its weights (seq, seq), and the length of a copy."""
    spread = torch.ones(2 * length + 1, 2 * length + 1).tril()
    spread /= spread.sum(-1, keepdim=True)
    copies = torch.arange(1, length + 1), torch.arange(length + 1, len(spread))

    def head(looks, queries=copies[1]):  # {how far back: its share}, the rest spread
        sharp = spread.clone()
        sharp[queries] *= 1 - sum(looks.values())
        for back, share in looks.items():
            sharp[queries, queries - back] += share
        return sharp

    yield from ((head({n: 0.9}), length) for n in (1, length, length - 1, length - 2))
    sink = 0.1 * spread + 0.9 * torch.eye(len(spread))[0]
    yield from ((sink, length), (spread, length))
    yield head({1: 0.35, length - 1: 0.6}), length  # two kinds, one stronger
    yield head({1: 2.4 / length}), length  # four times chance
    yield head({1: 0.9}, copies[0]), length  # not in the second copy


def _kind(weights, length, shift=0, least=5, whole=False, pick=max):
    queries = torch.arange(length + 1, len(weights))
    keys = {"previous": queries - 1, "first": 0 * queries}
    back = queries - length + shift
    keys |= {"duplicate": back, "induction": back + 1}
    scores = {name: weights[queries, key].mean() for name, key in keys.items()}
    if whole:
        scores["previous"] = weights.diagonal(-1).mean()
    kinds = [k for k in scores if scores[k] > least * (1 / (queries + 1)).mean()]
    return pick(kinds, key=scores.get) if kinds else "none"


day07_kind = exercise(
    "kind(weights, length): what a head does on a text written twice, or none.",
    cases=[case for length in (10, 16) for case in _texts(length)],
    right=_kind,
    hint=lambda case, name, said: f"a head of the kind {name} was called {said}",
    wrong={
        "to look everywhere alike is no kind: use chance": dict(least=0),
        "duplicate is length back, induction length - 1": dict(shift=-1),
        "several may pass: take the largest": dict(pick=lambda kinds, key: kinds[0]),
        "the second copy only, from query length + 1": dict(whole=True),
        "five times chance; at query q that is 1 / (q + 1)": dict(least=2),
        "rows look, columns are looked at": lambda w, length: _kind(w.T, length),
    },
)


def _say(merged, w_o, direction, n_head, cut=lambda x, n: x.view(n, -1)):
    places = cut(torch.arange(len(merged)), n_head)  # (n_head, d_head)
    return torch.stack([merged[at] @ w_o[at] @ direction for at in places])


def _wide(x, n):
    return [x[h * n : h * n + n] for h in range(n)]


NORMAL = [torch.randn(12, generator=LUCK) for _ in range(4)]
W_O = torch.randn(12, 12, generator=LUCK)
day07_says = exercise(
    "says(merged, w_o, direction, n_head): each head's share of the lead.",
    cases=[(NORMAL[0], W_O, NORMAL[1], 3), (NORMAL[2], W_O, NORMAL[3], 4)],
    right=_say,
    same=partial(same, atol=1e-4),
    wrong={
        "the slices of heads lie one after the other, not interleaved, each n_head-th "
        "number": dict(cut=lambda x, n: x.view(-1, n).T),
        "w_o is stored (in, out): a head owns rows of it, not "
        "columns": lambda merged, w_o, *rest: _say(merged, w_o.T, *rest),
        "that is what all heads say together: one number for each "
        "head": lambda merged, w_o, lead, n: (merged @ w_o @ lead).expand(n),
        "no W_O in it: what a head gathers is not yet what it "
        "says": lambda merged, w_o, *rest: _say(merged, torch.eye(12), *rest),
        "a share is signed: a head may speak against the word": lambda *given: _say(
            *given
        ).abs(),
        "the shares add up to the lead, they are logits: no softmax": lambda *given: (
            _say(*given).softmax(0)
        ),
        "a slice is d_head wide, d_model // n_head, and begins at h * d_head": dict(
            cut=_wide
        ),
    },
)


WHY = {
    "A": "silenced it costs no more than its control, patched it brings nothing",
    "B": "patched it brings the word, silenced the word is lost; its control does not",
    "C": "it brings 13 of 30 logits, and 6 of 15 go with it: P has a ceiling",
    "D": "its control costs as much: 0.7 apart, and the errors are 0.8 and 0.9",
    "E": "without it the lead breaks, but it does not bring the word",
    "F": "alone it brings half of the logits, yet without it not even one is lost",
    "G": "it costs 3.1 logits and its control 2.9: that is what any heads there cost",
}
SHARE, NOTHING = "carries a share", "nothing special"
TRUE = ["only looks", "enough and needed", SHARE, NOTHING, "needed, does not carry"]
TRUE = dict(zip("ABCDEFG", [*TRUE, "redundant", NOTHING], strict=True))


def _first_wrong(case, true, said):
    off = [name for name in true if said.get(name) != true[name]]
    return f"{off[0]} is not {said.get(off[0])!r}: {WHY[off[0]]}"


day07_verdicts = exercise(
    "verdicts(): what each of seven experiments, A to G, allows one to say.",
    cases=[()],
    right=lambda: dict(TRUE),
    call=lambda answer: answer(),  # so that no message prints what is expected
    hint=_first_wrong,
    wrong={
        "a large weight proves nothing: see A": partial(dict, TRUE, A="redundant"),
        "as dear as any heads: see D": partial(dict, TRUE, D="needed, does not carry"),
        "P is at its ceiling: see C in logits": partial(dict, TRUE, C="redundant"),
    },
)
