"""Checks for day 6: drawing a token, top-p, min-p, distinct-2."""

import math

import torch

from helpers.checks.old import exercise, expect

__all__ = ["day06_distinct", "day06_draw", "day06_min_p", "day06_top_p"]


@exercise
def day06_draw(draw) -> None:
    """draw(probs, u): the token that a number u from [0, 1) falls on."""
    probs = torch.tensor([0.0, 0.125, 0.5, 0.0, 0.25, 0.125, 0.0])
    cases = {0.0: 1, 0.1: 1, 0.125: 2, 0.3: 2, 0.624: 2, 0.625: 4, 0.8: 4, 0.99: 5}
    given = probs.clone()
    found = [_whole(draw(given, u)) for u in cases]
    expect(torch.equal(given, probs), "the probabilities were changed in place")
    expect(len(set(found)) > 1, f"always token {found[0]}: the draw must depend on u")
    values = probs.tolist()
    order = sorted(range(len(values)), key=lambda i: -values[i])
    wrong = {
        "the tokens were sorted: give the token's id, its place in probs": [
            _first(u, [values[i] for i in order]) for u in cases
        ],
        "u was compared with each probability: add them up first (cumsum)": [
            next((i for i, p in enumerate(values) if p > u), len(values) - 1)
            for u in cases
        ],
        "one token too far: the first sum above u is the token's own": [
            min(i + 1, len(values) - 1) for i in cases.values()
        ],
        "one token too early: the sum that goes beyond u has the token's own share": [
            i - 1 for i in cases.values()
        ],
    }
    for message, answers in wrong.items():
        expect(found != answers, message)
    for u, token, right in zip(cases, found, cases.values(), strict=True):
        impossible = f"u = {u} gave token {token}, whose probability is 0: "
        advice = "the first sum that is greater than u, not equal to it"
        expect(not 0 <= token < 7 or values[token] > 0, impossible + advice)
        edge = " (token 1 owns 0 <= u < 0.125, token 2 owns 0.125 <= u < 0.625)"
        expect(token == right, f"u = {u}: expected token {right}, got {token}{edge}")
    _check_last_draw(draw)


def _check_last_draw(draw) -> None:
    """Probabilities of floats may sum to a little less than 1."""
    probs = torch.tensor([0.5, 0.4999, 0.0])
    short = "the sums end at 0.9999, as sums of floats may, and u = 0.99995: take "
    short += "the last token that has a probability"
    try:
        found = _whole(draw(probs, 0.99995))
    except (IndexError, StopIteration, RuntimeError, TypeError) as error:
        raise AssertionError(f"{short} ({error})") from None
    expect(found == 1, f"{short}, not token {found}")


@exercise
def day06_top_p(nucleus) -> None:
    """nucleus(probs, p): the distribution after top-p, (vocab,) to (vocab,)."""
    probs = torch.tensor([0.0625, 0.375, 0.02, 0.1875, 0.23, 0.125])
    for p in (0.5, 0.7, 0.9):
        given = probs.clone()
        answer = nucleus(given, p)
        expect(torch.equal(given, probs), "the probabilities were changed in place")
        _check_nucleus(answer, probs, p)
    alone = _vector(nucleus(probs.clone(), 0.2), 6, "probabilities")
    nothing = "p = 0.2 is less than the likeliest token has: that one crosses the "
    nothing += "threshold and stays, alone"
    expect(_close(alone, [0, 1, 0, 0, 0, 0]), nothing)
    every = _vector(nucleus(probs.clone(), 1.0), 6, "probabilities")
    expect(_close(every, probs), "p = 1 must leave the distribution as it is")
    halves = torch.tensor([0.25, 0.5, 0.25])
    exact = _vector(nucleus(halves, 0.5), 3, "probabilities")
    exactly = "p = 0.5 and the likeliest token has exactly 0.5: it reaches p by itself"
    expect(_close(exact, [0, 1, 0]), exactly + ", no other is needed")


def _check_nucleus(answer, probs: torch.Tensor, p: float) -> None:
    found = _vector(answer, len(probs), "probabilities")
    order = probs.argsort(descending=True)
    sums = probs[order].cumsum(0)
    kept = order[: int((sums < p).sum()) + 1]
    only = torch.zeros_like(probs)
    only[kept] = probs[kept]
    right = only / only.sum()
    short = only.clone()
    short[kept[-1]] = 0
    tail = probs.sort().values.cumsum(0)
    least = torch.zeros_like(probs)
    least[order.flip(0)[: int((tail < p).sum()) + 1]] = 1
    sorted_right = torch.zeros_like(probs)
    sorted_right[: len(kept)] = probs[kept] / probs[kept].sum()
    first = torch.zeros_like(probs)
    first[: int((probs.cumsum(0) < p).sum()) + 1] = 1
    wrong = {
        "nothing was removed": probs,
        "what was removed is 0, but the rest must sum to 1 again: divide by its sum": (
            only
        ),
        "the token that crosses the threshold was dropped: less than p is left": (
            short / short.sum()
        ),
        "and the rest must sum to 1 again; also, the token that crosses the threshold "
        "was dropped": short,
        "the probabilities come back sorted: put each at its own token's place": (
            sorted_right
        ),
        "the least likely tokens were kept: sort from the largest down": (
            least * probs / (least * probs).sum()
        ),
        "the tokens were added up in the order of their ids: sort them first": (
            first * probs / (first * probs).sum()
        ),
    }
    expect(not found.isnan().any(), "nan: nothing was kept, and 0 / 0 is not a number")
    if not _close(found, right):
        for message, value in wrong.items():
            expect(not _close(found, value), message)
        n, kept_now = len(kept), int((found > 0).sum())
        message = f"p = {p}: expected {n} tokens with mass {sums[n - 1]:.3f}"
        raise AssertionError(f"{message} made 1, got {kept_now} tokens")


@exercise
def day06_min_p(min_p) -> None:
    """min_p(logits, p): logits (batch, vocab), -inf where forbidden."""
    logits = torch.tensor([[0.6, 0.3, -1.2, 0.8, -0.3], [-2.5, 1.4, -3.1, 0.4, -0.5]])
    given = logits.clone()
    for p in (0.3, 0.1):
        answer = min_p(given, p)
        expect(torch.equal(given, logits), "the logits were changed in place")
        _check_min_p(answer, logits, p)
    found = _matrix(min_p(logits.clone(), 1.0), logits)
    one = "p = 1 keeps the likeliest token of each row, and only that"
    expect(found.isfinite().sum(dim=-1).tolist() == [1, 1], one)
    large = torch.tensor([[1000.0, 999.5, 995.0]])
    found = _matrix(min_p(large.clone(), 0.5), large)
    overflow = "wrong for logits near 1000: use softmax, or stay with logits"
    expect(found.isfinite().tolist() == [[True, True, False]], overflow)


def _check_min_p(answer, logits: torch.Tensor, p: float) -> None:
    found = _matrix(answer, logits)
    probs = logits.softmax(dim=-1)
    largest = probs.amax(dim=-1, keepdim=True)
    likely = probs >= p * largest
    forbidden = found[~likely]
    zero = "a logit of 0 forbids nothing, as exp(0) is 1: forbid with -inf"
    expect(not (len(forbidden) and (forbidden == 0).all()), zero)
    kept = found > -math.inf
    wrong = {
        "p was compared with the probabilities themselves: it is a share of the "
        "largest one": probs >= p,
        "the largest probability must be that of each row": probs >= p * probs.max(),
        "logits have no scale, so shares of the largest logit mean nothing: compare "
        "probabilities, or add log p": logits >= p * logits.amax(-1, keepdim=True),
        "p was subtracted from the largest probability: multiply": (
            probs >= largest - p
        ),
        "p was subtracted from the largest logit: a share of probabilities is a "
        "difference of logits, log p": logits >= logits.amax(-1, keepdim=True) - p,
        "the wrong ones were forbidden: the likely tokens stay": ~likely,
    }
    if not torch.equal(kept, likely):
        for message, value in wrong.items():
            expect(not torch.equal(kept, value), message)
        raise AssertionError(
            f"p = {p}: expected {likely.sum(dim=-1).tolist()} tokens left in the two "
            f"rows, got {kept.sum(dim=-1).tolist()}"
        )
    same = "the logits of the tokens that stay must not change"
    expect(_close(found[likely], logits[likely]), same)


@exercise
def day06_distinct(distinct_2) -> None:
    """distinct_2(texts): different word pairs, per pair of all texts."""
    texts = [list("abacabd"), list("abda"), list("cec")]  # words of one letter
    found = _share(distinct_2([list(text) for text in texts]))
    pairs = [list(zip(text, text[1:], strict=False)) for text in texts]
    every = [pair for some in pairs for pair in some]
    joined = [word for text in texts for word in text]
    across = list(zip(joined, joined[1:], strict=False))
    apart = [pair for some in pairs for pair in some[::2]]
    different, n = len(set(every)), len(every)
    wrong = {
        "the last word of a text and the first of the next one are no neighbours": (
            len(set(across)) / len(across)
        ),
        "divide by the number of pairs, not of words": different / len(joined),
        "a b and b a are two different pairs": len({frozenset(p) for p in every}) / n,
        "a pair that comes twice is still one different pair: count it once, do not "
        "leave it out": sum(every.count(pair) == 1 for pair in every) / n,
        "pairs overlap: a b a has two, a b and b a": len(set(apart)) / len(apart),
        "count over all texts together, not each text by itself: a mean over texts "
        "does not see what they share": sum(len(set(p)) / len(p) for p in pairs) / 3,
        "a pair that stands in two texts is one different pair, not two": (
            sum(len(set(some)) for some in pairs) / n
        ),
        "count pairs of words, not single words": len(set(joined)) / len(joined),
        "that is the share of repeated pairs: distinct-2 is what is left": (
            1 - different / n
        ),
        "that is the number of different pairs: divide by the number of all pairs": (
            different
        ),
        "upside down: different pairs, divided by all pairs": n / different,
    }
    if not _close(torch.tensor(found), different / n):
        for message, value in wrong.items():
            expect(not _close(torch.tensor(found), value), message)
        raise AssertionError(
            f"{n} pairs, {different} of them different: expected "
            f"{different / n:.3f}, got {found:.3f}"
        )
    try:
        short = _share(distinct_2([["a"], ["a", "b"]]))
    except (ZeroDivisionError, IndexError, ValueError) as error:
        raise AssertionError(f"a text of one word has no pair ({error})") from None
    expect(_close(torch.tensor(short), 1), "a text of one word has no pair: skip it")


def _share(answer) -> float:
    expect(answer is not None, "the function returns None: return a number")
    answer = torch.as_tensor(answer, dtype=torch.float64)
    expect(answer.numel() == 1, f"expected one number, got {tuple(answer.shape)}")
    return answer.item()


def _first(u: float, shares: list[float]) -> int:
    total = 0.0
    for i, share in enumerate(shares):
        total += share
        if total > u:
            return i
    return len(shares) - 1


def _whole(answer) -> int:
    expect(answer is not None, "the function returns None: return the token's id")
    answer = torch.as_tensor(answer)
    one = f"expected one token id, got something of shape {tuple(answer.shape)}"
    expect(answer.numel() == 1, one)
    whole = not answer.is_floating_point() and answer.dtype != torch.bool
    expect(whole, f"expected a token id, a whole number; got {answer.item()}")
    return int(answer.item())


def _vector(answer, size: int, what: str) -> torch.Tensor:
    expect(answer is not None, f"the function returns None: return {what}")
    answer = torch.as_tensor(answer, dtype=torch.float64)
    got = tuple(answer.shape)
    every = "every token keeps its place, with probability 0 if it was removed"
    expect(got == (size,), f"expected {what} of shape ({size},), got {got}: {every}")
    return answer


def _matrix(answer, logits: torch.Tensor) -> torch.Tensor:
    expect(answer is not None, "the function returns None: return logits")
    answer = torch.as_tensor(answer)
    got, wanted = tuple(answer.shape), tuple(logits.shape)
    expect(got == wanted, f"expected logits of shape {wanted}, got shape {got}")
    numbers = "expected logits, got True and False: fill in -inf where forbidden"
    expect(answer.is_floating_point(), numbers)
    expect(not answer.isnan().any(), "nan among the logits: 0 times -inf is nan")
    return answer


def _close(found: torch.Tensor, wanted) -> bool:
    wanted = torch.as_tensor(wanted, dtype=torch.float64)
    return torch.allclose(found.double(), wanted, atol=1e-5, equal_nan=True)
