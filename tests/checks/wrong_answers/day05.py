"""Wrong and right answers to the exercises of day 5."""

import itertools
import math

import torch

END = "."


def _seen(input_ids, logits):
    return torch.zeros_like(logits).scatter(1, input_ids, 1.0).bool()


def _marked(z, r):
    return torch.where(z > 0, z / r, z * r)


def _right_penalty(x, z, r):
    return torch.where(_seen(x, z), _marked(z, r), z)


def _gathered(x, z, r):
    return z.scatter(1, x, _marked(z.gather(1, x), r))


def _looped(x, z, r):
    z = z.clone()
    for row in range(len(x)):
        for token in x[row].unique():
            z[row, token] *= r if z[row, token] < 0 else 1 / r
    return z


def _in_place(x, z, r):
    z[:] = _gathered(x, z.clone(), r)
    return z


def _each_time(x, z, r):
    z = z.clone()
    for t in range(x.shape[1]):
        z = _gathered(x[:, t : t + 1], z, r)
    return z


def _first_row(x, z, r):
    return torch.cat([_gathered(x[:1], z[:1], r), z[1:]])


def _both_rows(x, z, r):
    return _gathered(x.flatten().expand(len(x), -1), z, r)


def _every_text(next_probs, start, steps):
    texts = {(start,): 1.0}
    for _ in range(steps):
        texts = {
            (*text, word): p * q
            for text, p in texts.items()
            for word, q in next_probs(text).items()
        }
    return texts


def _best(pick=max):
    def best_text(next_probs, start, steps):
        texts = _every_text(next_probs, start, steps)
        best = pick(texts, key=texts.get)
        return best, texts[best]

    return best_text


def _beams(width):
    def best_text(next_probs, start, steps):
        texts = {(start,): 1.0}
        for _ in range(steps):
            grown = {
                (*t, w): p * q
                for t, p in texts.items()
                for w, q in next_probs(t).items()
            }
            texts = {t: grown[t] for t in sorted(grown, key=grown.get)[-width:]}
        best = max(texts, key=texts.get)
        return best, texts[best]

    return best_text


def _recursive(next_probs, start, steps):
    def best_from(text, p, left):
        if not left:
            return text, p
        grown = (
            best_from((*text, word), p * q, left - 1)
            for word, q in next_probs(text).items()
        )
        return max(grown, key=lambda found: found[1])

    return best_from((start,), 1.0, steps)


def _product(next_probs, start, steps):
    vocabulary, layer = set(), {(start,)}
    for _ in range(steps):
        layer = {(*text, word) for text in layer for word in next_probs(text)}
        vocabulary |= {text[-1] for text in layer}
    found = []
    for words in itertools.product(sorted(vocabulary), repeat=steps):
        text, total = (start,), 0.0
        for word in words:
            q = next_probs(text).get(word, 0.0)
            total += math.log(q) if q else -math.inf
            text = (*text, word)
        found.append((total, text))
    total, text = max(found)
    return list(text), math.exp(total)


def _then(change):
    return lambda *given: change(*_best()(*given))


def _sums(next_probs, start, steps):
    texts = {(start,): 0.0}
    for _ in range(steps):
        texts = {
            (*text, word): p + q
            for text, p in texts.items()
            for word, q in next_probs(text).items()
        }
    best = max(texts, key=texts.get)
    return best, texts[best]


def _search(
    *,
    aside="kept",
    fill=False,
    shrink=False,
    keep_running=True,
    stop_first=False,
    grow_ended=False,
    score=lambda text, total, power: total / (len(text) - 1) ** power,
    rank=None,
):
    def search(next_probs, start, num_beams, max_steps, length_penalty):
        running, ended = [((start,), 0.0)], []
        for _ in range(max_steps):
            grown = [
                ((*text, word), total + math.log(p))
                for text, total in running
                for word, p in next_probs(text).items()
            ]
            grown.sort(key=lambda pair: -pair[1])
            kept = grown[: num_beams - len(ended) if shrink else num_beams]
            if grow_ended:
                running = kept
                continue
            if aside != "none":
                pool = grown if aside == "all" else kept
                ended += [pair for pair in pool if pair[0][-1] == END]
            pool = grown if fill else kept
            running = [pair for pair in pool if pair[0][-1] != END][:num_beams]
            if (stop_first and ended) or not running:
                break
        found = ended + (running if keep_running or not ended else [])
        if stop_first and ended:
            found = ended
        if not found:
            found = kept
        ranked = rank or score
        text, total = max(found, key=lambda pair: ranked(*pair, length_penalty))
        return text, score(text, total, length_penalty)

    return search


def _recursive_search(next_probs, start, num_beams, max_steps, length_penalty):
    def go_on(running, ended, left):
        if not left or not running:
            return running | ended
        grown = {
            (*text, word): p * q
            for text, p in running.items()
            for word, q in next_probs(text).items()
        }
        kept = {t: grown[t] for t in sorted(grown, key=grown.get)[-num_beams:]}
        done = {t: p for t, p in kept.items() if t[-1] == END}
        return go_on(
            {t: p for t, p in kept.items() if t not in done}, ended | done, left - 1
        )

    found = go_on({(start,): 1.0}, {}, max_steps)
    scores = {t: math.log(p) / (len(t) - 1) ** length_penalty for t, p in found.items()}
    best = max(scores, key=scores.get)
    return list(best), scores[best]


WRONG = {
    "day05_score": [
        ("multiplies", lambda x, a: sum(x) * len(x) ** a, "multiplied by the length"),
        ("takes abs", lambda x, a: sum(x) / len(x) ** abs(a), "needs no case"),
        ("takes no power", lambda x, a: sum(x) / (len(x) * a or 1), "power is missing"),
        ("takes the mean", lambda x, a: sum(x) / len(x), "mean whatever"),
        ("takes the sum", lambda x, a: sum(x), "sum whatever"),
        ("forgets the length", lambda x, a: sum(x) / (a or 1), "length is missing"),
        ("turns the sign", lambda x, a: -sum(x) / len(x) ** a, "sign is wrong"),
        ("leaves logs", lambda x, a: math.exp(sum(x)) / len(x) ** a, "stay with log"),
        ("counts one more", lambda x, a: sum(x) / (len(x) + 1) ** a, "off by one"),
        ("subtracts", lambda x, a: sum(x) - a * len(x), "was subtracted"),
        (
            "multiplies probabilities",
            lambda x, a: math.prod(x) / len(x) ** a,
            "expected",
        ),
        ("returns a list", lambda x, a: [p / len(x) ** a for p in x], "one number"),
        ("returns nothing", lambda x, a: None, "one number"),
    ],
    "day05_repetition_penalty": [
        ("divides all", lambda x, z, r: torch.where(_seen(x, z), z / r, z), "rewards"),
        (
            "multiplies all",
            lambda x, z, r: torch.where(_seen(x, z), z * r, z),
            "all seen",
        ),
        (
            "turns it round",
            lambda x, z, r: torch.where(_seen(x, z), _marked(z, 1 / r), z),
            "wrong way round",
        ),
        ("counts occurrences", _each_time, "penalised twice"),
        ("mixes rows", _both_rows, "each row has its own"),
        ("takes every token", lambda x, z, r: _marked(z, r), "every token"),
        (
            "takes the others",
            lambda x, z, r: torch.where(_seen(x, z), z, _marked(z, r)),
            "NOT there",
        ),
        ("does one row", _first_row, "row 1 is wrong"),
        ("takes the last", lambda x, z, r: _gathered(x[:, -1:], z, r), "only the last"),
        ("skips the first", lambda x, z, r: _gathered(x[:, 1:], z, r), "prompt counts"),
        ("subtracts", lambda x, z, r: torch.where(_seen(x, z), z - r, z), "subtracted"),
        ("changes in place", _in_place, "in place"),
        (
            "returns probs",
            lambda x, z, r: _gathered(x, z, r).softmax(-1),
            "these are prob",
        ),
        (
            "starts from probs",
            lambda x, z, r: _gathered(x, z.softmax(-1), r),
            "applied to prob",
        ),
        ("returns one row", lambda x, z, r: _gathered(x, z, r)[0], "shape (2, 7)"),
        ("returns nothing", lambda x, z, r: None, "expected a tensor"),
    ],
    "day05_best_text": [
        ("is greedy", _beams(1), "greedy"),
        ("takes two beams", _beams(2), "few beams"),
        ("takes three beams", _beams(3), "few beams"),
        ("takes four beams", _beams(4), "few beams"),
        ("takes the least", _best(min), "least probable"),
        ("leaves the start out", _then(lambda t, p: (t[1:], p)), "start word"),
        ("joins the words", _then(lambda t, p: (" ".join(t), p)), "a tuple of words"),
        ("returns the text alone", _then(lambda t, p: list(t)), "expected a pair"),
        ("returns logs", _then(lambda t, p: (t, math.log(p))), "log-probability"),
        ("adds", _sums, "added"),
        (
            "stops early",
            lambda f, s, n: _best()(f, s, n - 1) if n > 1 else _best()(f, s, 1),
            "more words",
        ),
        ("is inexact", _then(lambda t, p: (t, p / 2)), "right text, but"),
    ],
    "day05_beam_search": [
        ("grows ended texts", _search(grow_ended=True), "has ended was grown"),
        ("loses ended texts", _search(aside="none"), "had ended were lost"),
        ("loses running texts", _search(keep_running=False), "running at the last"),
        ("stops at the first", _search(stop_first=True), "first text that ended"),
        ("fills up", _search(fill=True), "empty until the next step"),
        ("shrinks", _search(shrink=True), "shrank for good"),
        ("sets all aside", _search(aside="all"), "not among the best"),
        (
            "compares probabilities",
            _search(rank=lambda text, total, power: total),
            "by probability",
        ),
        (
            "counts the start",
            _search(score=lambda text, total, power: total / len(text) ** power),
            "start word was counted",
        ),
        (
            "multiplies",
            _search(score=lambda t, total, power: total * (len(t) - 1) ** power),
            "multiplied by the length",
        ),
        (
            "leaves the end out",
            _search(
                score=lambda t, total, power: (
                    total / max(len(t) - 1 - (t[-1] == END), 1) ** power
                )
            ),
            "end was not counted",
        ),
        (
            "returns the probability",
            lambda *given: (_search()(*given)[0], 0.5),
            "right text, but",
        ),
        ("returns the text alone", lambda *given: _search()(*given)[0], "a pair"),
    ],
}

RIGHT = {
    "day05_score": [
        lambda log_probs, penalty: sum(log_probs) / len(log_probs) ** penalty,
        lambda x, a: torch.tensor(x).sum() * len(x) ** -a,
    ],
    "day05_repetition_penalty": [_right_penalty, _gathered, _looped],
    "day05_best_text": [_best(), _recursive, _product],
    "day05_beam_search": [_search(), _recursive_search],
}
