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
    """The tables ``classes``, ``variables`` and ``rules`` of a world, compiled.

    Raises ValueError for what is malformed or not defined, or a rule that calls itself.
    """

    def __init__(self, spec: dict):
        classes = spec.get("classes", {})
        self.classes = {name: read_class(name, c) for name, c in classes.items()}
        self.variables = self._read_variables(spec.get("variables", {}), classes)
        self.rules = dict(_read_rule(*rule) for rule in spec.get("rules", {}).items())
        self.vocabulary: set[str] = set()
        self.roles: dict[str, set[tuple[str, str]]] = {}
        self._calls: dict[tuple, Choice | None] = {}
        self._slots: dict[tuple, Choice | Slot] = {}
        self.start = Seq([self._call("start", "", {})])

    def _read_variables(self, declared: dict[str, str], classes: dict) -> dict:
        index = {name: i for i, name in enumerate(declared)}
        kinds = {n: [p.strip() for p in d.partition("~")] for n, d in declared.items()}
        variables = {}
        for name, (kind, _, like) in kinds.items():
            rivals = [index[n] for n in kinds if kinds[n][0] == kind and n != name]
            try:
                rivals = () if classes[kind].get("repeat") else tuple(rivals)
                group = index[like] if like else None
            except KeyError as error:
                what = f"variable {name} = {declared[name]!r}"
                raise ValueError(f"{what}: {error} is not there") from None
            variables[name] = Variable(kind, index[name], rivals, group)
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
            self._calls[key] = self._choice(options, lead, local)
        if self._calls[key] is None:
            raise ValueError(f"<{call}>: rule {name} calls itself and would not end")
        return self._calls[key]

    def _choice(self, options: list, lead: str, local: dict[str, str]) -> Choice:
        return Choice([(w, self._build(parts, lead, local)) for w, parts in options])

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
                items.append(self._choice(value, lead, local))
        if parts and text.endswith(" "):
            raise ValueError(f"put the space before the item after it: {text!r}")
        return Seq(items + (self._literal(text) if parts else []))

    def _literal(self, text: str, then: str = "") -> list[str]:
        """Split text into words; where spaces end it, what comes then matters."""
        cut = then and text[-1:].isspace()
        pieces = words(text + then)[:-1] if cut else words(text)
        self.vocabulary.update(piece.strip() for piece in pieces)
        return pieces

    def _slot(self, slot: str, lead: str, local: dict) -> Choice | Slot | Expression:
        if slot.startswith("="):
            bound = self.variables.items()
            known = {name: (v.index, self.classes[v.kind]) for name, v in bound}
            known |= {p: known[name] for p, name in local.items() if name in known}
            return Expression(slot[1:], lead, known)
        match = SLOT.fullmatch(slot)
        if not match:
            raise ValueError(f"{{{slot}}} is not a slot: write {{a toy}} or {{^A.he}}")
        mark, article, name, attribute = match.groups(default="")
        name, attribute = local.get(name, name), attribute or "word"
        key = mark, article, name, attribute, lead
        if key not in self._slots:
            self._slots[key] = self._read_slot(slot, *key)
        return self._slots[key]

    def _read_slot(
        self, slot: str, mark: str, article: str, name: str, attribute: str, lead: str
    ) -> Choice | Slot:
        """Compile a slot from what its pattern and the rule's parameters say."""
        variable = self.variables.get(name)
        kind = variable.kind if variable else name
        if kind not in self.classes:
            raise ValueError(f"{{{slot}}}: {kind} is neither a variable nor a class")
        entries, role, forms, shown = self.classes[kind], (kind, attribute), [], []
        for entry in entries:
            if attribute not in entry.attributes:
                word = entry.attributes["word"]
                raise ValueError(f"{{{slot}}}: {word} ({kind}) has no {attribute}")
            spellings = [s.strip() for s in entry.attributes[attribute].split("/")]
            for spelling in spellings:  # for messages about errors
                self.roles.setdefault(words(spelling)[0].lower(), set()).add(role)
            texts = [_written(spelling, mark, article) for spelling in spellings]
            options = [(1, Seq(self._literal(lead + t if t else ""))) for t in texts]
            forms.append(options[0][1] if len(options) == 1 else Seq([Choice(options)]))
            shown.append(texts[0])
        if variable is None:
            return Choice([(e.weight, f) for e, f in zip(entries, forms, strict=True)])
        return Slot(variable, entries, forms, shown, role)


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
        rows = _rows(group["words"], merged.get("columns", ["word"]))
        zipf, weight = merged.get("zipf", 0), group.get("weight", 1.0)
        if not rows or zipf < 0 or weight <= 0:
            what = f"a group of {len(rows)} words, zipf {zipf} and weight {weight}"
            wanted = "words, zipf >= 0 and weight > 0"
            raise ValueError(f"class {name} has {what}, expected {wanted}")
        raw = [1 / (rank + zipf) if zipf else 1.0 for rank in range(1, len(rows) + 1)]
        scale = weight / sum(raw)
        for row, share in zip(rows, raw, strict=True):
            entries.append(Entry({**shared, **row}, share * scale, number))
    return entries


def _rows(text: str, columns: list[str]) -> list[dict[str, str]]:
    """Read a table with a row a line, or words that commas may separate too."""
    lines = re.split(r"\n" if len(columns) > 1 else r"[,\n]", text)
    rows = [[c.strip() for c in line.split("|")] for line in lines if line.strip()]
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{row} has {len(row)} cells, expected {columns}")
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _read_rule(head: str, body: str | list[str]) -> tuple[str, tuple[list, list]]:
    """Return a rule's name, and its parameters with its weighted options."""
    name, *parameters = head.split()
    texts, strip = body, str
    if isinstance(body, str):  # one option a line; in a list, spaces are kept
        texts = [line.strip() for line in body.splitlines() if line.strip()]
        strip = str.strip
    if not texts:
        raise ValueError(f"rule {name} has no options")
    weighted = map(split_weight, texts)
    return name, (parameters, [(w, parse(strip(text))) for w, text in weighted])


def _written(spelling: str, mark: str, article: str) -> str:
    """Return a word with its article, by its sound, and with a capital; or nothing."""
    if mark == "!":
        return ""
    before = "" if not article else "an " if VOWEL.match(spelling) else "a "
    text = before + spelling
    return text[0].upper() + text[1:] if mark == "^" else text
