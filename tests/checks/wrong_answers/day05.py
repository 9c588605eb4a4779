"""Right answers in other styles to the exercises of day 5, and other mistakes."""

import math
from functools import partial
from heapq import nlargest


def _texts(next_probs, text, steps):
    """Yield every text with its probability, depth first."""
    if steps == 0:
        yield text, 1.0
        return
    for word, p in next_probs(text).items():
        for longer, q in _texts(next_probs, (*text, word), steps - 1):
            yield longer, p * q


def _best(view=lambda text: text, show=lambda text, p: (text, p)):
    def best_text(next_probs, start, steps):
        texts = _texts(lambda text: next_probs(view(text)), (start,), steps)
        return show(*max(texts, key=lambda pair: pair[1]))

    return best_text


def _by_sets(next_probs, texts, view=lambda text: text, least=1e-9):
    """Tell by the words that greedy and top-k would have left."""
    probs = {}
    for text in texts:
        for i in range(1, len(text)):
            p = probs[text[:i], text[i]] = next_probs(view(text[:i]))
            if p.get(text[i], -1) < least:
                return "foreign"
    if len(set(texts)) == 1:
        likeliest = all(w == max(p, key=p.get) for (_, w), p in probs.items())
        return "greedy" if likeliest else "search"
    two = all(p[w] >= min(nlargest(2, p.values())) for (_, w), p in probs.items())
    return "top-k 2" if two else "drawn"


def _search(
    stops=lambda step, max_steps: step < max_steps,
    view=lambda text: text,
    enough=math.inf,
    score=lambda total, n, penalty: total / n**penalty,
):
    """A search with probabilities in one sorted list."""

    def search(next_probs, start, num_beams, max_steps, penalty):
        running, done, step = [(1.0, [start])], [], 0
        while running and stops(step, max_steps) and len(done) < enough * num_beams:
            grown = [
                (p * q, [*text, word])
                for p, text in running
                for word, q in next_probs(view(text)).items()
            ]
            best = sorted(grown, reverse=True)[:num_beams]
            done += [pair for pair in best if pair[1][-1] == "."]
            running = [pair for pair in best if pair[1][-1] != "."]
            step += 1
        scored = [
            (score(math.log(p), len(t) - 1, penalty), t) for p, t in done + running
        ]
        best, text = max(scored)
        return tuple(text), best

    return search


WRONG = {
    "day05_best_text": {
        "takes a whole text": _best(lambda text: text[-1:]),
        "0.003206), got": _best(show=lambda t, p: (t, round(p, 4))),
    },
    "day05_how_chosen": {
        "takes a whole text": partial(_by_sets, view=lambda text: text[-1:]),
        "with probability 0": partial(_by_sets, least=0),
    },
    "day05_beam_search": {
        "stop when nothing runs": _search(enough=1),
        "do not multiply": _search(score=lambda total, n, penalty: total * n**penalty),
        "a longer text was grown": _search(lambda step, most: True),
        "ended was grown": lambda f, s, *_: f((s, ".")),
        "nothing had ended": lambda *_: max([]),
    },
}

RIGHT = {
    "day05_how_chosen": [_by_sets],
    "day05_best_text": [_best(), _best(show=lambda text, p: [text, p])],
    "day05_beam_search": [_search()],
}
