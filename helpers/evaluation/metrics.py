"""Metrics: does verse rhyme and scan, does code parse, does one of k tries pass?

Verse is judged as the verse world writes it: stanzas of four lines, of four, three,
four and three iambs (``x/``), the second rhyming with the fourth. That world's lexicon
says how words sound. A word outside it rhymes with nothing; its syllables are counted
by their spelling, and any of them may bear a beat.
"""

import ast
import math
import re
import warnings
from collections.abc import Sequence
from functools import lru_cache

from helpers.evaluation.diversity import check_texts
from helpers.inputs import expect, whole
from helpers.worlds import Mean, load_world, mean, ratio

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SILENT = re.compile(  # "played", "waves", "June", "lonely"; not "candle", "boxes"
    r"(?<![^aeiouylrw]l)(?:(?<![td])ed|(?<![cgsxz])(?<!sh|ch)es|e)$|e(?=(?:ly|ful)$)"
)
FEET = 4, 3, 4, 3  # of the lines of a stanza
BOTH = "can"  # a thing, with a beat, and a verb, without one


def rhyme_rate(texts: Sequence[str]) -> Mean:
    """Return the share of stanzas whose second and fourth lines rhyme.

    A stanza that has not four lines does not rhyme, nor does a word with itself; an
    empty text is a stanza that does not. The error takes texts as independent.
    """
    texts = [_stanzas(text) for text in check_texts(texts)]
    rhymed = [sum(map(_rhymed, stanzas)) for stanzas in texts]
    return ratio(rhymed, [len(stanzas) for stanzas in texts])


def metre_rate(texts: Sequence[str]) -> Mean:
    """Return the share of lines that scan: the odd of a stanza in four, even in three.

    An empty text is a line that does not. The error takes texts as independent.
    """
    texts = [sum(_stanzas(text), []) for text in check_texts(texts)]
    scanned = [sum(scans(line, FEET[i % 4]) for i, line in lines) for lines in texts]
    return ratio(scanned, [len(lines) for lines in texts])


def rhymes(word: str, other: str) -> bool:
    """Whether two different words are said in the lexicon to end in one sound."""
    (_, one), (_, two) = _spoken(word.lower()), _spoken(other.lower())
    return word.lower() != other.lower() and bool(one & two)


def scans(line: str, feet: int) -> bool:
    """Whether a line is that many iambs, each a syllable without beat and one with."""
    marks, iambs = beats(line), "x/" * feet
    fit = [mark in (iamb, "?") for mark, iamb in zip(marks, iambs, strict=False)]
    return len(marks) == len(iambs) and all(fit)


def beats(line: str) -> str:
    """Return a mark a syllable: ``/`` with beat, ``x`` without, ``?`` either."""
    return "".join(_spoken(word)[0] for word in WORD.findall(line.lower()))


def syntax_rate(texts: Sequence[str]) -> Mean:
    """Return the share of texts that are Python with a statement; nothing is run.

    A text of comments only has no statement, a single word of prose is one. The error
    takes texts as independent.
    """
    return mean(map(_parses, check_texts(texts)))


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Return the chance that of ``k`` tries one is right, if ``correct`` of ``n`` were.

    It is 1 - C(n - correct, k) / C(n, k), the share of all choices of k among the n
    tries that hold a right one: unbiased, where 1 - (1 - correct / n) ** k is too low.
    Of several tasks take the ``mean``, which has its error. Source: Chen et al. 2021.
    """
    expect("n", n, whole(), "a whole number from 1")
    expect("correct", correct, whole(n, least=0), f"a whole number from 0 to {n}")
    expect("k", k, whole(n), f"a whole number from 1 to {n}, the tries that there are")
    ways = math.comb(n, k)  # whole numbers: only the quotient is rounded
    return (ways - math.comb(n - correct, k)) / ways


@lru_cache
def _lexicon() -> dict[str, tuple[str, frozenset]]:
    """Return the beats of the verse world's words, and the sounds they end in."""
    found: dict[str, tuple[str, frozenset]] = {}
    for entries in load_world("verse").grammar.classes.values():
        for entry in entries:
            word, marks = entry.attributes["word"].lower(), entry.attributes["beats"]
            _, sounds = found.get(word, (marks, frozenset()))
            marks = "?" if word == BOTH else marks
            found[word] = marks, sounds | {entry.attributes.get("sound")} - {None}
    return found


@lru_cache(maxsize=10_000)
def _spoken(word: str) -> tuple[str, frozenset]:
    if word in _lexicon():
        return _lexicon()[word]
    syllables = len(re.findall("[aeiouy]+", SILENT.sub("", word)))
    return "?" * max(1, syllables), frozenset()


def _stanzas(text: str) -> list[list[tuple[int, str]]]:
    """Return the numbered lines of each stanza; blank lines stand between stanzas."""
    stanzas = re.split(r"\n\s*\n", text.strip())
    return [list(enumerate(stanza.splitlines() or [""])) for stanza in stanzas]


def _rhymed(stanza: list[tuple[int, str]]) -> bool:
    ends = [(WORD.findall(line) or [""])[-1] for _, line in stanza]
    return len(ends) == len(FEET) and rhymes(ends[1], ends[3])


def _parses(text: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # too deep
        return False
