"""Checks for day 5: scores, the repetition penalty, all texts, beams that end."""

import math
from functools import partial
from heapq import nlargest
from itertools import product
from operator import mul, truediv

import torch

from helpers.checks.common import exercise, expect
from helpers.checks.values import same

day05_score = exercise(
    "score(log_probs, length_penalty): their sum / their number ** length_penalty.",
    cases=[([-0.5, -2.0, -0.25, -1.0], power) for power in (2.0, 1.0, 0.0, -1.0, 0.5)],
    each=True,
    right=lambda log_probs, power: sum(log_probs) / len(log_probs) ** power,
    wrong={
        "a negative power needs no case": lambda x, a: sum(x) / len(x) ** abs(a),
        "divide by the length, do not multiply": lambda x, a: sum(x) * len(x) ** a,
        "n ** penalty, not n * penalty": lambda x, a: sum(x) / (len(x) * a),
        "the sign is wrong: scores are negative": lambda x, a: -sum(x) / len(x) ** a,
        "n counts new tokens, not the start": lambda x, a: sum(x) / (len(x) + 1) ** a,
    },
)


def _penalise(input_ids, next_logits, r, up=mul, down=truediv):
    seen = next_logits.gather(1, input_ids)  # (batch, seq)
    marked = torch.where(seen > 0, down(seen, r), up(seen, r))
    return next_logits.scatter(1, input_ids, marked)


def _penalise_each(input_ids, next_logits, r):
    for column in input_ids.split(1, dim=1):
        next_logits = _penalise(column, next_logits, r)
    return next_logits


IDS = torch.tensor([[3, 1, 3, 5], [2, 5, 5, 4]])
LOGITS = torch.tensor([[2, -1.5, 3, 4, -0.5, 0.5, 1], [-2, 1, 2.5, -3, -0.5, -4, 2]])
day05_repetition_penalty = exercise(
    "penalise(input_ids, next_logits, r): new logits, the seen tokens marked down.",
    cases=[(IDS, LOGITS, r) for r in (1.5, 1.0, 0.8)],
    right=_penalise,
    wrong={
        "a negative logit grows if it is divided": partial(_penalise, up=truediv),
        "positive ones are divided, not others": lambda x, z, r: _penalise(x, z, 1 / r),
        "a token that is there twice was penalised twice": _penalise_each,
        "tokens of one row were penalised in the other: each row has its own past, its "
        "own input_ids": lambda x, *by: _penalise(x.view(1, 8)[[0, 0]], *by),
    },
)


def _keep(grown, num_beams, ended):
    """Return the texts to set aside and those that run on, of those grown."""
    best = nlargest(num_beams, grown, key=grown.get)
    return [t for t in best if t[-1] == "."], [t for t in best if t[-1] != "."]


def _fill(grown, num_beams, ended):
    running = _keep(grown, len(grown), ended)[1]
    return _keep(grown, num_beams, ended)[0], running[:num_beams]


def _mean(total, text, power):
    return total / (len(text) - 1) ** power


def _search(keep=_keep, pool=dict.__or__, score=_mean, rank=None):
    """Return the search of exercise 4, made of parts that can be exchanged."""

    def search_with_ends(next_probs, start, num_beams, max_steps, power):
        running, ended = {(start,): 0.0}, {}
        for _ in range(max_steps):
            grown = {
                (*text, word): total + math.log(p)
                for text, total in running.items()
                for word, p in next_probs(text).items()
            }
            aside, on = keep(grown, num_beams, ended)
            ended |= {text: grown[text] for text in aside}
            running = {text: grown[text] for text in on}
        texts = pool(ended, running)
        best = max(texts, key=lambda text: (rank or score)(texts[text], text, power))
        return best, score(texts[best], best, power)

    return search_with_ends


def _ask(answer, model, steps, *given):
    """Run an answer with a model's ``next_probs``, which minds what it is asked for."""

    def next_probs(text):
        part = f"next_probs was given {text!r}: it takes a whole text, a tuple of words"
        expect(tuple(text[:1]) == ("saw",), part)
        expect("." not in text, f"a text that has ended was grown: {tuple(text)}")
        expect(len(text) <= steps, f"stop after {steps} steps: a longer text was grown")
        return dict(model(tuple(text)) if callable(model) else model[text[-1]])

    return answer(next_probs, "saw", *given)


def _hidden(text) -> dict:
    """Nothing is likely but the last word behind the least likely beginning."""
    if text == ("saw", "wet", "wet", "wet"):
        return {"home": 0.95, "red": 0.05}
    if text == ("saw", "red"):
        return {"red": 0.197, "blue": 0.199, "grey": 0.2, "old": 0.201, "wet": 0.203}
    return {"red": 0.231, "blue": 0.219, "grey": 0.207, "old": 0.193, "wet": 0.15}


def _likeliest(next_probs, start, steps, beams=5**4, show=math.exp):
    find = _search(score=lambda total, *_: total)
    text, total = find(next_probs, start, beams, steps, None)
    return text, show(total)


day05_best_text = exercise(
    "best_text(next_probs, start, steps): the likeliest text and its probability.",
    cases=[(4,), (1,)],
    call=lambda best_text, steps: _ask(best_text, _hidden, steps, steps),
    same=partial(same, atol=1e-9),
    right=_likeliest,
    wrong={
        "this is what greedy finds: look at every text": partial(_likeliest, beams=1),
        "this is what beams find: drop no beginning": partial(_likeliest, beams=2),
        "the start is no step": lambda f, s, n: _likeliest(f, s, n - 1),
        "this is log P: return exp of it": partial(_likeliest, show=float),
    },
)

TORN = {
    "saw": {"a": 0.4, ".": 0.35, "the": 0.25},
    "a": {"cat": 0.32, "the": 0.26, "run": 0.23, ".": 0.19},
    "the": {"cat": 0.6, ".": 0.4},
    "cat": {"run": 0.55, ".": 0.45},
    "run": {"a": 0.41, "cat": 0.3, ".": 0.29},
}
OPEN = TORN | {
    "saw": {"a": 0.55, "the": 0.44, ".": 0.01},
    "a": {".": 0.5, "cat": 0.3, "the": 0.2},
    "run": {".": 0.83, "cat": 0.17},
}
day05_beam_search = exercise(
    "search(next_probs, start, num_beams, max_steps, length_penalty): text, score.",
    cases=[*product((OPEN, TORN), (2, 1, 3), (4, 2), (1.0, 0.0, 2.0))],
    call=lambda answer, model, *given: _ask(answer, model, given[1], *given),
    right=_search(),
    wrong={
        "what still runs counts, too": _search(pool=lambda ended, on: ended or on),
        "a text that ended leaves its place empty for a step": _search(keep=_fill),
        "the beam shrank for good: each step keeps up to num_beams again, however many "
        "have ended": _search(keep=lambda g, k, e: _keep(g, k - len(e), e)),
        "compare scores, not log-probabilities": _search(rank=lambda total, *_: total),
        "the start is no new word": _search(score=lambda z, t, a: z / len(t) ** a),
    },
)
