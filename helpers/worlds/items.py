"""Items: what a text of a world is made of, with exact weights.

A sequence (``Seq``) holds words, which are plain strings, and three kinds of item that
become words when their turn comes: a ``Choice`` between sequences, a ``Slot`` for a
word of a class, an ``Expression`` over remembered numbers.
"""

from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate, groupby

from helpers.tokens import pretokenise as words


class Seq(tuple):
    """A sequence of items, compared by identity so that states hash fast."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(self, items):
        runs = [(text, [*run]) for text, run in groupby(items, _is_word)]
        joined = [["".join(run)] if text else run for text, run in runs]
        self.backwards = [item for run in joined for item in run][::-1]

    @property
    def first(self) -> frozenset | None:
        """The words it can begin with; None where that depends on the bindings."""
        if not self:
            return None
        return frozenset([self[0]]) if _is_word(self[0]) else self[0].first


def _is_word(item) -> bool:
    return type(item) is str


class Choice:
    """One of several sequences, each with its probability."""

    def __init__(self):
        self.ways, self.options, self.cumulative, self.first = [], [], [], None

    def fill(self, weighted: list[tuple[float, Seq]]) -> "Choice":
        """Set the options; a choice exists before it is filled, for recursion."""
        total = sum(weight for weight, _ in weighted)
        self.ways = [(w / total, option, option.first) for w, option in weighted]
        self.options = [option for _, option in weighted]
        self.cumulative = [*accumulate(way[0] for way in self.ways)][:-1]
        firsts = [way[2] for way in self.ways]
        self.first = None if None in firsts else frozenset().union(*firsts)
        return self


class Slot:
    """A place for a member of a class: a remembered one, or a fresh draw.

    Args:
        entries: the members of the class.
        forms: for each of them, its spellings here with their probabilities.
        variable: index of the binding that remembers it; None draws afresh.
        rivals: indices of the bindings that must hold other members.
        like: index of a binding whose group it must share, or None.
        role: the class and the attribute that stand here.
    """

    def __init__(self, entries, forms, variable, rivals, like, role):
        self.entries, self.forms, self.role = entries, forms, role
        self.variable, self.rivals, self.like = variable, rivals, like
        self.cumulative = [*accumulate(entry.weight for entry in entries)]
        ways = [(i, p, form) for i, spelt in enumerate(forms) for p, form in spelt]
        self.ways: dict[str | None, list[tuple[int, float, Seq]]] = {None: ways}
        for way in ways:
            self.ways.setdefault(way[2][0] if way[2] else "", []).append(way)
        self.first = None if "" in self.ways else frozenset(self.ways) - {None}

    def admits(self, i: int, bindings) -> bool:
        """Whether entry ``i`` may be chosen, given what is remembered."""
        if any(bindings[rival] == i for rival in self.rivals):
            return False
        like = None if self.like is None else bindings[self.like]
        return like is None or self.entries[like].group == self.entries[i].group

    def draw(self, bindings: list, uniform: Callable[[], float]) -> Seq:
        """Write the remembered entry, or choose one and remember it."""
        i = None if self.variable is None else bindings[self.variable]
        if i is None:
            i = bisect(self.cumulative, uniform() * self.cumulative[-1])
            if not self.admits(i, bindings):
                self._check(bindings)
            while not self.admits(i, bindings):
                i = bisect(self.cumulative, uniform() * self.cumulative[-1])
            if self.variable is not None:
                bindings[self.variable] = i
        spelt = self.forms[i]
        return spelt[0 if len(spelt) == 1 else int(uniform() * len(spelt))][1]

    def _check(self, bindings: list) -> None:
        if not any(self.admits(i, bindings) for i in range(len(self.entries))):
            some = ", ".join(entry.attributes["word"] for entry in self.entries[:3])
            raise ValueError(f"too few words of the class with {some}: none is left")

    def expand(self, bindings: tuple, word: str | None) -> Iterator[tuple]:
        """Yield (probability, spelling, bindings after) of all that may stand here.

        With ``word``, those that cannot begin with it may be left out.
        """
        variable = self.variable
        if variable is not None and bindings[variable] is not None:
            for p, form in self.forms[bindings[variable]]:
                yield p, form, bindings
            return
        ways = self.ways.get(word, []) + (self.ways.get("", []) if word else [])
        if not ways:
            return
        total = self.cumulative[-1]
        if self.rivals or self.like is not None:
            admitted = [i for i in range(len(self.entries)) if self.admits(i, bindings)]
            total = sum(self.entries[i].weight for i in admitted)
            ways = [way for way in ways if self.admits(way[0], bindings)]
        for i, p, form in ways:
            after = bindings
            if variable is not None:
                after = (*bindings[:variable], i, *bindings[variable + 1 :])
            yield self.entries[i].weight / total * p, form, after


class Expression:
    """A value computed from remembered numbers, such as ``{=x + k}``."""

    first = None

    def __init__(self, source: str, lead: str, entries: dict[str, tuple]):
        try:
            self.code, self.lead = compile(source.strip(), source, "eval"), lead
        except SyntaxError as error:
            raise ValueError(f"{{={source}}} is no expression: {error.msg}") from None
        self.entries = {n: v for n, v in entries.items() if n in self.code.co_names}

    def written(self, bindings) -> Seq:
        """Return the value as words, given the bindings."""
        for name, (index, _) in self.entries.items():
            if bindings[index] is None:
                source = self.code.co_filename
                raise ValueError(
                    f"{{={source}}}: write {{!{name}}} before it, to bind it"
                )
        values = {
            name: _number(entries[bindings[index]].attributes["word"])
            for name, (index, entries) in self.entries.items()
        }
        return Seq(words(self.lead + str(eval(self.code, values))))


def _number(word: str) -> int | str:
    return int(word) if word.lstrip("-").isdigit() else word
