"""Checks for day 5: scores, the repetition penalty, all texts, beams that end."""

import math
from functools import partial
from heapq import nlargest
from itertools import product

import torch

from helpers.checks.common import exercise, expect
from helpers.checks.values import same

__all__ = [
    "day05_beam_search",
    "day05_best_text",
    "day05_repetition_penalty",
    "day05_score",
]


def score(log_probs, length_penalty):
    return sum(log_probs) / len(log_probs) ** length_penalty


day05_score = exercise(
    "day05_score",
    """score(log_probs, length_penalty): their sum / their number ** length_penalty.""",
    cases=[([-0.5, -2.0, -0.25, -1.0], power) for power in (2.0, 1.0, 0.0, -1.0, 0.5)],
    each=True,
    right=score,
    wrong={
        "a negative penalty is a power like any other, 4 ** -1 is 1/4: it needs no "
        "case of its own": lambda x, a: sum(x) / len(x) ** abs(a),
        "the sum was multiplied by the length: divide, or longer texts, whose sums are "
        "lower, are punished twice": lambda x, a: sum(x) * len(x) ** a,
        "n ** penalty, not n * penalty": lambda x, a: sum(x) / (len(x) * a),
        "n ** penalty, not penalty ** n": lambda x, a: sum(x) / a ** len(x),
        "this is the form of Wu et al. (2016), with ((5 + n) / 6) ** length_penalty; "
        "here it is n ** length_penalty": lambda x, a: sum(x) / ((5 + len(x)) / 6) ** a,
        "raise n to the power, not the mean": lambda x, a: -(abs(score(x, 1)) ** a),
        "this is the mean whatever the penalty": lambda x, a: score(x, 1),
        "this is the sum whatever the penalty": lambda x, a: sum(x),
        "n is missing: divide by n ** penalty": lambda x, a: sum(x) / a,
        "the sign is wrong: scores are negative": lambda x, a: -score(x, a),
        "exp of the score: stay with logarithms": lambda x, a: math.exp(score(x, a)),
        "off by one: n is the number of new tokens, one for each log-probability, and "
        "the start has none": lambda x, a: sum(x) / (len(x) + 1) ** a,
        "divide, do not subtract: a power of n": lambda x, a: sum(x) - a * len(x),
    },
)


def mark(logits, r):
    return torch.where(logits > 0, logits / r, logits * r)


def penalise(input_ids, next_logits, r, change=mark):
    seen = next_logits.gather(1, input_ids)  # (batch, seq)
    return next_logits.scatter(1, input_ids, change(seen, r))


def penalise_each(input_ids, next_logits, r):
    for column in input_ids.split(1, dim=1):
        next_logits = penalise(column, next_logits, r)
    return next_logits


def by(change):
    return partial(penalise, change=change)


IDS = torch.tensor([[3, 1, 3, 0], [2, 5, 5, 4]])
LOGITS = torch.tensor([[2, -1.5, 3, 4, -0.5, 0.5, 1], [-2, 1, 2.5, -3, 0, -4, 2]])
day05_repetition_penalty = exercise(
    "day05_repetition_penalty",
    """penalise(input_ids, next_logits, r): new logits, the seen tokens marked down.""",
    cases=[(IDS, LOGITS, r) for r in (1.5, 1.0, 0.8)],
    right=penalise,
    wrong={
        "all seen logits were divided: dividing a negative one makes it larger, which "
        "rewards the token": by(lambda z, r: z / r),
        "all seen logits were multiplied: that rewards the positive ones, as it makes "
        "them larger": by(lambda z, r: z * r),
        "the wrong way round: divide what is > 0": by(lambda z, r: mark(z, 1 / r)),
        "divide by r, or multiply: |z| (r - 1) was subtracted from z, the same for "
        "negative logits only": by(lambda z, r: z - z.abs() * (r - 1)),
        "divide by r, or multiply: |z| (1 - 1/r) was subtracted from z, which is the "
        "same for positive logits only": by(lambda z, r: z - z.abs() * (1 - 1 / r)),
        "the penalty was subtracted": by(lambda z, r: z - r),
        "a token that is there twice was penalised twice": penalise_each,
        "tokens of one row were penalised in the other: each row has its own past, its "
        "own input_ids": lambda x, z, r: penalise(x.flatten().expand(2, -1), z, r),
        "tokens of the first row were penalised in every row: each row has its own "
        "input_ids": lambda x, z, r: penalise(x[:1].expand(2, -1), z, r),
        "tokens not there yet were penalised": lambda x, z, r: mark(z, r),
        "all tokens count, not the last only": lambda x, *by: penalise(x[:, -1:], *by),
        "the prompt's first token counts": lambda x, *by: penalise(x[:, 1:], *by),
        "return logits, not probabilities": lambda *given: penalise(*given).softmax(-1),
        "penalise logits, not probabilities: of these none is negative, so that all "
        "are divided": lambda x, z, r: penalise(x, z.softmax(-1), r),
        "penalise the logits as they are, not log-probabilities: of these none is "
        "positive": lambda x, z, r: penalise(x, z.log_softmax(-1), r),
    },
)


def keep(grown, num_beams, ended):
    """Return the texts to set aside and those that run on, of those grown."""
    best = nlargest(num_beams, grown, key=grown.get)
    return [t for t in best if t[-1] == "."], [t for t in best if t[-1] != "."]


def fill(grown, num_beams, ended):
    running = keep(grown, len(grown), ended)[1]
    return keep(grown, num_beams, ended)[0], running[:num_beams]


def any_end(grown, num_beams, ended):
    return keep(grown, len(grown), ended)[0], keep(grown, num_beams, ended)[1]


def shrink(grown, num_beams, ended):
    return keep(grown, max(num_beams - len(ended), 0), ended)


def mean(total, text, power):
    return total / (len(text) - 1) ** power


def search(add=math.log, keep=keep, stop=None, pool=dict.__or__, score=mean, rank=None):
    """Return the search of exercise 4, made of parts that can be exchanged."""

    def search_with_ends(next_probs, start, num_beams, max_steps, power):
        running, ended = {(start,): 0.0}, {}
        for _ in range(max_steps):
            grown = {
                (*text, word): total + add(p)
                for text, total in running.items()
                for word, p in next_probs(text).items()
            }
            aside, on = keep(grown, num_beams, ended)
            ended |= {text: grown[text] for text in aside}
            running = {text: grown[text] for text in on}
            if stop and stop(ended, num_beams):
                break
        texts = pool(ended, running)
        best = max(texts, key=lambda text: (rank or score)(texts[text], text, power))
        return best, score(texts[best], best, power)

    return search_with_ends


def ask(answer, model, steps, *given):
    """Run an answer with a model's ``next_probs``, which minds what it is asked for."""

    def next_probs(text):
        expect(text != "saw", "next_probs takes a text, a tuple of words, not 'saw'")
        part = f"next_probs was given {text}: give it the whole text, from its start"
        expect(tuple(text[:1]) == ("saw",), part)
        expect("." not in text, f"a text that has ended was grown: {tuple(text)}")
        expect(len(text) <= steps, f"stop after {steps} steps: a longer text was grown")
        return dict(model(tuple(text)) if callable(model) else model[text[-1]])

    return as_tuples(answer(next_probs, "saw", *given))


def as_tuples(answer):
    return tuple(map(as_tuples, answer)) if isinstance(answer, list | tuple) else answer


def hidden(text) -> dict:
    """Nothing is likely but the last word behind the least likely beginning."""
    if text == ("saw", "wet", "wet", "wet"):
        return {"home": 0.95, "red": 0.05}
    if text == ("saw", "red"):
        return {"red": 0.197, "blue": 0.199, "grey": 0.2, "old": 0.201, "wet": 0.203}
    return {"red": 0.231, "blue": 0.219, "grey": 0.207, "old": 0.193, "wet": 0.15}


def likeliest(next_probs, start, steps, beams=5**4, show=math.exp, add=math.log):
    find = search(add, score=lambda total, *_: total)
    text, total = find(next_probs, start, beams, steps, None)
    return text, show(total)


day05_best_text = exercise(
    "day05_best_text",
    """best_text(next_probs, start, steps): the likeliest text and its probability.""",
    cases=[(4,), (1,)],
    call=lambda best_text, steps: ask(best_text, hidden, steps, steps),
    same=partial(same, atol=1e-9),
    right=likeliest,
    wrong={
        "this is what greedy finds: a likely first word hid a likelier text, one that "
        "begins with another": partial(likeliest, beams=1),
        "this is what beams find, or whoever goes on with likely beginnings only: look "
        "at every text to its end, drop none": partial(likeliest, beams=2),
        "a word is missing: steps": lambda f, s, n: likeliest(f, s, n - 1),
        "the start belongs to the text": lambda *g: (
            likeliest(*g)[0][1:],
            likeliest(*g)[1],
        ),
        "the probabilities of the words were added: in a chain they multiply, as in "
        "section 1": partial(likeliest, show=float, add=float),
        "this is log P: return exp of it": partial(likeliest, show=float),
        "the probability is rounded: return it as it is, with all the digits that it "
        "has": partial(likeliest, show=lambda total: round(math.exp(total), 4)),
    },
)

OPEN = {
    "saw": {"a": 0.55, "the": 0.44, ".": 0.01},
    "a": {".": 0.5, "cat": 0.3, "the": 0.2},
    "the": {"cat": 0.9, ".": 0.1},
    "cat": {"run": 0.7, ".": 0.2, "a": 0.1},
    "run": {".": 0.8, "cat": 0.2},
}
TORN = {
    "saw": {"a": 0.4, ".": 0.35, "the": 0.25},
    "a": {"cat": 0.32, "the": 0.26, "run": 0.23, ".": 0.19},
    "the": {"cat": 0.6, ".": 0.4},
    "cat": {"run": 0.55, ".": 0.45},
    "run": {"a": 0.4, "cat": 0.3, ".": 0.3},
}
day05_beam_search = exercise(
    "day05_beam_search",
    """search(next_probs, start, num_beams, max_steps, length_penalty): text, score.""",
    cases=[*product((OPEN, TORN), (2, 1, 3), (4, 2), (1.0, 0.0, 2.0))],
    call=lambda answer, model, *given: ask(answer, model, given[1], *given),
    right=search(),
    wrong={
        "compare those that ended, too": search(pool=lambda ended, on: on or ended),
        "compare those that still run, too": search(pool=lambda ended, on: ended or on),
        "go on when one has ended": search(stop=lambda ended, k: ended),
        "go on when num_beams have ended": search(stop=lambda e, k: len(e) >= k),
        "go on when one has ended, and compare those that still run with it: they may "
        "be better": search(stop=lambda e, k: e, pool=lambda ended, on: ended or on),
        "the place of a text that ended was filled: here it is empty until the next "
        "step, unlike the library's": search(keep=fill),
        "the beam shrank for good: each step keeps up to num_beams again, however many "
        "have ended": search(keep=shrink),
        "texts that ended were set aside though they were not among the num_beams most "
        "probable": search(keep=any_end),
        "compare scores, not log-probabilities": search(rank=lambda total, *_: total),
        "the start was counted: n is the number of new words, and the start is none of "
        "them": search(score=lambda z, text, a: z / len(text) ** a),
        "the end was not counted: '.' is one of the new words, and n counts all of the "
        "new": search(score=lambda z, t, a: z / max(len(t) - 1 - ("." in t), 1) ** a),
        "the mean whatever the penalty": search(score=lambda z, t, a: mean(z, t, 1)),
        "the total was multiplied": search(score=lambda z, t, a: mean(z, t, -a)),
        "return the score, not the total": search(score=lambda z, *_: z, rank=mean),
        "exp of the score": search(score=lambda *given: math.exp(mean(*given))),
    },
)
