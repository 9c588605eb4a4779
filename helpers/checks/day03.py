"""Checks for day 3: softmax, the causal mask, the loss, the probability of a word."""

import math

import torch

from helpers.checks.old import exercise, expect

__all__ = [
    "day03_causal_weights",
    "day03_loss",
    "day03_softmax",
    "day03_word_probability",
]


@exercise
def day03_softmax(softmax) -> None:
    """softmax(logits) over the last axis, right for large and small logits too."""
    logits = _random(3, 5)
    rows = [[math.exp(z) for z in row] for row in logits.tolist()]
    wanted = torch.tensor([[e / sum(row) for e in row] for row in rows])
    sizes = "sums of shape (3,) do not fit rows of shape (3, 5): keepdim=True"
    answer = _call(sizes, softmax, logits.clone())
    found = _tensor(answer, (3, 5), "probabilities")
    wrong = {
        "these are log-probabilities: the exp is missing": wanted.log(),
        "each column sums to 1: sum over the last axis": logits.softmax(dim=0),
        "all rows together sum to 1: each row is a distribution of its own (keepdim)": (
            logits.flatten().softmax(dim=0).view(3, 5)
        ),
        "logits may be negative: take exp before dividing by the sum": (
            logits / logits.sum(dim=-1, keepdim=True)
        ),
    }
    _compare(found, wrong, wanted, "this is not exp(z) divided by the sum of exp(z)")
    found = _tensor(
        softmax(torch.tensor([[1000.0, 999.0], [0.0, -1.0]])), (2, 2), "them"
    )
    nan = "exp(1000) is inf, and inf / inf is nan: subtract the largest logit first"
    expect(not found[0].isnan().any(), nan)
    nan = (
        "a row far below the others became 0 / 0: subtract each row's own largest logit"
    )
    expect(not found[1].isnan().any(), nan)
    ratio = 1 / (1 + math.exp(-1))
    near = torch.tensor([[ratio, 1 - ratio]] * 2, dtype=torch.float64)
    expect(torch.allclose(found, near, atol=1e-3), "wrong for logits near 1000")
    found = _tensor(softmax(torch.tensor([[400.0, 0.0, -400.0]])), (1, 3), "them")
    mean = "wrong for 400, 0, -400: subtract the largest logit, not the mean"
    expect(_close(found, [[1.0, 0.0, 0.0]]), mean)
    found = _tensor(softmax(torch.tensor([[0.0, -math.inf]])), (1, 2), "them")
    expect(_close(found, [[1.0, 0.0]]), "a logit of -inf must get probability 0")


@exercise
def day03_causal_weights(causal_weights) -> None:
    """causal_weights(scores): (T, T) attention scores to causal attention weights."""
    scores = _random(5, 5)
    wanted = _slow_weights(scores)
    given = scores.clone()
    found = _tensor(causal_weights(given), (5, 5), "weights")
    expect(torch.equal(given, scores), "the scores were changed in place: copy them")
    product = "every row has a nan: 0 times -inf is nan, so fill in -inf (masked_fill)"
    expect(not found[-1].isnan().any(), product)
    expect(not found.isnan().any(), "nan: a row sees nothing; position t sees itself")
    past = torch.ones(5, 5).tril().bool()
    future_free = _close(found.triu(1), torch.zeros(5, 5))
    wrong = {
        "each position sees the future: keep the keys up to the query (tril)": (
            scores.masked_fill(~past.T, -math.inf).softmax(dim=-1)
        ),
        "the columns sum to 1: softmax goes over the keys, the last axis": (
            scores.masked_fill(~past, -math.inf).softmax(dim=0)
        ),
        "weights were zeroed after the softmax, so the rows no longer sum to 1: "
        "set future scores to -inf before it": scores.softmax(dim=-1).tril(),
        "a score of 0 is no mask, as exp(0) is 1: future scores must be -inf": (
            scores.tril().softmax(dim=-1)
        ),
        "nothing is masked: the future has weight": scores.softmax(dim=-1),
    }
    _compare(found, wrong, wanted, "this is not the softmax of each row's past")
    expect(future_free, "a weight on the future is not 0")
    sizes = "works for T = 5 but not for T = 3: build the mask inside"
    answer = _call(sizes, causal_weights, torch.ones(3, 3).triu(1) * 300)
    found = _tensor(answer, (3, 3), "weights")
    leak = "future scores of 300 spoil the past: mask before the softmax, not after"
    expect(_close(found, _slow_weights(torch.zeros(3, 3))), leak)
    found = _tensor(causal_weights(torch.full((3, 3), -9e9)), (3, 3), "weights")
    low = "wrong where all scores are low: the mask must be -inf, not some low number"
    expect(_close(found, _slow_weights(torch.zeros(3, 3))), low)


def _slow_weights(scores: torch.Tensor) -> torch.Tensor:
    weights = torch.zeros(len(scores), len(scores))
    for query in range(len(scores)):
        past = [math.exp(score) for score in scores[query, : query + 1].tolist()]
        weights[query, : query + 1] = torch.tensor(past) / sum(past)
    return weights


@exercise
def day03_loss(loss) -> None:
    """loss(logits, labels): the mean of -log P(label), shifted, -100 left out."""
    logits = _random(2, 6, 7)
    log_probs = logits.double().log_softmax(dim=-1)
    labels = torch.tensor([[1, 4, 0, 6, 2, 3], [5, 5, 1, 3, 2, 4]])
    padded = torch.tensor([[1, 4, 0, 6, 2, 3], [5, 5, 1, 0, -100, -100]])
    _check_loss(loss(logits.clone(), labels.clone()), log_probs, labels)
    looked_up = "labels of -100 were looked up as tokens"
    answer = _call(looked_up, loss, logits.clone(), padded.clone())
    _check_loss(answer, log_probs, padded)


def _check_loss(answer, log_probs: torch.Tensor, labels: torch.Tensor) -> None:
    found = _tensor(answer, (), "one number")
    rows = _losses(log_probs, labels, 1)
    flat = log_probs.flatten(0, 1)[:-1], labels.flatten()[1:]
    total, right = sum(map(sum, rows)), _mean(rows)
    wrong = {
        "the sign is wrong: -log P is never negative": -right,
        "each token was scored by the logits that had read it: logits[:, :-1] go with "
        "labels[:, 1:]": _mean(_losses(log_probs, labels, 0)),
        "this scores the token after next: shift once": (
            _mean(_losses(log_probs, labels, 2))
        ),
        "shifted the wrong way: logits at t predict the token at t + 1": (
            _mean(_losses(log_probs, labels, -1))
        ),
        "this is the sum: divide by the number of predictions": total,
        "the last row of one text was scored on the first token of the next: shift "
        "inside each row, then flatten": _flat_mean(*flat),
        "labels of -100 were counted as tokens: leave them out": (
            _mean(_losses(log_probs, labels.clamp(min=0), 1))
        ),
        "the sum was divided by the -100 positions too: count only the others": (
            total / labels[:, 1:].numel()
        ),
        "this is the mean of the rows' means: divide once, at the end": (
            sum(map(_mean, zip(rows, strict=True))) / len(rows)
        ),
        "this is in bits: use the natural logarithm": right / math.log(2),
        "this is the perplexity: the loss is its logarithm": math.exp(right),
    }
    _compare(found, wrong, right, f"expected {right:.4f} nats, got {found:.4f}")


def _losses(log_probs, labels, shift: int) -> list[list[float]]:
    """-log P of each label, a list per row, predicted ``shift`` positions earlier."""
    rows = []
    for row, targets in zip(log_probs, labels.tolist(), strict=True):
        ahead = [(t, t + shift) for t in range(6) if 0 <= t + shift < 6]
        pairs = [(t, targets[u]) for t, u in ahead if targets[u] != -100]
        rows.append([-row[t, target].item() for t, target in pairs])
    return rows


def _flat_mean(log_probs: torch.Tensor, labels: torch.Tensor) -> float:
    counted = labels != -100
    chosen = log_probs[counted].gather(-1, labels[counted].unsqueeze(-1))
    return -chosen.mean().item()


def _mean(rows) -> float:
    return sum(map(sum, rows)) / sum(map(len, rows))


@exercise
def day03_word_probability(word_probability) -> None:
    """word_probability(logits, input_ids, n): P(last n tokens | those before them)."""
    logits, input_ids = _random(6, 9), torch.tensor([4, 0, 7, 2, 8, 5])
    probs = logits.double().softmax(dim=-1)
    own = [probs[t, input_ids[t]].item() for t in range(6)]
    steps = [probs[t - 1, input_ids[t]].item() for t in range(1, 6)]
    scores = [logits[t - 1, input_ids[t]].item() for t in range(1, 6)]
    for n in (2, 1, 4):
        answer = word_probability(logits.clone(), input_ids.clone(), n)
        found, right = _tensor(answer, (), "one number"), math.prod(steps[-n:])
        wrong = {
            "each token was scored by logits that had read it: use those at t - 1": (
                math.prod(own[-n:])
            ),
            "this is the log-probability: take exp at the end": math.log(right),
            "the probabilities were added: a chain multiplies": sum(steps[-n:]),
            "this is the mean of the probabilities: multiply them": sum(steps[-n:]) / n,
            "this is the geometric mean: no root is needed": right ** (1 / n),
            f"one token too many: these are the last {n + 1}, the word has {n}": (
                math.prod(steps[-n - 1 :])
            ),
            "one row scored all tokens: each has its own row, the one before it": (
                math.prod(probs[5 - n, input_ids[6 - n :]].tolist())
            ),
            "this is the first token alone: multiply all n": steps[-n],
            "this is the last token alone: multiply all n": steps[-1],
            "the whole text was scored: only the last n tokens are the word": (
                math.prod(steps)
            ),
            "these are logits: softmax comes first": math.prod(scores[-n:]),
        }
        message = f"n = {n}: expected {right:.6f}, got {found:.6f}"
        _compare(found, wrong, right, message)


def _random(*shape: int) -> torch.Tensor:
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def _call(mistake: str, function, *tensors):
    """Return the function's answer; an error of torch's gets the mistake's name."""
    try:
        return function(*tensors)
    except NotImplementedError:
        raise
    except (IndexError, RuntimeError) as error:
        raise AssertionError(f"{mistake} (torch says: {error})") from None


def _tensor(answer, shape: tuple[int, ...], what: str) -> torch.Tensor:
    """Return the answer as float64, after checking that its shape is right."""
    expect(answer is not None, f"the function returns None: return {what}")
    answer = torch.as_tensor(answer, dtype=torch.float64)
    got = tuple(answer.shape)
    expect(got == shape, f"expected {what} of shape {shape}, got shape {got}")
    return answer


def _compare(found: torch.Tensor, wrong: dict, wanted, otherwise: str) -> None:
    """Name the mistake that gives what was found, if it is not what was wanted."""
    if not _close(found, wanted):
        for message, value in wrong.items():
            expect(not _close(found, value), message)
        raise AssertionError(otherwise)


def _close(found: torch.Tensor, wanted) -> bool:
    wanted = torch.as_tensor(wanted, dtype=torch.float64)
    return torch.allclose(found, wanted, atol=1e-5, equal_nan=True)
