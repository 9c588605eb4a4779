"""World: a probabilistic grammar with memory, whose probabilities are exact.

Its words and sentences are data (``data/worlds/*.toml``, described in the README
there), and this file is the engine. A *derivation* is a stack of template items still
to be written plus the *bindings* made so far (who the hero is, what was lost).
``sample`` walks one derivation; ``log_prob``, ``next_words`` and ``first_error`` step
*all live derivations* word by word, with their weights, and forget the dead ones.

A *word* here is what GPT-2's tokenizer cuts before BPE: ``" Tom"``, ``"."``.
"""

import math
import tomllib
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import NamedTuple

from helpers.inputs import expect, whole
from helpers.tokens import END, check_text
from helpers.tokens import pretokenise as words
from helpers.worlds import execution
from helpers.worlds.grammar import Grammar
from helpers.worlds.items import Live, expected_words, remembered, step
from helpers.worlds.mean import Mean, ratio

WORLDS = ("stories", "verse", "code", "lists")
DATA = Path(__file__).resolve().parent.parent.parent / "data" / "worlds"
AGREES = ("he", "his", "him", "kind", "is", "it", "plural")  # attributes of grammar
FRESH = 10**9  # seeds from here on are never used for training


class Slip(NamedTuple):
    """Where a text leaves its world, and why in one sentence."""

    position: int  # character offset
    reason: str

    @property
    def kind(self) -> str:
        """The reason's first word.

        It is *memory* (somebody or something said before is mistaken), *sort* (what is
        said does not suit the thing: a puppet is not polished), *agreement* (a pronoun,
        an article, is or are), *grammar* (nothing said before would allow the word
        here, or the text ends too early or too late) or *spelling*.
        """
        return self.reason.partition(":")[0]


class World:
    """A probabilistic grammar with memory, from the parsed TOML of its files.

    Raises ValueError when a template is malformed or a name is not defined.
    """

    def __init__(self, spec: dict, name: str = "world"):
        self.name, self.grammar = name, Grammar(spec)
        self._unbound = (None,) * len(self.grammar.variables)
        self.start: Live = {((self.grammar.start, 0, ()), self._unbound): 1.0}

    def __repr__(self) -> str:
        return f"<World {self.name}>"

    def sample(self, seed: int) -> str:
        """Draw one text; the same seed, from 0, gives the same text on any machine."""
        uniform = generator(seed).random
        bindings = [None] * len(self.grammar.variables)
        stack, text = [*self.grammar.start], ""
        while stack:
            item = stack.pop()
            if isinstance(item, str):
                text += item
            else:
                stack += item.draw(bindings, uniform).backwards
        return text

    def log_prob(self, text: str) -> float:
        """Return the natural logarithm of the text's probability, in nats.

        If several derivations give the same text, their probabilities add up.
        A text outside the world gets -inf.
        """
        _, probs, rest = self._follow([*words(check_text(text)), END])
        return -math.inf if rest else sum(map(math.log, probs))

    def word_probs(self, text: str) -> list[float]:
        """Return the probability of each word of a text, given the words before it.

        Raises ValueError when no text of this world begins with this one.
        """
        _, probs, rest = self._follow(words(check_text(text)))
        if rest:
            what = f"{rest[0]!r} as word {len(probs)}"
            raise ValueError(f"the world {self.name} cannot write {what} of this text")
        return probs

    def next_words(self, prefix: str) -> dict[str, float]:
        """Return the exact distribution of the word after ``prefix``, likeliest first.

        The end of the text is the word ``<|endoftext|>``. The dictionary is empty
        if no text of this world begins with the words of ``prefix``.
        """
        pieces = words(check_text(prefix))
        if prefix.endswith("\n"):  # "\n\n" is one word only where a text ends in it
            pieces = words(prefix + "x")[:-1]
        live, _, rest = self._follow(pieces)
        return {} if rest else expected_words(live)

    def first_error(self, text: str) -> Slip | None:
        """Return None for a text of this world, else where it leaves it and why."""
        pieces = [*words(check_text(text)), END]
        live, probs, rest = self._follow(pieces)
        if not rest:
            return None
        before = pieces[: len(probs)]
        return Slip(len("".join(before)), self._reason(rest[0], live, before))

    def entropy_floor(self, tokenizer, n: int = 500, *, seed: int = FRESH) -> Mean:
        """Estimate the least possible loss of any model, in nats per token.

        It is the entropy, since ``log_prob`` is exact: the mean of -log p over ``n``
        fresh texts divided by their mean number of tokens, end token included.
        """
        expect("n", n, whole(), "a whole number from 1")
        texts = [self.sample(seed + i) for i in range(n)]
        nats = [-self.log_prob(text) for text in texts]
        return ratio(nats, [len(tokenizer(text)["input_ids"]) + 1 for text in texts])

    def _follow(self, pieces: list[str]) -> tuple[Live, list[float], list[str]]:
        """Step along words: what lives, each one's probability, the words left over."""
        live, probs = self.start, []
        for word in pieces:
            after = step(live, word).get(word)
            if not after:
                break
            probs.append(sum(after.values()))
            live = {state: weight / probs[-1] for state, weight in after.items()}
        return live, probs, pieces[len(probs) :]

    def _reason(self, piece: str, live: Live, before: list[str]) -> str:
        """Say in a sentence why ``piece`` cannot stand after ``before``."""
        expected, word = [*expected_words(live)], piece.strip()
        likeliest, context = expected[0].strip(), "".join(before[-4:]).strip()
        here = f"'{word}' after '{context}'"
        if piece == END:
            likely = f"'{likeliest}' could follow"
            return f"grammar: the text stops after '{context}', {likely}"
        if expected == [END]:
            return f"grammar: the text goes on after '{context}', where it must end"
        if word and not word.isdigit() and word not in self.grammar.vocabulary:
            return f"spelling: '{word}' is no word of this world"
        for role, known in remembered(live):
            if role in self.grammar.roles.get(word.lower(), ()):
                return _mistaken(word, here, role[1], known, "".join(before))
        if {word.lower(), likeliest.lower()} == {"a", "an"}:
            return f"agreement: {here}, it must be '{likeliest}'"
        if not self._could_write(piece, live):
            return f"grammar: '{word}' cannot follow '{context}', '{likeliest}' could"
        return f"memory: {here}, where another word than before must stand"

    def _could_write(self, piece: str, live: Live) -> bool:
        """Whether ``piece`` could be written, had nothing been said before."""
        forgetful = {(frames, self._unbound): w for (frames, _), w in live.items()}
        try:
            return piece in step(forgetful, piece)
        except ValueError:  # a value computed from what is remembered
            return False


def _mistaken(word: str, here: str, attribute: str, known: str, before: str) -> str:
    """Say what is wrong with a word where memory puts ``known``."""
    if attribute in AGREES:
        return f"agreement: {here}, '{known}' would agree"
    if attribute != "word":
        return f"sort: {here}, '{known}' would suit it"
    if word[0].isupper() and word not in before:
        return f"memory: {word} was never introduced; {known} was"
    return f"memory: {here}, it must be '{known}'"


class PythonWorld(World):
    """A world of Python functions: right is what runs and passes its doctests."""

    def first_error(self, text: str) -> Slip | None:
        """Return None if the text parses and passes its doctests (bounded time)."""
        error = execution.first_error(text)
        return error and Slip(*error)


@lru_cache
def load_world(name: str) -> World:
    """Load stories, verse, code or lists; raise ValueError for any other name."""
    if name not in WORLDS:
        names = ", ".join(WORLDS)
        raise ValueError(f"there is no world {name!r}: choose one of {names}")
    return (PythonWorld if name == "code" else World)(load_spec(name), name)


@lru_cache
def load_plots() -> dict[str, World]:
    """Return for each plot of the stories a world that tells no other."""
    spec, plots = load_spec("stories"), {}
    for call in spec["rules"]["plot"].split():
        rules = spec["rules"] | {"plot": call}
        plots[call.strip("<>")] = World(spec | {"rules": rules}, f"stories: {call}")
    return plots


def load_spec(name: str) -> dict[str, dict]:
    """Read the TOML files of a world: all whose names begin with the world's."""
    spec: dict[str, dict] = {}
    for path in sorted(DATA.glob(f"{name}*.toml")):
        try:
            tables = tomllib.loads(path.read_text("utf-8"))
        except ValueError as error:
            what = f"{path.name} is damaged ({error})"
            raise ValueError(f"{what}: `git restore data` brings it back") from None
        for section, table in tables.items():
            spec.setdefault(section, {}).update(table)
    return spec


def generator(seed: int) -> Random:
    """Return Python's generator of random numbers; Python takes -1 for 1, we refuse."""
    expect("seed", seed, whole(least=0), "a whole number from 0")
    return Random(int(seed))
