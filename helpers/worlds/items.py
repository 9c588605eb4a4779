"""Items: what a text of a world is made of, with exact weights.

A sequence (``Seq``) holds words, which are plain strings, and three kinds of item that
become sequences when their turn comes: a ``Choice`` between sequences, a ``Slot`` for
a word of a class, an ``Expression`` over remembered numbers. *Bindings* are what is
remembered: for each variable the index of its entry, or None.
"""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby
from typing import NamedTuple

from helpers.tokens import pretokenise as words

Uniform = Callable[[], float]  # draws from 0 to 1
Way = tuple[float, "Seq", tuple]  # probability, sequence, bindings after it


class Seq(tuple):
    """A sequence of items, compared by identity so that states hash fast."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(self, items):
        self.backwards = []  # for a stack, neighbouring words joined
        for is_word, run in groupby(items, _is_word):
            parts = [*run]
            self.backwards += ["".join(parts)] if is_word else parts
        self.backwards.reverse()

    @property
    def first(self) -> frozenset | None:
        """The words it can begin with; None where that depends on the bindings."""
        if not self:
            return None
        return frozenset([self[0]]) if _is_word(self[0]) else self[0].first


def _is_word(item) -> bool:
    return type(item) is str


class Item:
    """What becomes a sequence: by ``draw`` one of them, by ``expand`` all of them."""

    first: frozenset | None = None  # as of a sequence
    options: Sequence[Seq] = ()  # what it may become, whatever is remembered

    def recall(self, bindings: tuple) -> tuple[tuple[str, str], str] | None:
        """Return (class and attribute, word) of what memory puts here, if it does."""


class Choice(Item):
    """One of several sequences, each with its weight."""

    def __init__(self, weighted: list[tuple[float, Seq]]):
        total = sum(weight for weight, _ in weighted)
        if total == 0:
            raise ValueError("all options weigh 0: one of them must weigh more")
        self.ways = [(w / total, seq, seq.first) for w, seq in weighted if w > 0]
        shares, self.options, firsts = zip(*self.ways, strict=True)
        self.cumulative = [*accumulate(shares)][:-1]
        self.first = None if None in firsts else frozenset().union(*firsts)

    def draw(self, bindings: list, uniform: Uniform) -> Seq:
        """Choose an option."""
        return self.options[bisect(self.cumulative, uniform())]

    def expand(self, bindings: tuple, word: str | None) -> Iterator[Way]:
        """Yield the options; with ``word``, those that can begin with it."""
        for p, option, first in self.ways:
            if word is None or first is None or word in first:
                yield p, option, bindings


class Variable(NamedTuple):
    """What remembers a member of a class; numbers are those of bindings."""

    kind: str  # the class
    index: int | None = None  # its own; None remembers nothing
    rivals: tuple[int, ...] = ()  # those that must hold other members
    like: int | None = None  # the one whose group it must share


class Slot(Item):
    """A place for a member of a class: a remembered one, or a fresh draw.

    Args:
        entries: the members of the class.
        forms: for each of them, its spellings here, all equally likely.
        variable: what remembers it.
        role: the class and the attribute that stand here.
    """

    def __init__(self, entries, forms: list[list[Seq]], variable: Variable, role):
        self.entries, self.forms, self.role = entries, forms, role
        _, self.index, self.rivals, self.like = variable
        self.cumulative = [*accumulate(entry.weight for entry in entries)]
        self.ways = [(i, 1 / len(s), form) for i, s in enumerate(forms) for form in s]
        self.silent = [way for way in self.ways if not way[2]]
        self.starting: dict[str, list] = {}  # the others, by their first word
        for way in self.ways:
            if way[2]:
                self.starting.setdefault(way[2][0], []).append(way)
        self.first = None if self.silent else frozenset(self.starting)

    def draw(self, bindings: list, uniform: Uniform) -> Seq:
        """Write the remembered entry, or choose one and remember it."""
        i = None if self.index is None else bindings[self.index]
        if i is None:
            i = self._choose(bindings, uniform)
        if self.index is not None:
            bindings[self.index] = i
        spelt = self.forms[i]
        return spelt[0 if len(spelt) == 1 else int(uniform() * len(spelt))]

    def expand(self, bindings: tuple, word: str | None) -> Iterator[Way]:
        """Yield what may stand here; with ``word``, what can begin with it."""
        index = self.index
        if index is not None and bindings[index] is not None:
            spelt = self.forms[bindings[index]]
            for form in spelt:
                yield 1 / len(spelt), form, bindings
            return
        ways = self.ways if word is None else self.starting.get(word, []) + self.silent
        total = self.cumulative[-1]
        if ways and (self.rivals or self.like is not None):
            total = sum(self.entries[i].weight for i in self._admitted(bindings))
            ways = [way for way in ways if self._admits(way[0], bindings)]
        for i, share, form in ways:
            after = bindings
            if index is not None:
                after = (*bindings[:index], i, *bindings[index + 1 :])
            yield self.entries[i].weight / total * share, form, after

    def recall(self, bindings: tuple) -> tuple[tuple[str, str], str] | None:
        """Return its role and the remembered word, if there is one."""
        i = None if self.index is None else bindings[self.index]
        word = "" if i is None else "".join(self.forms[i][0]).strip()
        return (self.role, word) if word else None

    def _choose(self, bindings: list, uniform: Uniform) -> int:
        """Draw until an entry may stand here."""
        i = bisect(self.cumulative, uniform() * self.cumulative[-1])
        if not self._admits(i, bindings) and not self._admitted(bindings):
            some = ", ".join(entry.attributes["word"] for entry in self.entries[:3])
            raise ValueError(f"too few words of the class with {some}: none is left")
        while not self._admits(i, bindings):
            i = bisect(self.cumulative, uniform() * self.cumulative[-1])
        return i

    def _admitted(self, bindings) -> list[int]:
        return [i for i in range(len(self.entries)) if self._admits(i, bindings)]

    def _admits(self, i: int, bindings) -> bool:
        """Whether entry ``i`` may be chosen, given what is remembered."""
        if any(bindings[rival] == i for rival in self.rivals):
            return False
        like = None if self.like is None else bindings[self.like]
        return like is None or self.entries[like].group == self.entries[i].group


class Expression(Item):
    """A value computed from what is remembered, such as ``{=x + k}``.

    Args:
        source: a Python expression.
        lead: a space that belongs to it, or nothing.
        names: {name that it may use: (index of its binding, its entries)}.
    """

    def __init__(self, source: str, lead: str, names: dict[str, tuple]):
        self.source, self.lead = source, lead
        try:
            self.code = compile(source.strip(), source, "eval")
        except SyntaxError as error:
            raise ValueError(f"{{={source}}} is no expression: {error.msg}") from None
        self.names = {n: v for n, v in names.items() if n in self.code.co_names}

    def draw(self, bindings, uniform: Uniform | None = None) -> Seq:
        """Write the value."""
        values = {}
        for name, (index, entries) in self.names.items():
            if bindings[index] is None:
                raise ValueError(f"{{={self.source}}}: write {{!{name}}} before it")
            word = entries[bindings[index]].attributes["word"]
            values[name] = int(word) if word.lstrip("-").isdigit() else word
        try:
            return Seq(words(self.lead + str(eval(self.code, dict(values)))))
        except Exception as error:  # an expression may raise anything
            raise ValueError(f"{{={self.source}}} with {values}: {error}") from None

    def expand(self, bindings: tuple, word: str | None) -> Iterator[Way]:
        """Yield the value."""
        yield 1.0, self.draw(bindings), bindings
