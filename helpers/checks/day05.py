"""Checks for day 5: scores, the repetition penalty, all texts, beams that end."""

import itertools
import math

import torch

from helpers.checks.old import exercise, expect

__all__ = [
    "day05_beam_search",
    "day05_best_text",
    "day05_repetition_penalty",
    "day05_score",
]

END = "."


@exercise
def day05_score(score) -> None:
    """score(log_probs, length_penalty): their sum / their number ** length_penalty."""
    log_probs = [-0.5, -2.0, -0.25, -1.0]
    total, n = sum(log_probs), len(log_probs)
    for power in (2.0, 1.0, 0.0, -1.0, 0.5):
        found, right = score(list(log_probs), power), total / n**power
        wrong = {}
        if power < 0:  # only here: above 0 these two are right
            wrong[
                "a negative penalty is a power like any other, 4 ** -1 is 1/4: it "
                "needs no case of its own"
            ] = total / n ** abs(power)
        wrong |= {
            "the sum was multiplied by the length: divide, or longer texts, whose sums "
            "are lower, are punished twice": total * n**power,
            "the power is missing: divide by n ** length_penalty, not by n times it": (
                total / (n * power or 1)
            ),
            "this is the mean whatever the penalty": total / n,
            "this is the sum whatever the penalty": total,
            "the sum was divided by the penalty, the length is missing": (
                total / (power or 1)
            ),
            "the sign is wrong: log-probabilities and scores are negative": (
                -total / n**power
            ),
            "these are probabilities: stay with logarithms": math.exp(total) / n**power,
            "off by one: n is the number of new tokens, one for each log-probability": (
                total / (n + 1) ** power
            ),
            "the penalty was subtracted: it is a power of the length": total
            - power * n,
        }
        message = f"penalty {power}: expected {right:.4f}, got {found}"
        _compare(_number(found), wrong, right, message)


@exercise
def day05_repetition_penalty(penalise) -> None:
    """penalise(input_ids, next_logits, r): new logits, the seen tokens marked down."""
    input_ids = torch.tensor([[3, 1, 3, 0], [2, 5, 5, 4]])
    logits = torch.tensor(
        [[2.0, -1.5, 3.0, 4.0, -0.5, 0.5, 1.0], [-2.0, 1.0, 2.5, -3.0, 0.0, -4.0, 2.0]]
    )
    for r in (1.5, 1.0, 0.8):
        given = logits.clone()
        found = penalise(input_ids.clone(), given, r)
        expect(
            torch.equal(given, logits), "the logits were changed in place: copy them"
        )
        expect(isinstance(found, torch.Tensor), f"expected a tensor, got {found!r}")
        shape = tuple(found.shape)
        expect(shape == (2, 7), f"expected logits of shape (2, 7), got {shape}")
        right = _penalised(input_ids, logits, r)
        wrong = _wrong_penalties(input_ids, logits, r)
        rows = [row for row in (0, 1) if not _close(found[row], right[row])]
        which = (
            "both rows are" if len(rows) == 2 else f"row {rows[0] if rows else 0} is"
        )
        _compare(found, wrong, right, f"{which} wrong, r = {r}")


def _penalised(input_ids, logits, r: float, times: bool = False) -> torch.Tensor:
    found = logits.clone()
    for row, ids in enumerate(input_ids.tolist()):
        for token in ids if times else set(ids):
            z = found[row, token].item()
            found[row, token] = z / r if z > 0 else z * r
    return found


def _wrong_penalties(input_ids, logits, r: float) -> dict:
    seen = torch.zeros_like(logits).scatter(1, input_ids, 1.0).bool()
    everywhere = seen.any(dim=0, keepdim=True).expand_as(seen)
    opposite = torch.where(logits > 0, logits * r, logits / r)
    marked = torch.where(logits > 0, logits / r, logits * r)
    probs = logits.softmax(dim=-1)
    return {
        "all seen logits were divided: dividing a negative one makes it larger, which "
        "rewards the token": torch.where(seen, logits / r, logits),
        "all seen logits were multiplied: that rewards the positive ones": (
            torch.where(seen, logits * r, logits)
        ),
        "the wrong way round: divide the positive ones, multiply the others": (
            torch.where(seen, opposite, logits)
        ),
        "a token that is there twice was penalised twice: once is the rule": (
            _penalised(input_ids, logits, r, times=True)
        ),
        "tokens of one row were penalised in the other: each row has its own past": (
            torch.where(everywhere, marked, logits)
        ),
        "every token was penalised, also those not there yet": marked,
        "the tokens that are NOT there were penalised": (
            torch.where(seen, logits, marked)
        ),
        "only the last token was penalised: all of input_ids count": (
            _penalised(input_ids[:, -1:], logits, r)
        ),
        "the first token was left out: the prompt counts too": (
            _penalised(input_ids[:, 1:], logits, r)
        ),
        "the penalty was subtracted": torch.where(seen, logits - r, logits),
        "these are probabilities: the rule changes logits and returns logits": (
            _penalised(input_ids, logits, r).softmax(dim=-1)
        ),
        "the rule was applied to probabilities: it changes logits": (
            torch.where(seen, probs / r, probs)
        ),
    }


FEW = {
    "saw": {
        "red": 0.25,
        "blue": 0.2,
        "grey": 0.18,
        "old": 0.15,
        "green": 0.13,
        "wet": 0.09,
    },
    "red": {"owls": 0.4, "cats": 0.3, "dogs": 0.3},
    "blue": {"owls": 0.2, "cats": 0.5, "dogs": 0.3},
    "grey": {"owls": 0.35, "cats": 0.31, "dogs": 0.34},
    "old": {"owls": 0.36, "cats": 0.31, "dogs": 0.33},
    "green": {"owls": 0.03, "cats": 0.03, "dogs": 0.94},
    "wet": {"owls": 0.5, "cats": 0.2, "dogs": 0.3},
    "owls": {"sleep": 0.3, "sing": 0.4, "run": 0.3},
    "cats": {"sleep": 0.8, "sing": 0.1, "run": 0.1},
    "dogs": {"sleep": 0.02, "sing": 0.02, "run": 0.96},
}


def _few(text):
    return dict(FEW.get(text[-1], {}))


@exercise
def day05_best_text(best_text) -> None:
    """best_text(next_probs, start, steps): the likeliest text and its probability."""
    for steps in (3, 2, 1):
        answer = best_text(_few, "saw", steps)
        pair = "expected a pair: the text, a tuple of words, and its probability"
        expect(isinstance(answer, tuple) and len(answer) == 2, pair)
        text, p = answer
        expect(isinstance(text, tuple | list), f"{pair}; the text is {text!r}")
        text, every = tuple(text), _all_texts(steps)
        right = max(every, key=every.get)
        expect(text != right[1:], "the start word is missing: it belongs to the text")
        length = f"the text is {text}: expected the start and {steps} more words"
        expect(len(text) == steps + 1, length)
        expect(text in every, f"{text} is no text of this model")
        greedy = _narrow(1, steps)
        if text != right:
            expect(text != min(every, key=every.get), "this is the least probable text")
            never = "this is what greedy finds: a likely first word hid a likelier text"
            expect(text != greedy, never)
            missed = "this is what a few beams find: look at every text, drop none"
            expect(all(text != _narrow(width, steps) for width in (2, 3, 4)), missed)
            added = max(every, key=lambda words: sum(_edges(words)))
            expect(text != added, "the probabilities were added: a chain multiplies")
            last = (
                f"this text has {every[text]:.4f}, but {right} has {every[right]:.4f}"
            )
            raise AssertionError(last)
        edges = _edges(text)
        wrong = {
            "the probability is that of the last word alone": edges[-1],
            "the probabilities were added: a chain multiplies": sum(edges),
            "this is the log-probability: return exp of it": math.log(every[right]),
            "this is the mean probability of a word": sum(edges) / steps,
        }
        message = f"right text, but its probability is {every[right]:.4f}, not {p}"
        _compare(_number(p), wrong, every[right], message)


def _edges(text) -> list[float]:
    return [FEW[before][word] for before, word in itertools.pairwise(text)]


def _all_texts(steps: int) -> dict[tuple, float]:
    texts = {("saw",): 1.0}
    for _ in range(steps):
        texts = {
            (*text, word): p * q
            for text, p in texts.items()
            for word, q in FEW[text[-1]].items()
        }
    return texts


def _narrow(width: int, steps: int) -> tuple:
    beams = {("saw",): 1.0}
    for _ in range(steps):
        grown = {(*t, w): p * q for t, p in beams.items() for w, q in _few(t).items()}
        beams = {t: grown[t] for t in sorted(grown, key=grown.get)[-width:]}
    return max(beams, key=beams.get)


OPEN = {
    "saw": {"a": 0.55, "the": 0.44, END: 0.01},
    "a": {END: 0.5, "cat": 0.3, "the": 0.2},
    "the": {"cat": 0.9, END: 0.1},
    "cat": {"run": 0.7, END: 0.2, "a": 0.1},
    "run": {END: 0.8, "cat": 0.2},
}
SURE = {
    "saw": {END: 0.4, "a": 0.35, "the": 0.25},
    "a": {"cat": 1.0},
    "the": {END: 0.9, "cat": 0.1},
    "cat": {"cat": 0.9, END: 0.1},
}
TORN = {
    "saw": {"a": 0.4, END: 0.35, "the": 0.25},
    "a": {"cat": 0.32, "the": 0.26, "run": 0.23, END: 0.19},
    "the": {"cat": 0.6, END: 0.4},
    "cat": {"run": 0.55, END: 0.45},
    "run": {"a": 0.4, "cat": 0.3, END: 0.3},
}


@exercise
def day05_beam_search(search) -> None:
    """search(next_probs, start, num_beams, max_steps, length_penalty): text, score."""
    settings = list(
        itertools.product((OPEN, SURE, TORN), (2, 1, 3), (4, 2), (1.0, 0.0, 2.0))
    )
    found = [_ask(search, *setting) for setting in settings]
    right = [_search(*setting) for setting in settings]
    if all(map(_same, found, right)):
        return
    for message, mistake in WRONG_SEARCHES.items():
        wrong = [_search(*setting, **mistake) for setting in settings]
        expect(not all(map(_same, found, wrong)), message)
    pairs = zip(found, right, settings, strict=True)
    got, wanted, setting = next(pair for pair in pairs if not _same(*pair[:2]))
    _, beams, steps, power = setting
    line = f"num_beams={beams}, max_steps={steps}, length_penalty={power:g}"
    expect(got[0] == wanted[0], f"expected {wanted[0]}, got {got[0]} for {line}")
    line = f"right text, but its score is {wanted[1]:.4f}, not {got[1]:.4f}, for {line}"
    raise AssertionError(line)


def _ask(search, model, *setting) -> tuple[tuple, float]:
    def next_probs(text):
        expect(text[-1] != END, f"a text that has ended was grown: {tuple(text)}")
        return dict(model[text[-1]])

    answer = search(next_probs, "saw", *setting)
    pair = "expected a pair: the text, a tuple of words, and its score"
    expect(isinstance(answer, tuple) and len(answer) == 2, pair)
    text, score = answer
    expect(isinstance(text, tuple | list), f"{pair}; the text is {text!r}")
    expect(bool(text) and text[0] == "saw", "the start word belongs to the text")
    return tuple(text), _number(score)


def _same(one: tuple[tuple, float], other: tuple[tuple, float]) -> bool:
    return one[0] == other[0] and math.isclose(one[1], other[1], abs_tol=1e-5)


WRONG_SEARCHES = {
    "texts that had ended were lost: set them aside and compare them too": {
        "lose_ended": True
    },
    "texts still running at the last step were lost: score them as they are": {
        "lose_running": True
    },
    "the first text that ended was returned: another may score better": {"first": True},
    "the place of a text that ended was filled: it is empty until the next step": {
        "refill": True
    },
    "the beam shrank for good: each step keeps up to num_beams again": {"shrink": True},
    "texts that ended were set aside though they were not among the best": {
        "any_end": True
    },
    "the texts were compared by probability: compare scores": {"compare": 0.0},
    "the start word was counted: n is the number of new words": {"offset": 1},
    "the end was not counted: '.' is a new word too": {"offset": -1},
    "the total was multiplied by the length: divide by it": {"sign": -1},
}


def _search(
    model,
    num_beams: int,
    steps: int,
    power: float,
    *,
    lose_ended=False,
    lose_running=False,
    first=False,
    refill=False,
    shrink=False,
    any_end=False,
    compare=None,
    offset=0,
    sign=1,
) -> tuple[tuple, float]:
    """The search, or with an option what a mistake would find."""

    def score(text, total, power=power):
        ends = text[-1] == END
        n = len(text) - 1 + (offset if offset > 0 or ends else 0)
        return total / max(n, 1) ** (sign * power)

    running, ended = {("saw",): 0.0}, {}
    for _ in range(steps):
        grown = {
            (*text, word): total + math.log(p)
            for text, total in running.items()
            for word, p in model[text[-1]].items()
        }
        order = sorted(grown, key=grown.get, reverse=True)
        best = order[: num_beams - len(ended) if shrink else num_beams]
        ended |= {t: grown[t] for t in (order if any_end else best) if t[-1] == END}
        on = [text for text in (order if refill else best) if text[-1] != END]
        running = {text: grown[text] for text in on[:num_beams]}
        if first and ended:
            break
    pool = ({} if lose_running and ended else running) | ended
    if first and ended:
        pool = ended
    if lose_ended and running:
        pool = running
    chosen = max(pool, key=lambda t: score(t, pool[t], power if compare is None else 0))
    return chosen, score(chosen, pool[chosen])


def _number(value) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise AssertionError(f"expected one number, got {value!r}") from None


def _compare(found, wrong: dict, right, otherwise: str) -> None:
    """Name the mistake that gives what was found, if it is not what was wanted."""
    if not _close(found, right):
        for message, value in wrong.items():
            expect(not _close(found, value), message)
        raise AssertionError(otherwise)


def _close(found, wanted) -> bool:
    found = torch.as_tensor(found, dtype=torch.float64)
    wanted = torch.as_tensor(wanted, dtype=torch.float64)
    return torch.allclose(found, wanted, atol=1e-5)
