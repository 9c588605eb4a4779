"""Templates: the text in which a world is written, taken apart.

A template is plain text with four kinds of item::

    {toy}  {a toy}  {^A.he}   a slot: a word of a class, or of a remembered thing
    {=x + k}                  an expression over remembered numbers
    <meet A B>                a call: one of the options of the rule ``meet X Y``
    [big|small|]              a choice of templates; ``3:`` in front of one weighs it

``data/worlds/README.md`` says what each of them means.
"""

import re

ITEM = re.compile(r"\\(.)|\{([^{}]*)\}|<([^<>]*)>|([\[\]|])|([^\\{<\[\]|]+)", re.S)
WEIGHT = re.compile(r"(\d+(?:\.\d+)?):")

Part = tuple[str, object]  # ("text" | "slot" | "call", str) or ("choice", options)


def parse(template: str) -> list[Part]:
    """Take a template apart into texts, slots, calls and choices.

    Raises:
        ValueError: for brackets that are never opened or closed, or nest too deep.
    """
    tokens = [match.groups() for match in ITEM.finditer(template)]
    if "".join(m[0] for m in ITEM.finditer(template)) != template:
        raise ValueError(f"a '{{' or '<' is never closed in: {template}")
    try:
        parts = _parts(tokens)
    except RecursionError:
        raise ValueError(f"too many brackets in brackets: {template[:40]}") from None
    if tokens:
        raise ValueError(f"a ']' or '|' stands outside brackets in: {template}")
    return parts


def split_weight(template: str) -> tuple[float, str]:
    """Return the weight in front of an option (1 where none is given) and the rest."""
    match = WEIGHT.match(template)
    return (float(match[1]), template[match.end() :]) if match else (1.0, template)


def _parts(tokens: list) -> list[Part]:
    """Consume tokens up to the end or to a bracket that is not ours."""
    parts: list[Part] = []
    while tokens and tokens[0][3] not in ("]", "|"):
        escaped, slot, call, bracket, text = tokens.pop(0)
        if bracket:
            parts.append(("choice", _options(tokens)))
        elif slot is not None:
            parts.append(("slot", slot))
        elif call is not None:
            parts.append(("call", call))
        elif parts and parts[-1][0] == "text":
            parts[-1] = ("text", parts[-1][1] + (text or escaped))
        else:
            parts.append(("text", text or escaped))
    return parts


def _options(tokens: list) -> list[tuple[float, list[Part]]]:
    """Consume the options of a choice and its closing bracket."""
    options, bracket = [], "|"
    while bracket == "|":
        parts, weight = _parts(tokens), 1.0
        if parts and parts[0][0] == "text":
            weight, rest = split_weight(parts[0][1])
            parts[:1] = [("text", rest)] if rest else []
        options.append((weight, parts))
        if not tokens:
            raise ValueError("a '[' is never closed")
        bracket = tokens.pop(0)[3]
    return options
