"""Grammar: a world's classes, variables and rules, compiled into items."""

import re

from helpers.tokens import pretokenise as words
from helpers.worlds.items import Choice, Expression, Seq, Slot
from helpers.worlds.lexicon import article as article_of
from helpers.worlds.lexicon import read_class
from helpers.worlds.templates import Part, parse, split_weight


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
            texts = [article_of(s) + s if article else s for s in spellings]
            texts = [t[0].upper() + t[1:] if mark == "^" else t for t in texts]
            share = 1 / len(texts)
            forms.append([(share, Seq(self._literal(lead + text))) for text in texts])
        return Slot(entries, forms, index, rivals, like, (kind, attribute))

    def _note(self, text: str, kind: str, attribute: str) -> None:
        """Remember in which classes a word stands, for messages about errors."""
        first = words(text)[0].lower()
        self.roles.setdefault(first, set()).add((kind, attribute))


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
