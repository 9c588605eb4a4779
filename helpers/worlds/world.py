"""Worlds: little languages whose exact probabilities are known.

A world is a probabilistic grammar with memory. Its words and sentences are data
(``data/worlds/*.toml``; ``data/worlds/README.md`` describes the format), and this
file is the engine. A *derivation* is a stack of template items still to be written
plus the *bindings* made so far (who the hero is, what was lost). ``sample`` walks
one derivation; ``log_prob``, ``next_words`` and ``first_error`` step *all live
derivations* word by word, with their weights, and forget the dead ones.

A *word* here is what GPT-2's tokenizer cuts before BPE: ``" Tom"``, ``"."``.
"""

import math
import random
import tomllib
from bisect import bisect
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from helpers.tokens import pretokenise as words
from helpers.worlds import execution
from helpers.worlds.derivations import END, Live, expected_words, remembered, step
from helpers.worlds.grammar import Grammar
from helpers.worlds.items import Choice, Slot

WORLDS = ("stories", "verse", "code", "lists")
DATA = Path(__file__).resolve().parent.parent.parent / "data" / "worlds"
FRESH = 10**9  # seeds from here on are never used for training


class Slip(NamedTuple):
    """Where a text leaves its world: a character offset, and why in one sentence."""

    position: int
    reason: str

    @property
    def kind(self) -> str:
        """The reason's first word: grammar, coherence, agreement and so on."""
        return self.reason.partition(":")[0]


class Floor(NamedTuple):
    """The entropy of a world in nats per token, and its standard error."""

    nats: float
    standard_error: float

    @property
    def perplexity(self) -> float:
        """The least possible perplexity per token."""
        return math.exp(self.nats)


class World:
    """A probabilistic grammar with memory.

    Args:
        spec: the parsed TOML of the world.
        name: what messages call it.

    Raises:
        ValueError: when a template is malformed or a name is not defined.
    """

    def __init__(self, spec: dict, name: str = "world"):
        self.name, self.grammar = name, Grammar(spec)
        unbound = (None,) * len(self.grammar.variables)
        self._start: Live = {((self.grammar.start, 0, ()), unbound): 1.0}

    def __repr__(self) -> str:
        return f"<World {self.name}>"

    def sample(self, seed: int) -> str:
        """Draw one text; the same seed gives the same text on any machine."""
        uniform = random.Random(seed).random
        bindings = [None] * len(self.grammar.variables)
        stack, text = [*self.grammar.start], []
        while stack:
            item = stack.pop()
            if type(item) is str:
                text.append(item)
            elif type(item) is Choice:
                option = item.options[bisect(item.cumulative, uniform())]
                stack += option.backwards
            elif type(item) is Slot:
                stack += item.draw(bindings, uniform).backwards
            else:
                stack += item.written(bindings).backwards
        return "".join(text)

    def log_prob(self, text: str) -> float:
        """Return the natural logarithm of the text's probability, in nats.

        If several derivations give the same text, their probabilities add up.
        A text outside the world gets -inf.
        """
        _, steps, found = self._follow([*words(text), END])
        return sum(map(math.log, steps)) if found else -math.inf

    def next_words(self, prefix: str) -> dict[str, float]:
        """Return the exact distribution of the word after ``prefix``, likeliest first.

        The end of the text is the word ``<|endoftext|>``. The dictionary is empty
        if no text of this world begins with the words of ``prefix``.
        """
        # "\n\n" is one word where a text ends in it, two where another word follows.
        pieces = words(prefix + "x")[:-1] if prefix.endswith("\n") else words(prefix)
        live, _, found = self._follow(pieces)
        return expected_words(live) if found else {}

    def first_error(self, text: str) -> Slip | None:
        """Return None for a text of this world, else where it leaves it and why."""
        pieces = [*words(text), END]
        live, steps, found = self._follow(pieces)
        if found:
            return None
        before = pieces[: len(steps)]
        reason = self._reason(pieces[len(before)], live, before)
        return Slip(len("".join(before)), reason)

    def entropy_floor(self, tokenizer, n: int = 500, *, seed: int = FRESH) -> Floor:
        """Estimate the least possible loss of any model, in nats per token.

        The mean of -log p over ``n`` fresh texts divided by their mean number of
        tokens, end token included; the standard error is that of a ratio (delta
        method). It is the entropy because -log p is exact for each text.
        """
        texts = [self.sample(seed + i) for i in range(n)]
        nats = [-self.log_prob(text) for text in texts]
        tokens = [len(tokenizer(text)["input_ids"]) + 1 for text in texts]
        return ratio(nats, tokens)

    def _follow(self, pieces: list[str]) -> tuple[Live, list[float], bool]:
        """Step along words: live derivations, each word's probability, all found?"""
        live, steps = self._start, []
        for word in pieces:
            after = step(live, word).get(word)
            if not after:
                return live, steps, False
            steps.append(sum(after.values()))
            live = {state: weight / steps[-1] for state, weight in after.items()}
        return live, steps, True

    def _reason(self, found: str, live: Live, before: list[str]) -> str:
        """Say in a sentence why ``found`` cannot stand after ``before``."""
        expected, grammar = expected_words(live), self.grammar
        likeliest = next(iter(expected)).strip()
        context, word = "".join(before[-4:]).strip(), found.strip()
        if found == END:
            return (
                f"ending: the text stops after '{context}', '{likeliest}' could follow"
            )
        if likeliest == END and len(expected) == 1:
            return f"ending: the text goes on after '{context}', where it must end"
        if word and not word.isdigit() and word not in grammar.vocabulary:
            return f"spelling: '{word}' is no word of this world"
        roles = grammar.roles.get(word.lower(), set())
        for role, kept in remembered(live):
            if role in roles and role[1] != "word":
                return f"agreement: '{word}' after '{context}', '{kept}' would agree"
            if role in roles and word[0].isupper() and word not in "".join(before):
                return f"coherence: {word} was never introduced; {kept} was"
            if role in roles:
                return f"coherence: '{word}' after '{context}', it must be '{kept}'"
        return f"grammar: '{word}' cannot follow '{context}', '{likeliest}' could"


class PythonWorld(World):
    """A world of Python functions: right is what runs and passes its doctests."""

    def first_error(self, text: str) -> Slip | None:
        """Return None if the text parses and passes its doctests (bounded time)."""
        error = execution.first_error(text)
        return None if error is None else Slip(*error)


def ratio(totals: list[float], sizes: list[int]) -> Floor:
    """Return sum(totals) / sum(sizes) and its standard error (delta method)."""
    n, value = len(totals), sum(totals) / sum(sizes)
    residuals = [t - value * s for t, s in zip(totals, sizes, strict=True)]
    variance = sum(r * r for r in residuals) / max(n - 1, 1)
    return Floor(value, math.sqrt(variance / n) / (sum(sizes) / n))


@lru_cache
def load_world(name: str) -> World:
    """Load one of the course's worlds: stories, verse, code or lists.

    Raises:
        ValueError: for any other name.
    """
    if name not in WORLDS:
        raise ValueError(
            f"there is no world {name!r}: choose one of {', '.join(WORLDS)}"
        )
    return (PythonWorld if name == "code" else World)(load_spec(name), name)


def load_spec(name: str) -> dict[str, dict]:
    """Read the TOML files of a world: all whose names begin with the world's."""
    spec: dict[str, dict] = {}
    for path in sorted(DATA.glob(f"{name}*.toml")):
        for section, table in tomllib.loads(path.read_text("utf-8")).items():
            spec.setdefault(section, {}).update(table)
    return spec
