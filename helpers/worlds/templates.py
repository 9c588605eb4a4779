"""Templates: the text in which a world is written, taken apart.

A template is plain text with slots such as ``{^A.he}`` or ``{=x + k}``, calls of rules,
``<meet A B>``, and choices between templates, ``[3:big|small|]``; the README of
``data/worlds`` says what each of them means.
"""

import re

ITEM = re.compile(
    r"(?P<text>(?:\\.|[^\\{<\[\]|])+)|\{(?P<slot>[^{}]*)\}|<(?P<call>[^<>]*)>"
    r"|(?P<open>\[)|(?P<next>\|)|(?P<close>\])",
    re.S,
)
ESCAPED = re.compile(r"\\(.)", re.S)
WEIGHT = re.compile(r"(?:(\d+(?:\.\d+)?):)?(.*)", re.S)

Part = tuple[str, object]  # ("text" | "slot" | "call", str) or ("choice", options)


def parse(template: str) -> list[Part]:
    """Take a template apart into texts, slots, calls and choices.

    Raises:
        ValueError: for brackets that are never opened or closed.
    """
    if "".join(m[0] for m in ITEM.finditer(template)) != template:
        raise ValueError(f"a '{{' or '<' is never closed in: {template}")
    levels = [[[]]]  # for the template and each open bracket, options as lists of parts
    for match in ITEM.finditer(template):
        kind = match.lastgroup
        value = ESCAPED.sub(r"\1", match[kind]) if kind == "text" else match[kind]
        if kind in ("next", "close") and len(levels) == 1:
            raise ValueError(f"a ']' or '|' stands outside brackets in: {template}")
        if kind == "open":
            levels.append([[]])
        elif kind == "next":
            levels[-1].append([])
        elif kind == "close":
            options = [_weighted(option) for option in levels.pop()]
            levels[-1][-1].append(("choice", options))
        else:
            levels[-1][-1].append((kind, value))
    if len(levels) > 1:
        raise ValueError(f"a '[' is never closed in: {template}")
    return levels[0][0]


def split_weight(template: str) -> tuple[float, str]:
    """Return the weight in front of an option (1 where none is given) and the rest."""
    weight, rest = WEIGHT.fullmatch(template).groups()
    return float(weight or 1), rest


def _weighted(option: list[Part]) -> tuple[float, list[Part]]:
    if not option or option[0][0] != "text":
        return 1.0, option
    weight, text = split_weight(option[0][1])
    return weight, [("text", text), *option[1:]] if text else option[1:]
