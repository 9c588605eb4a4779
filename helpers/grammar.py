"""Grammar: templates compiled into words, choices and slots with exact weights."""

import re
from bisect import bisect
from collections.abc import Callable, Iterator
from itertools import accumulate, groupby

from helpers.templates import Part, parse, split_weight, words

VOWEL = re.compile(r"(?!uni[^nm]|us[eu]|one|eu)[aeiou]|hour|honest", re.I)
RESERVED = {"words", "groups", "columns", "zipf", "weight", "repeat"}


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


class Entry:
    """A member of a class: its attributes, its weight and its group."""

    def __init__(self, attributes: dict[str, str], weight: float, group: int):
        self.attributes, self.weight, self.group = attributes, weight, group


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


class Grammar:
    """A world's classes, variables and rules, compiled.

    Args:
        spec: the parsed TOML; its keys are ``classes``, ``variables`` and ``rules``.

    Raises:
        ValueError: for a malformed template, or a name that is not defined.
    """

    def __init__(self, spec: dict):
        classes = spec.get("classes", {})
        self.classes = {name: read_class(name, c) for name, c in classes.items()}
        self.variables = self._read_variables(spec.get("variables", {}), classes)
        self.rules = dict(_read_rule(*rule) for rule in spec["rules"].items())
        self.vocabulary: set[str] = set()
        self.roles: dict[str, set[tuple[str, str]]] = {}
        self._calls: dict[tuple, Choice] = {}
        self.start = Seq([self._call("start", "", {})])

    def _read_variables(self, declared: dict[str, str], classes: dict) -> dict:
        """Return {name: (index, class, rivals, like)}."""
        split = {
            n: [part.strip() for part in d.split("~")] for n, d in declared.items()
        }
        index = {name: i for i, name in enumerate(split)}
        found = {}
        for name, (kind, *like) in split.items():
            if kind not in self.classes:
                raise ValueError(
                    f"variable {name} is of class {kind}, which is not there"
                )
            if like and like[0] not in index:
                raise ValueError(
                    f"variable {name} is like {like[0]}, which is not there"
                )
            rivals = [index[n] for n, other in split.items() if other[0] == kind]
            rivals = [] if classes[kind].get("repeat") else rivals
            others = tuple(i for i in rivals if i != index[name])
            found[name] = (index[name], kind, others, index[like[0]] if like else None)
        return found

    def _call(self, call: str, lead: str, local: dict) -> Choice:
        name, *arguments = (local.get(part, part) for part in call.split())
        arguments = tuple(arguments)
        key = (name, arguments, lead)
        if key not in self._calls:
            if name not in self.rules:
                raise ValueError(f"<{call}> is called, but there is no rule {name}")
            parameters, options = self.rules[name]
            if len(parameters) != len(arguments):
                raise ValueError(f"<{call}>: rule {name} takes {parameters}")
            local = dict(zip(parameters, arguments, strict=True))
            choice = self._calls[key] = Choice()
            choice.fill([(w, self._build(p, lead, local)) for w, p in options])
        return self._calls[key]

    def _build(self, parts: list[Part], lead: str, local: dict) -> Seq:
        """Compile parts; ``lead`` is a space that belongs to their first word."""
        items, text = [], lead
        for kind, value in parts:
            if kind == "text":
                text = value if value[0] == " " == text else text + value
                continue
            lead = " " if text.endswith(" ") else ""
            items += self._literal(text.removesuffix(lead), then=lead + "x")
            text = ""
            if kind == "slot":
                items.append(self._slot(value, lead, local))
                text = lead if value[0] == "!" else ""
            elif kind == "call":
                items.append(self._call(value, lead, local))
            else:
                options = [(w, self._build(p, lead, local)) for w, p in value]
                items.append(Choice().fill(options))
        if parts and text.endswith(" "):
            raise ValueError(f"put the space before the item after it: {text!r}")
        return Seq(items + (self._literal(text) if parts else []))

    def _literal(self, text: str, then: str = "") -> list[str]:
        """Split text into words; where spaces end it, what comes then matters."""
        pieces = (
            words(text + then)[:-1] if then and text[-1:].isspace() else words(text)
        )
        self.vocabulary.update(piece.strip() for piece in pieces)
        return pieces

    def _slot(self, slot: str, lead: str, local: dict) -> Slot | Expression:
        if slot.startswith("="):
            known = {n: (v[0], self.classes[v[1]]) for n, v in self.variables.items()}
            known |= {p: known[name] for p, name in local.items() if name in known}
            return Expression(slot[1:], lead, known)
        match = re.fullmatch(r"([\^!]?)(a )?(\w+)(?:\.(\w+))?", slot)
        if not match:
            raise ValueError(f"{{{slot}}} is not a slot: write {{a toy}} or {{^A.he}}")
        mark, article, name, attribute = match.groups()
        name, attribute = local.get(name, name), attribute or "word"
        index, kind, rivals, like = self.variables.get(name, (None, name, (), None))
        if kind not in self.classes:
            raise ValueError(f"{{{slot}}}: {kind} is neither a variable nor a class")
        entries = self.classes[kind]
        forms = []
        for entry in entries:
            if attribute not in entry.attributes:
                word = entry.attributes["word"]
                raise ValueError(f"{{{slot}}}: {word} ({kind}) has no {attribute}")
            spellings = [s.strip() for s in entry.attributes[attribute].split("/")]
            for word in spellings:
                self._note(word, kind, attribute)
            if mark == "!":
                forms.append([(1.0, Seq(()))])
                continue
            texts = [_article(s) + s if article else s for s in spellings]
            texts = [t[0].upper() + t[1:] if mark == "^" else t for t in texts]
            share = 1 / len(texts)
            forms.append([(share, Seq(self._literal(lead + text))) for text in texts])
        return Slot(entries, forms, index, rivals, like, (kind, attribute))

    def _note(self, text: str, kind: str, attribute: str) -> None:
        """Remember in which classes a word stands, for messages about errors."""
        first = words(text)[0].lower()
        self.roles.setdefault(first, set()).add((kind, attribute))


def _article(word: str) -> str:
    return "an " if VOWEL.match(word) else "a "


def _read_rule(head: str, body: str | list[str]) -> tuple[str, tuple[list, list]]:
    """Return a rule's name, and its parameters with its weighted options."""
    name, *parameters = head.split()
    texts = body
    if isinstance(body, str):
        texts = [line.strip() for line in body.splitlines() if line.strip()]
    weighted = [split_weight(text) for text in texts]
    if isinstance(body, str):
        weighted = [(weight, text.strip()) for weight, text in weighted]
    return name, (parameters, [(weight, parse(text)) for weight, text in weighted])


def read_class(name: str, spec: dict) -> list[Entry]:
    """Read a class: groups of words with shared attributes, commonest first.

    Inside a group the word of rank r weighs 1 / (r + zipf); with no ``zipf`` all
    weigh the same. The groups' own weights are 1 unless they say otherwise.
    """
    entries = []
    for number, group in enumerate(spec.get("groups", [spec])):
        merged = {**spec, **group}
        shared = {k: v for k, v in merged.items() if k not in RESERVED}
        rows = [{**shared, **row} for row in _rows(group, merged.get("columns"))]
        if not rows:
            raise ValueError(f"class {name} has a group without words")
        zipf = merged.get("zipf")
        raw = [1 / (rank + zipf) if zipf else 1.0 for rank in range(1, len(rows) + 1)]
        scale = group.get("weight", 1.0 if "groups" in spec else 1) / sum(raw)
        weights = [weight * scale for weight in raw]
        entries += [Entry(r, w, number) for r, w in zip(rows, weights, strict=True)]
    return entries


def _rows(group: dict, columns: list[str] | None) -> list[dict[str, str]]:
    if columns is None:
        found = re.split(r"[,\n]", group["words"])
        return [{"word": word.strip()} for word in found if word.strip()]
    lines = [line for line in group["words"].splitlines() if line.strip()]
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    for row in cells:
        if len(row) != len(columns):
            raise ValueError(f"{row} has {len(row)} cells, expected {columns}")
    return [dict(zip(columns, row, strict=True)) for row in cells]
