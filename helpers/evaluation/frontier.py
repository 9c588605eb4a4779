"""The quality-diversity frontier: many stories per strategy, written and measured.

Quality is what the world says of a story, diversity what the stories of one strategy
say of one another. Stories go on from the beginnings of fresh stories, so that every
strategy, the searches too, has something different to say each time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median, stdev
from typing import NamedTuple

from helpers.decoding import greedy
from helpers.evaluation.diversity import distinct_n, self_bleu
from helpers.evaluation.losses import sample_texts
from helpers.gpt2 import GPT2
from helpers.tokens import pretokenise as words
from helpers.worlds import FRESH, World

MOST = 200  # new tokens of a story; the world's own seldom have more
SPOKEN = 80  # words of each story, the beginning left out, that diversity is counted in


class Verdict(NamedTuple):
    """What the world says of one story."""

    words: int  # in the story
    right: int  # of these, before the first slip; all of them if there is none
    kind: str | None  # of the first slip: grammar, coherence …; None if there is none


class Measured(NamedTuple):
    """A mean and its standard error, NaN where there is only one value."""

    mean: float
    error: float


class Point(NamedTuple):
    """One strategy on the frontier; every measure is a share from 0 to 1."""

    stories: int
    accepted: Measured  # stories that are right from beginning to end
    right: Measured  # share of a story that is told before its first slip
    distinct: Measured  # different word pairs, per pair: high is diverse
    self_bleu: Measured  # likeness of the stories to one another: low is diverse


def beginnings(world: World, n: int, *, given: int = 8, seed: int = FRESH) -> list[str]:
    """Return the first ``given`` words of ``n`` stories that were never trained on."""
    return ["".join(words(world.sample(seed + i))[:given]) for i in range(n)]


def write(
    model: GPT2,
    tokenizer,
    prompts: Sequence[str],
    *,
    rules=(),
    pick=greedy,
    max_new_tokens: int = MOST,
) -> list[str]:
    """Let the model finish every beginning, all in one batch; return whole texts.

    Args:
        model: the engine, or a causal language model of transformers.
        tokenizer: its end token stands before and after a document.
        prompts: beginnings of documents, of any lengths.
        rules: change the logits, in this order.
        pick: chooses the tokens.
        max_new_tokens: at most so many; a story not ended by then is cut.
    """
    options = {"rules": rules, "pick": pick, "max_new_tokens": max_new_tokens}
    return sample_texts(
        model,
        tokenizer,
        len(prompts),
        prompts=prompts,
        batch_size=len(prompts),
        **options,
    )


def judge(world: World, text: str) -> Verdict:
    """Return how far a story is right, and how it first goes wrong."""
    slip, length = world.first_error(text), len(words(text))
    right = length if slip is None else len(words(text[: slip.position]))
    return Verdict(length, right, slip and slip.kind)


def measure(
    texts: list[str], verdicts: list[Verdict], prompts: list[str], *, group: int = 8
) -> Point:
    """Return quality and diversity of the stories that one strategy wrote.

    Diversity is that of ``group`` stories, as a larger set is always less diverse:
    the mean over all groups that the stories make, of what comes after the prompts.

    Raises:
        ValueError: for fewer stories than a group has.
    """
    if len(texts) < group:
        raise ValueError(f"{len(texts)} stories make no group of {group}: write more")
    starts = [len(words(prompt)) for prompt in prompts]
    pairs = zip(texts, starts, strict=True)
    news = [words(text)[start : start + SPOKEN] for text, start in pairs]
    groups = [news[i : i + group] for i in range(0, len(news) - group + 1, group)]
    return Point(
        len(texts),
        average(v.kind is None for v in verdicts),
        average(v.right / max(v.words, 1) for v in verdicts),
        average(_distinct(texts) for texts in groups),
        average(_likeness(texts) for texts in groups),
    )


def average(values: Iterable[float]) -> Measured:
    """Return the mean of some values and its standard error."""
    values = [float(value) for value in values]
    error = stdev(values) / len(values) ** 0.5 if len(values) > 1 else math.nan
    return Measured(fmean(values), error)


def still_right(verdicts: Sequence[Verdict], most: int = 150) -> list[float]:
    """Return the share of stories without a slip in their first 0, 1, … most words.

    A story that ended before without a slip stays right.
    """
    slips = [v.right if v.kind else math.inf for v in verdicts]
    return [sum(s >= n for s in slips) / len(slips) for n in range(most + 1)]


def risk(verdicts: Sequence[Verdict], *, given: int = 8) -> float:
    """Return first slips per word tried: those after the ``given`` words, slips too."""
    return sum(v.kind is not None for v in verdicts) / _tried(verdicts, given)


def slips(verdicts: Sequence[Verdict], *, given: int = 8) -> dict[str, float]:
    """Return the median word of the first slips, and slips per 1,000 words by kind.

    Only words up to the first slip are counted, and none of the ``given`` ones. The
    median is NaN where nothing slips.
    """
    slipped = [v for v in verdicts if v.kind is not None]
    middle = median(v.right + 1 for v in slipped) if slipped else math.nan
    counts, tried = Counter(v.kind for v in slipped), _tried(verdicts, given)
    return {"median word": middle} | {k: 1000 * n / tried for k, n in counts.items()}


def table(points: Mapping[str, Point]) -> dict[str, dict[str, float]]:
    """Return the points as rows with named columns, quality with its errors."""
    return {label: _row(point) for label, point in points.items()}


def _row(point: Point) -> dict[str, float]:
    return {
        "n": point.stories,
        "whole": point.accepted.mean,
        "± whole": point.accepted.error,
        "told": point.right.mean,
        "± told": point.right.error,
        "distinct-2": point.distinct.mean,
        "self-BLEU": point.self_bleu.mean,
    }


def _tried(verdicts: Sequence[Verdict], given: int) -> int:
    tried = sum(max(v.right - given, 0) + (v.kind is not None) for v in verdicts)
    return max(tried, 1)


def _distinct(texts: list[list[str]]) -> float:
    """Return distinct-2; texts without two words say nothing, so nothing different."""
    return distinct_n(texts, 2) if any(len(text) > 1 for text in texts) else 0.0


def _likeness(texts: list[list[str]]) -> float:
    """Return self-BLEU of the texts that say something; silence is like silence."""
    some = [text for text in texts if text]
    return self_bleu(some) if len(some) > 1 else 1.0
