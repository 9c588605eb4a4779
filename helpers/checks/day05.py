"""Checks for day 5: all texts, how texts were chosen, beams that end."""

import math
from functools import partial
from heapq import nlargest
from itertools import product
from operator import ge, gt

from helpers.checks.common import exercise, expect
from helpers.checks.values import same


def _keep(grown, num_beams, ended):
    """Return the texts to set aside and those that run on, of those grown."""
    best = nlargest(num_beams, grown, key=grown.get)
    return [t for t in best if t[-1] == "."], [t for t in best if t[-1] != "."]


def _fill(grown, num_beams, ended):
    running = _keep(grown, len(grown), ended)[1]
    return _keep(grown, num_beams, ended)[0], running[:num_beams]


def _end_first(grown, num_beams, ended):
    ends, running = _keep(grown, len(grown), ended)
    return ends, running[:num_beams]


def _mean(total, text, power):
    return total / (len(text) - 1) ** power


def _search(*given, keep=_keep, pool=dict.__or__, score=_mean, rank=None, early=False):
    """Search as exercise 3 asks, with parts that can be exchanged."""
    next_probs, start, num_beams, max_steps, power = given
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
        if early and len(ended) >= num_beams:
            break
    texts = pool(ended, running)
    best = max(texts, key=lambda text: (rank or score)(texts[text], text, power))
    return best, score(texts[best], best, power)


def _minding(model, start, steps=math.inf):
    """Return a model's ``next_probs``, which minds what it is asked for."""

    def next_probs(text):
        part = f"next_probs was given {text!r}: it takes a whole text, a tuple of words"
        expect(tuple(text[:1]) == (start,), part)
        expect("." not in text, f"a text that has ended was grown: {tuple(text)}")
        expect(len(text) <= steps, f"stop after {steps} steps: a longer text was grown")
        behind = f"the model knows nothing behind {text[-1]!r}: ask for no word there"
        expect(callable(model) or text[-1] in model, behind)
        return dict(model(tuple(text)) if callable(model) else model.get(text[-1], {}))

    return next_probs


def _hidden(text) -> dict:
    """Nothing is likely but the last word behind the least likely beginning."""
    if text == ("saw", "wet", "wet", "wet"):
        return {"home": 0.95, "red": 0.05}
    if text == ("saw", "red"):
        return {"red": 0.197, "blue": 0.199, "grey": 0.2, "old": 0.201, "wet": 0.203}
    return {"red": 0.231, "blue": 0.219, "grey": 0.207, "old": 0.193, "wet": 0.15}


def _likeliest(next_probs, start, steps, beams=5**4, show=math.exp):
    given = next_probs, start, beams, steps, None
    text, total = _search(*given, score=lambda total, *_: total)
    return text, show(total)


day05_best_text = exercise(
    "best_text(next_probs, start, steps): the likeliest text and its probability.",
    cases=[(4,), (1,)],
    call=lambda answer, steps: answer(_minding(_hidden, "saw", steps), "saw", steps),
    same=partial(same, atol=1e-9),
    right=_likeliest,
    wrong={
        "this is what greedy finds: look at every text": dict(beams=1),
        "this is what beams find: drop no beginning": dict(beams=2),
        "the start is no step": lambda f, s, n: _likeliest(f, s, n - 1),
        "this is log P: return exp of it": dict(show=float),
    },
)

WORDS = {
    "I": {"see": 0.5, "hear": 0.3, "am": 0.2},
    "see": {"him": 0.6, "it": 0.3, "you": 0.1},
    "hear": {"it": 0.9, "you": 0.07, "him": 0.03},
    "am": {"here": 0.9, "there": 0.1, "you": 0.0},
    "it": {"now": 0.5, "then": 0.25, "soon": 0.25},
    "him": {"run": 0.4, "sit": 0.4, "go": 0.2},
}
LETTERS = ["I see him/I see him", "I hear it/I hear it", "I see you", "I am here"]
LETTERS += ["I see him/I hear it", "I hear you/I see him", "I see him/I am here"]
LETTERS += ["I am here/I am you/I am there", "I hear him/I see him", "I see here"]
LETTERS += ["I see it/I zoo see", "I am/I am you", "I hear it now/I hear it soon"]
LETTERS += ["I see him/I see him/I hear you", "I see him run/I see him sit"]


def _how_chosen(next_probs, texts, alike=None, least=1e-9, beats=gt):
    worst, alike = 0, len(set(texts)) == 1 if alike is None else alike
    for text in texts:
        for i, word in enumerate(text[1:], 1):
            probs = next_probs(text[:i])
            p = probs.pop(word, -1)
            if p < least:
                worst = 99
                break
            worst = max(worst, sum(beats(q, p) for q in probs.values()))
    far = "top-k 2" if worst < 2 else "drawn" if worst < 99 else "foreign"
    return far if worst == 99 or not alike else "search" if worst else "greedy"


def _told(old, new):
    """Return the right function with one of its answers exchanged."""
    return lambda *given: {old: new}.get(_how_chosen(*given), _how_chosen(*given))


day05_how_chosen = exercise(
    "how_chosen(next_probs, texts): foreign, greedy, search, top-k 2 or drawn.",
    cases=[(letter,) for letter in LETTERS],
    call=lambda answer, letter: answer(
        _minding(WORDS, "I"), [tuple(text.split()) for text in letter.split("/")]
    ),
    hint=lambda case, right, said: f"the texts {case[0]!r} are {right!r}, not {said!r}",
    right=_how_chosen,
    wrong={
        "a search, too, finds one text": _told("search", "greedy"),
        "drawn from two, no word is beyond the second": _told("top-k 2", "drawn"),
        "look for a word beyond the two likeliest": _told("drawn", "top-k 2"),
        "a word without any probability was not drawn": _told("foreign", "drawn"),
        "a word may stand in the dictionary with probability 0: it is foreign, "
        "too": dict(least=0.0),
        "equally likely words share the better rank": dict(beats=ge),
        "look at every text, not only the first two": lambda f, texts: _how_chosen(
            f, texts[:2]
        ),
        "greedy tells one text: two that differ, each word tied for the likeliest, are "
        "top-k 2": lambda f, texts: (
            "greedy"
            if _how_chosen(f, texts, alike=True) == "greedy"
            else _how_chosen(f, texts)
        ),
        "look at every text, not only the first": lambda f, texts: _how_chosen(
            f, texts[:1], len(set(texts)) == 1
        ),
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
    call=lambda answer, model, *n: answer(_minding(model, "saw", n[1]), "saw", *n),
    right=_search,
    hint=lambda case, right, error: (
        "nothing had ended: what still runs counts, too" * ("empty" in str(error))
    ),
    wrong={
        "what still runs counts, too": dict(pool=lambda ended, on: ended or on),
        "a text that ended leaves its place empty for a step": dict(keep=_fill),
        "the beam shrank for good: each step keeps up to num_beams again, however many "
        "have ended": dict(keep=lambda g, k, e: _keep(g, k - len(e), e)),
        "add logarithms, do not multiply: the score is log P / n ** penalty": dict(
            score=lambda total, *of: _mean(math.exp(total), *of)
        ),
        "keep first, set aside then: an end behind the best num_beams is dropped": dict(
            keep=_end_first
        ),
        "compare scores, not log-probabilities": dict(rank=lambda total, *_: total),
        "go on when num_beams texts have ended: stop when nothing runs": dict(
            early=True
        ),
        "divide by the length to the power, do not multiply": dict(
            score=lambda total, text, power: _mean(total, text, -power)
        ),
        "the start is no new word": dict(score=lambda z, t, a: z / len(t) ** a),
    },
)
