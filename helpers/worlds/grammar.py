"""Grammar: a world's classes, variables and rules, compiled into items."""

import re
from typing import NamedTuple

from helpers.tokens import pretokenise as words
from helpers.worlds.items import Choice, Expression, Seq, Slot, Variable
from helpers.worlds.templates import Part, parse, split_weight

SLOT = re.compile(r"([\^!]?)(a )?(\w+)(?:\.(\w+))?")
VOWEL = re.compile(r"(?!uni[^nm]|us[eu]|one|eu)[aeiou]|hour|honest", re.I)
RESERVED = {"words", "groups", "columns", "zipf", "weight", "repeat"}


class Grammar:
    """A world's classes, variables and rules, compiled.

    Args:
        spec: the parsed TOML; its keys are ``classes``, ``variables`` and ``rules``.

    Raises:
        ValueError: for a malformed template, a name that is not defined, or a rule
            that calls itself.
    """

    def __init__(self, spec: dict):
        classes = spec.get("classes", {})
        self.classes = {name: read_class(name, c) for name, c in classes.items()}
        self.variables = self._read_variables(spec.get("variables", {}), classes)
        self.rules = dict(_read_rule(*rule) for rule in spec.get("rules", {}).items())
        self.vocabulary: set[str] = set()
        self.roles: dict[str, set[tuple[str, str]]] = {}
        self._calls: dict[tuple, Choice | None] = {}
        self.start = Seq([self._call("start", "", {})])

    def _read_variables(self, declared: dict[str, str], classes: dict) -> dict:
        index = {name: i for i, name in enumerate(declared)}
        split = {n: [p.strip() for p in d.split("~")] for n, d in declared.items()}
        variables = {}
        for name, (kind, *like) in split.items():
            _expect_name(f"variable {name} is of class", kind, self.classes)
            for other in like:
                _expect_name(f"variable {name} is like", other, index)
            rivals = [index[n] for n in split if split[n][0] == kind and n != name]
            rivals = () if classes[kind].get("repeat") else tuple(rivals)
            like = index[like[0]] if like else None
            variables[name] = Variable(kind, index[name], rivals, like)
        return variables

    def _call(self, call: str, lead: str, local: dict[str, str]) -> Choice:
        """Compile the call of a rule; ``local`` says what parameters stand for."""
        name, *arguments = (local.get(part, part) for part in call.split())
        key = (name, tuple(arguments), lead)
        if key not in self._calls:
            if name not in self.rules:
                raise ValueError(f"<{call}> is called, but there is no rule {name}")
            parameters, options = self.rules[name]
            if len(parameters) != len(arguments):
                raise ValueError(f"<{call}>: rule {name} takes {parameters}")
            local = dict(zip(parameters, arguments, strict=True))
            self._calls[key] = None  # until it is compiled
            built = [(w, self._build(parts, lead, local)) for w, parts in options]
            self._calls[key] = Choice(built)
        if self._calls[key] is None:
            raise ValueError(f"<{call}>: rule {name} calls itself and would not end")
        return self._calls[key]

    def _build(self, parts: list[Part], lead: str, local: dict[str, str]) -> Seq:
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
                built = [(w, self._build(option, lead, local)) for w, option in value]
                items.append(Choice(built))
        if parts and text.endswith(" "):
            raise ValueError(f"put the space before the item after it: {text!r}")
        return Seq(items + (self._literal(text) if parts else []))

    def _literal(self, text: str, then: str = "") -> list[str]:
        """Split text into words; where spaces end it, what comes then matters."""
        cut = then and text[-1:].isspace()
        pieces = words(text + then)[:-1] if cut else words(text)
        self.vocabulary.update(piece.strip() for piece in pieces)
        return pieces

    def _slot(self, slot: str, lead: str, local: dict) -> Slot | Expression:
        if slot.startswith("="):
            bound = self.variables.items()
            known = {name: (v.index, self.classes[v.kind]) for name, v in bound}
            known |= {p: known[name] for p, name in local.items() if name in known}
            return Expression(slot[1:], lead, known)
        match = SLOT.fullmatch(slot)
        if not match:
            raise ValueError(f"{{{slot}}} is not a slot: write {{a toy}} or {{^A.he}}")
        mark, article, name, attribute = match.groups()
        name = local.get(name, name)
        variable = self.variables.get(name, Variable(name))
        if variable.kind not in self.classes:
            what = f"{variable.kind} is neither a variable nor a class"
            raise ValueError(f"{{{slot}}}: {what}")
        entries, role = (
            self.classes[variable.kind],
            (variable.kind, attribute or "word"),
        )
        forms = []
        for entry in entries:
            spellings = self._spellings(slot, entry, role)
            texts = [lead + _written(s, mark, article) for s in spellings]
            texts = [""] if mark == "!" else texts
            forms.append([Seq(self._literal(text)) for text in texts])
        return Slot(entries, forms, variable, role)

    def _spellings(self, slot: str, entry: "Entry", role: tuple[str, str]) -> list[str]:
        """Return the spellings of an entry's attribute, and remember their role."""
        kind, attribute = role
        if attribute not in entry.attributes:
            word = entry.attributes["word"]
            raise ValueError(f"{{{slot}}}: {word} ({kind}) has no {attribute}")
        spellings = [s.strip() for s in entry.attributes[attribute].split("/")]
        for spelling in spellings:  # for messages about errors
            self.roles.setdefault(words(spelling)[0].lower(), set()).add(role)
        return spellings


class Entry(NamedTuple):
    """A member of a class: its attributes, its weight and its group."""

    attributes: dict[str, str]
    weight: float
    group: int


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
        zipf, weight = merged.get("zipf", 0), group.get("weight", 1.0)
        if zipf < 0 or weight <= 0:
            what = f"zipf {zipf} and weight {weight}, expected zipf >= 0 and weight > 0"
            raise ValueError(f"class {name} has {what}")
        raw = [1 / (rank + zipf) if zipf else 1.0 for rank in range(1, len(rows) + 1)]
        scale = weight / sum(raw)
        entries += [Entry(r, w * scale, number) for r, w in zip(rows, raw, strict=True)]
    return entries


def _expect_name(said: str, name: str, names) -> None:
    if name not in names:
        raise ValueError(f"{said} {name}, which is not there")


def _rows(group: dict, columns: list[str] | None) -> list[dict[str, str]]:
    if columns is None:
        cells = re.split(r"[,\n]", group["words"])
        return [{"word": word.strip()} for word in cells if word.strip()]
    lines = [line for line in group["words"].splitlines() if line.strip()]
    rows = [[cell.strip() for cell in line.split("|")] for line in lines]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{row} has {len(row)} cells, expected {columns}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _read_rule(head: str, body: str | list[str]) -> tuple[str, tuple[list, list]]:
    """Return a rule's name, and its parameters with its weighted options."""
    name, *parameters = head.split()
    texts = body
    if isinstance(body, str):  # one option a line; in a list, spaces are kept
        texts = [line.strip() for line in body.splitlines() if line.strip()]
    if not texts:
        raise ValueError(f"rule {name} has no options")
    weighted = [split_weight(text) for text in texts]
    if isinstance(body, str):
        weighted = [(weight, text.strip()) for weight, text in weighted]
    return name, (parameters, [(weight, parse(text)) for weight, text in weighted])


def _written(spelling: str, mark: str, article: str | None) -> str:
    """Return a word with its article, by its sound, and with a capital."""
    before = "" if not article else "an " if VOWEL.match(spelling) else "a "
    text = before + spelling
    return text[0].upper() + text[1:] if mark == "^" else text
