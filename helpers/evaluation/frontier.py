"""The quality-diversity frontier: many stories per strategy, written and measured.

Quality is what the world says of a story, diversity what the stories of one strategy
say of one another. Stories go on from the beginnings of fresh stories, so that every
strategy, the searches too, has something different to say each time.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from helpers.decoding import greedy
from helpers.evaluation.diversity import distinct_n, self_bleu
from helpers.evaluation.samples import sample_texts
from helpers.worlds import FRESH, Mean, World, mean, words

MOST = 200  # new tokens of a story; the world's own seldom have more
STORED = Path(__file__).parents[2] / "data" / "measurements" / "frontier.json"
SPOKEN = 80  # words of each story, the beginning left out, that diversity is counted in


class Verdict(NamedTuple):
    """What the world says of one story."""

    words: int  # in the story
    right: int  # of these, before the first slip; all of them if there is none
    kind: str | None  # of the first slip: memory, grammar …; None if there is none


class Point(NamedTuple):
    """One strategy on the frontier; every measure is a share from 0 to 1."""

    stories: int
    accepted: Mean  # stories that are right from beginning to end
    right: Mean  # share of a story that is told before its first slip
    distinct: Mean  # different word pairs, per pair: high is diverse
    self_bleu: Mean  # likeness of the stories to one another: low is diverse


class Stored(NamedTuple):
    """What ``python -m helpers measure frontier`` has found, the same for everybody."""

    stories: int  # of each strategy
    families: dict[str, dict[str, Point]]  # of strategies; "truth" has the world's own
    verdicts: dict[str, list[Verdict]]  # on the stories of each strategy


def stored(path: Path = STORED) -> Stored:
    """Return the measurement that the course keeps in ``data/measurements``."""
    kept = json.loads(path.read_text("utf-8"))["frontier"]
    rows = {k: row for family in kept["families"].values() for k, row in family.items()}
    verdicts = {k: [Verdict(*v) for v in row["verdicts"]] for k, row in rows.items()}
    points = {
        k: Point(*_quality(verdicts[k]), Mean(*row["distinct"]), Mean(*row["alike"]))
        for k, row in rows.items()
    }
    families = {f: {k: points[k] for k in row} for f, row in kept["families"].items()}
    return Stored(kept["texts"], families, verdicts)


def beginnings(world: World, n: int, *, given: int = 8, seed: int = FRESH) -> list[str]:
    """Return the first ``given`` words of ``n`` stories that were never trained on."""
    return ["".join(words(world.sample(seed + i))[:given]) for i in range(n)]


def write(
    model, tokenizer, prompts, *, rules=(), pick=greedy, max_new_tokens: int = MOST
) -> list[str]:
    """Let the model finish every beginning, all in one batch; see ``sample_texts``."""
    options = {"rules": rules, "pick": pick, "max_new_tokens": max_new_tokens}
    n = len(prompts)
    return sample_texts(model, tokenizer, n, prompts=prompts, batch_size=n, **options)


def judge(world: World, text: str) -> Verdict:
    """Return how far a story is right, and how it first goes wrong."""
    slip, length = world.first_error(text), len(words(text))
    if slip is None:
        return Verdict(length, length, None)
    return Verdict(length, len(words(text[: slip.position])), slip.kind)


def measure(
    texts: list[str], verdicts: list[Verdict], prompts: list[str], *, group: int = 8
) -> Point:
    """Return quality and diversity of the stories that one strategy wrote.

    Diversity is the mean over groups of stories, as a larger set is always less
    diverse, of what comes after the prompts. ValueError for fewer than a group has.
    """
    if len(texts) < group:
        raise ValueError(f"{len(texts)} stories make no group of {group}: write more")
    pairs = zip(texts, prompts, strict=True)
    news = [words(text)[len(words(prompt)) :][:SPOKEN] for text, prompt in pairs]
    groups = [news[i : i + group] for i in range(0, len(news) - group + 1, group)]
    distinct, alike = [], []
    for some in groups:  # without two words nothing is diverse; silence is like silence
        distinct.append(distinct_n(some) if max(map(len, some)) > 1 else 0.0)
        spoken = [text for text in some if text]
        alike.append(self_bleu(spoken) if len(spoken) > 1 else 1.0)
    return Point(*_quality(verdicts), mean(distinct), mean(alike))


def still_right(verdicts: Sequence[Verdict], most: int = 150) -> list[float]:
    """Return the share of stories without a slip in their first 0, 1, … most words."""
    slips = [v.right if v.kind else math.inf for v in verdicts]  # ended: stays right
    return [mean(slip >= n for slip in slips).value for n in range(most + 1)]


def risk(verdicts: Sequence[Verdict], *, given: int = 8) -> float:
    """Return first slips per word tried: those after the ``given`` words, slips too."""
    slipped, tried = _slipped(verdicts, given)
    return len(slipped) / tried


def slips(verdicts: Sequence[Verdict], *, given: int = 8) -> dict[str, float]:
    """Return the median word of the first slips, and slips per 1,000 words by kind.

    Words are counted behind the ``given`` ones, up to the slip; NaN: nothing slips.
    """
    slipped, tried = _slipped(verdicts, given)
    middle = median(v.right + 1 for v in slipped) if slipped else math.nan
    counts = Counter(v.kind for v in slipped)
    return {"median word": middle} | {k: 1000 * n / tried for k, n in counts.items()}


def table(points: Mapping[str, Point]) -> dict[str, dict[str, float]]:
    """Return the points as rows with named columns, quality with its errors."""
    rows = {}
    for label, (n, whole, told, distinct, alike) in points.items():
        row = {"n": n, "whole": whole.value, "± whole": whole.error}
        row |= {"told": told.value, "± told": told.error}
        rows[label] = row | {"distinct-2": distinct.value, "self-BLEU": alike.value}
    return rows


def _quality(verdicts: Sequence[Verdict]) -> tuple[int, Mean, Mean]:
    """Return the first three numbers of a point."""
    told = mean(verdict.right / max(verdict.words, 1) for verdict in verdicts)
    return len(verdicts), mean(v.kind is None for v in verdicts), told


def _slipped(verdicts: Sequence[Verdict], given: int) -> tuple[list[Verdict], int]:
    slipped = [v for v in verdicts if v.kind is not None]
    right = sum(max(v.right - given, 0) for v in verdicts)
    return slipped, max(right + len(slipped), 1)
