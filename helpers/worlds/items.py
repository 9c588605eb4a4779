"""Items: what a text of a world is made of, and all ways in which they write it.

A sequence (``Seq``) holds words, which are plain strings, and three kinds of item that
become sequences when their turn comes: a ``Choice`` between sequences, a ``Slot`` for
a word of a class, an ``Expression`` over remembered numbers. ``draw`` gives one of the
sequences that an item may become; ``expand`` yields all of them or, given a word, those
that can begin with it. *Bindings* are what is remembered: for each variable the index
of its entry, or None.

A *state* is what is still to be written, as frames ``(items, index, rest)``, with the
bindings made so far; the live derivations of a text are states with their weights. To
read a word is to ``step`` all of them and to keep those that can write it.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate, groupby
from typing import NamedTuple

from helpers.tokens import END
from helpers.tokens import pretokenise as words

KEPT = 1000  # beginnings that an item keeps
Uniform = Callable[[], float]  # draws from 0 to 1
Way = tuple[float, "Seq", tuple]  # probability, sequence, bindings after it
Live = dict[tuple[tuple, tuple], float]  # {(frames, bindings): weight}


class Seq(tuple):
    """A sequence of items, compared by identity so that states hash fast."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__

    def __init__(self, items):
        self.backwards = []  # for a stack, neighbouring words joined
        for is_word, run in groupby(items, lambda item: isinstance(item, str)):
            parts = [*run]
            self.backwards += ["".join(parts)] if is_word else parts
        self.backwards.reverse()

    @property
    def first(self) -> frozenset | None:
        """The words it can begin with; None where that depends on the bindings."""
        if not self:
            return None
        return frozenset(self[:1]) if isinstance(self[0], str) else self[0].first

    @property
    def reads(self) -> frozenset | None:
        """The bindings that decide how it begins; None if it binds in silence."""
        known: frozenset = frozenset()
        for item in self:
            if isinstance(item, str):
                return known
            if item.reads is None:
                return None
            known |= item.reads
            if not item.silent:
                return known
        return known

    @property
    def silent(self) -> bool:
        """Whether it may write nothing."""
        return all(not isinstance(item, str) and item.silent for item in self)

    def begin(self, bindings: tuple) -> tuple[dict[str, float], float]:
        """Return {first word: probability}, and the probability of no word at all."""
        found: dict[str, float] = defaultdict(float)
        rest = 1.0
        for item in self:
            if isinstance(item, str):
                found[item] += rest
                return found, 0.0
            begun, silent = item.begin(bindings)
            for word, p in begun.items():
                found[word] += rest * p
            rest *= silent
            if not rest:
                break
        return found, rest


class Item:
    """What becomes a sequence: by ``draw`` one of them, by ``expand`` all of them."""

    reads: frozenset | None  # as of a sequence
    silent = False

    def begin(self, bindings: tuple) -> tuple[dict[str, float], float]:
        """Return what ``Seq.begin`` does; it is kept, since bindings recur."""
        key = tuple(bindings[i] for i in self.reads)
        if key not in self.begun:
            found, rest = defaultdict(float), 0.0
            for share, seq, after in self.expand(bindings, None):
                begun, silent = seq.begin(after)
                rest += share * silent
                for word, p in begun.items():
                    found[word] += share * p
            if len(self.begun) >= KEPT:
                self.begun.clear()
            self.begun[key] = dict(found), rest
        return self.begun[key]


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
        reads = [option.reads for option in self.options]
        self.reads = None if None in reads else frozenset().union(*reads)
        self.silent = any(option.silent for option in self.options)
        self.begun: dict = {}

    def draw(self, bindings: list, uniform: Uniform) -> Seq:
        """Choose an option."""
        return self.options[bisect(self.cumulative, uniform())]

    def expand(self, bindings: tuple, word: str | None) -> Iterator[Way]:
        """Yield the options."""
        for p, option, first in self.ways:
            if word is None or first is None or word in first:
                yield p, option, bindings


class Variable(NamedTuple):
    """What remembers a member of a class; numbers are those of bindings."""

    kind: str  # the class
    index: int  # its own
    rivals: tuple[int, ...]  # those that must hold other members
    like: int | None  # the one whose group it must share


class Slot(Item):
    """A place for what a variable holds: an entry of a class, chosen at first use.

    ``forms`` says what each entry writes here, ``shown`` what messages call that;
    ``role`` is the class and the attribute that stand here.
    """

    def __init__(self, variable: Variable, entries, forms: list[Seq], shown, role):
        self.variable, self.entries, self.forms = variable, entries, forms
        self.shown, self.role = shown, role
        self.cumulative = [*accumulate(entry.weight for entry in entries)]
        self.starting: dict[str | None, list[int]] = {}  # forms by their first words
        for i, form in enumerate(forms):
            for word in (None,) if form.first is None else form.first:
                self.starting.setdefault(word, []).append(i)
        self.first = None if None in self.starting else frozenset(self.starting)
        self.silent = any(form.silent for form in forms)
        bound = {variable.index, *variable.rivals, variable.like} - {None}
        self.reads = None if self.silent else frozenset(bound)
        self.begun: dict = {}

    def draw(self, bindings: list, uniform: Uniform) -> Seq:
        """Write the remembered entry, or choose one and remember it."""
        index = self.variable.index
        while bindings[index] is None:
            i = bisect(self.cumulative, uniform() * self.cumulative[-1])
            if self._admits(i, bindings):
                bindings[index] = i
            elif not any(self._admits(i, bindings) for i in range(len(self.entries))):
                some = ", ".join(entry.attributes["word"] for entry in self.entries[:3])
                raise ValueError(
                    f"too few words of the class with {some}: none is left"
                )
        return self.forms[bindings[index]]

    def expand(self, bindings: tuple, word: str | None) -> Iterator[Way]:
        """Yield what may stand here."""
        index = self.variable.index
        if bindings[index] is not None:
            yield 1.0, self.forms[bindings[index]], bindings
            return
        every, begins = range(len(self.entries)), self.starting.get
        some = every if word is None else begins(word, []) + begins(None, [])
        total = self.cumulative[-1]
        if some and (self.variable.rivals or self.variable.like is not None):
            weights = (
                self.entries[i].weight for i in every if self._admits(i, bindings)
            )
            total, some = sum(weights), [i for i in some if self._admits(i, bindings)]
        for i in some:
            after = (*bindings[:index], i, *bindings[index + 1 :])
            yield self.entries[i].weight / total, self.forms[i], after

    def _admits(self, i: int, bindings) -> bool:
        """Whether entry ``i`` may be chosen, given what is remembered."""
        like = None if self.variable.like is None else bindings[self.variable.like]
        alike = like is None or self.entries[like].group == self.entries[i].group
        return alike and all(bindings[rival] != i for rival in self.variable.rivals)


class Expression(Item):
    """A value computed from what is remembered, such as ``{=x + k}``.

    ``lead`` is a space that belongs to it, or nothing; ``names`` gives for each name
    that it may use the index of its binding, and its entries.
    """

    first = None

    def __init__(self, source: str, lead: str, names: dict[str, tuple]):
        self.source, self.lead = source, lead
        try:
            self.code = compile(source.strip(), source, "eval")
        except SyntaxError as error:
            raise ValueError(f"{{={source}}} is no expression: {error.msg}") from None
        self.names = {n: v for n, v in names.items() if n in self.code.co_names}
        self.reads = frozenset(index for index, _ in self.names.values())
        self.begun: dict = {}

    def draw(self, bindings, uniform: Uniform | None = None) -> Seq:
        """Write the value."""
        values = {}
        for name, (index, entries) in self.names.items():
            if bindings[index] is not None:
                word = entries[bindings[index]].attributes["word"]
                values[name] = int(word) if word.lstrip("-").isdigit() else word
        try:
            return Seq(words(self.lead + str(eval(self.code, dict(values)))))
        except Exception as error:  # an expression may raise anything
            raise ValueError(f"{{={self.source}}} with {values}: {error}") from None

    def expand(self, bindings: tuple, word: str | None) -> Iterator[Way]:
        """Yield the value."""
        yield 1.0, self.draw(bindings), bindings


def step(live: Live, word: str | None = None) -> dict[str, Live]:
    """Let every live derivation write one word; return {word: live derivations}.

    With ``word``, derivations that cannot write it are dropped early.
    """
    after: dict[str, Live] = defaultdict(lambda: defaultdict(float))
    todo = [(weight, frames, bound) for (frames, bound), weight in live.items()]
    while todo:
        weight, frames, bound = todo.pop()
        item, rest = _next_item(frames)
        if not isinstance(item, str):
            for p, seq, binding in item.expand(bound, word):
                todo.append((weight * p, (seq, 0, rest) if seq else rest, binding))
        elif word is None or item == word:
            after[item][rest, bound] += weight
    return after


def remembered(live: Live) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (class and attribute, word) of what could come next from memory."""
    todo = list(live)
    while todo:
        frames, bound = todo.pop()
        item, rest = _next_item(frames)
        if isinstance(item, Choice):
            todo += [((way, 0, rest) if way else rest, bound) for way in item.options]
        elif isinstance(item, Slot):
            known = bound[item.variable.index]
            if known is not None and item.shown[known]:
                yield item.role, item.shown[known]


def forecast(live: Live) -> dict[str, float]:
    """Return the distribution of the next word, without making all that may live."""
    found: dict[str, float] = defaultdict(float)
    for (frames, bound), weight in live.items():
        while weight:
            item, rest = _next_item(frames)
            if isinstance(item, str):
                found[item] += weight
                break
            if item.reads is None:  # it may bind in silence: what follows depends
                for word, states in step({(frames, bound): weight}).items():
                    found[word] += sum(states.values())
                break
            begun, silent = item.begin(bound)
            for word, p in begun.items():
                found[word] += weight * p
            weight, frames = weight * silent, rest
    return found


def expected_words(live: Live) -> dict[str, float]:
    """Return the distribution of the next word, likeliest first."""
    after = forecast(live)
    total = sum(after.values())
    ordered = sorted(after.items(), key=lambda item: (-item[1], item[0]))
    return {word: weight / total for word, weight in ordered}


def _next_item(frames: tuple) -> tuple:
    """Return what is to be written next, and the frames after it."""
    if not frames:
        return END, ()
    items, i, rest = frames
    return items[i], (items, i + 1, rest) if i + 1 < len(items) else rest
