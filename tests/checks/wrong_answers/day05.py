"""Right answers in other styles to the exercises of day 5, and other mistakes."""

import math

import torch


def _looped(x, z, r):
    z = z.clone()
    for row in range(len(x)):
        for token in x[row].unique():
            z[row, token] *= r if z[row, token] < 0 else 1 / r
    return z


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


def _search(stops=lambda step, max_steps: step < max_steps, view=lambda text: text):
    """A search with probabilities in one sorted list."""

    def search(next_probs, start, num_beams, max_steps, penalty):
        running, done, step = [(1.0, [start])], [], 0
        while running and stops(step, max_steps):
            grown = [
                (p * q, [*text, word])
                for p, text in running
                for word, q in next_probs(view(text)).items()
            ]
            best = sorted(grown, reverse=True)[:num_beams]
            done += [pair for pair in best if pair[1][-1] == "."]
            running = [pair for pair in best if pair[1][-1] != "."]
            step += 1
        scored = [(math.log(p) / (len(t) - 1) ** penalty, t) for p, t in done + running]
        score, text = max(scored)
        return tuple(text), score

    return search


WRONG = {
    "day05_score": {
        "n * penalty": lambda x, a: sum(x) / (len(x) * a or 1),
        "expected a number": lambda x, a: [p / len(x) ** a for p in x],
    },
    "day05_best_text": {
        "takes a whole text": _best(lambda text: text[-1:]),
        "0.003206), got": _best(show=lambda t, p: (t, round(p, 4))),
    },
    "day05_beam_search": {
        "a longer text was grown": _search(lambda step, most: True),
        "ended was grown": lambda f, s, *_: f((s, ".")),
    },
}

RIGHT = {
    "day05_score": [lambda x, a: torch.tensor(x).sum() * len(x) ** -a],
    "day05_repetition_penalty": [_looped],
    "day05_best_text": [_best(), _best(show=lambda text, p: [text, p])],
    "day05_beam_search": [_search()],
}
