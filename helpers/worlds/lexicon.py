"""Lexicon: the classes of words a world draws from, with their weights."""

import re

VOWEL = re.compile(r"(?!uni[^nm]|us[eu]|one|eu)[aeiou]|hour|honest", re.I)
RESERVED = {"words", "groups", "columns", "zipf", "weight", "repeat"}


class Entry:
    """A member of a class: its attributes, its weight and its group."""

    def __init__(self, attributes: dict[str, str], weight: float, group: int):
        self.attributes, self.weight, self.group = attributes, weight, group


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


def article(word: str) -> str:
    """Return the indefinite article before a word, by its sound."""
    return "an " if VOWEL.match(word) else "a "
