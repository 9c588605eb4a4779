"""Templates: taken apart as written, split into words as GPT-2 does it."""

import re

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from helpers.tokens.byte_level import pretokenise as words
from helpers.worlds.templates import parse, split_weight

TEXTS = [
    "Tom's kite isn't lost, they'll say.",
    'She said, "Look!"\n\nThen 12 owls flew off...',
    "def f(x_1):\n    return [x_1, -3]",
    "  two  spaces, a tab\tand an end ",
    "naïve café, 日本語, 🙂 and __init__",
]


@pytest.mark.parametrize("text", TEXTS)
def test_words_joined_give_the_text_back(text):
    assert "".join(words(text)) == text


@pytest.mark.parametrize("text", TEXTS)
def test_words_are_those_of_the_tokenizer(text):
    pieces = ByteLevel(add_prefix_space=False).pre_tokenize_str(text)
    assert words(text) == [text[start:end] for _, (start, end) in pieces]


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
    assert parse("[a[b|c]|{d}]") == [
        (
            "choice",
            [
                (1.0, [("text", "a"), ("choice", inner)]),
                (1.0, [("slot", "d")]),
            ],
        )
    ]


def test_nothing_is_no_part():
    assert parse("") == []


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
        ("a [big|small", "a '[' is never closed"),
        ("a big] dog", "a ']' or '|' stands outside brackets in: a big] dog"),
        ("big|small", "a ']' or '|' stands outside brackets in: big|small"),
    ],
)
def test_malformed_templates(template, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse(template)
