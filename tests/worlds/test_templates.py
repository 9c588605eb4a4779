"""Templates: taken apart as written."""

import re

import pytest

from helpers.worlds.templates import parse, split_weight


def test_parse_names_every_kind_of_item():
    assert parse(r"A {a toy} <meet A B>[2:big|] \{x\}\[\|\]\<\\") == [
        ("text", "A "),
        ("slot", "a toy"),
        ("text", " "),
        ("call", "meet A B"),
        ("choice", [(2.0, [("text", "big")]), (1.0, [])]),
        ("text", " {x}[|]<\\"),
    ]


def test_choices_nest():
    inner = [(1.0, [("text", "b")]), (1.0, [("text", "c")])]
    options = [(1.0, [("text", "a"), ("choice", inner)]), (1.0, [("slot", "d")])]
    assert parse("[a[b|c]|{d}]") == [("choice", options)]


@pytest.mark.parametrize(
    ("template", "weight", "rest"),
    [("3: He ran", 3.0, " He ran"), ("0.5:x", 0.5, "x"), ("He: 3", 1.0, "He: 3")],
)
def test_split_weight(template, weight, rest):
    assert split_weight(template) == (weight, rest)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a {toy", "a '{' or '<' is never closed in: a {toy"),
        ("a <toy", "a '{' or '<' is never closed in: a <toy"),
        ("a [big|small", "a '[' is never closed in: a [big|small"),
        ("a big] dog", "a ']' or '|' stands outside brackets in: a big] dog"),
        ("big|small", "a ']' or '|' stands outside brackets in: big|small"),
    ],
)
def test_malformed_templates(template, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse(template)
