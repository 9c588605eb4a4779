"""Grammar: what the data format promises, and clear messages where it is broken."""

import math
import re

import pytest

from helpers.worlds.grammar import read_class
from helpers.worlds.world import World

TOYS = {"toy": {"columns": ["word", "does"], "words": "kite | flies\nowl | hoots"}}
DIGITS = {"digit": {"words": "1, 2, 3"}}


def world(start, *, classes=TOYS, variables=None, **rules) -> World:
    """A world of a few rules; underscores in rule names stand for spaces."""
    rules = {name.replace("_", " "): body for name, body in rules.items()}
    spec = {"classes": classes, "variables": variables or {}}
    return World({**spec, "rules": {"start": start, **rules}})


def texts(made: World) -> set[str]:
    return {made.sample(seed) for seed in range(200)}


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("{toy}", {"kite", "owl"}),
        ("{a toy}", {"a kite", "an owl"}),
        ("{^a toy}!", {"A kite!", "An owl!"}),
        ("{T} {T.does}", {"kite flies", "owl hoots"}),
        ("{!T}It {T.does}", {"It flies", "It hoots"}),
        ("It {!T}{T.does}", {"It flies", "It hoots"}),
        ("a [big|] dog", {"a big dog", "a dog"}),
        ("He ran [fast|].", {"He ran fast.", "He ran."}),
        ("one\ntwo", {"one", "two"}),
        (["if x:\n    {toy}"], {"if x:\n    kite", "if x:\n    owl"}),
        (r"\{\[\|\]\}", {"{[|]}"}),
        ("<say T>", {"kite, kite", "owl, owl"}),
        ("<twice word>", {f"{a} {b}" for a in "xy" for b in "xy"}),
    ],
)
def test_what_items_write(start, expected):
    rules = {"say_X": "{X}, {X}", "twice_R": "<R> <R>", "word": "x\ny"}
    made = world(start, variables={"T": "toy"}, **rules)
    assert texts(made) == expected
    probabilities = [math.exp(made.log_prob(text)) for text in expected]
    assert math.isclose(sum(probabilities), 1)


def test_expressions_count_with_what_is_remembered():
    made = world(
        "{x} and {y}: {=x * y}, <sum x y>",
        classes=DIGITS,
        variables={"x": "digit", "y": "digit"},
        sum_P_Q="{=max(P, Q)}",
    )
    assert "3 and 2: 6, 3" in texts(made)
    assert all(made.log_prob(text) == -math.log(6) for text in texts(made))


def test_variables_of_one_class_differ_unless_it_repeats():
    variables = {"A": "toy", "B": "toy"}
    assert texts(world("{A} {B}", variables=variables)) == {"kite owl", "owl kite"}
    again = {"toy": {**TOYS["toy"], "repeat": True}}
    assert len(texts(world("{A} {B}", variables=variables, classes=again))) == 4


def test_weights_of_options_choices_and_groups():
    assert world("3: a\n1: b").next_words("") == {"a": 0.75, "b": 0.25}
    assert world("[3:a|b|0:c]").next_words("") == {"a": 0.75, "b": 0.25}
    groups = {"c": {"groups": [{"weight": 3, "words": "a"}, {"words": "b, d"}]}}
    found = world("{c}", classes=groups).next_words("")
    assert found == {"a": 0.75, "b": 0.125, "d": 0.125}
    weights = [entry.weight for entry in read_class("c", {"zipf": 2, "words": "a, b"})]
    assert weights == pytest.approx([4 / 7, 3 / 7])


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("{a-toy}", "{a-toy} is not a slot: write {a toy} or {^A.he}"),
        ("{dog}", "{dog}: dog is neither a variable nor a class"),
        ("{toy.age}", "{toy.age}: kite (toy) has no age"),
        ("<meet>", "<meet> is called, but there is no rule meet"),
        ("<say>", "<say>: rule say takes ['X']"),
        ("{=1 +}", "{=1 +} is no expression: invalid syntax"),
        (["Hello "], "put the space before the item after it: 'Hello '"),
        ("", "rule start has no options"),
        ("[0:a|0:b]", "all options weigh 0: one of them must weigh more"),
        ("<start>", "<start>: rule start calls itself and would not end"),
        ("a <twice a>", "<twice X>: rule twice calls itself and would not end"),
    ],
)
def test_malformed_rules(start, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        world(start, say_X="{X}", twice_X="{toy} <twice X>\nend")


@pytest.mark.parametrize(("kind", "missing"), [("dog", "dog"), ("toy ~ B", "B")])
def test_malformed_variables(kind, missing):
    line = f"^variable A = '{kind}': '{missing}' is not there$"
    with pytest.raises(ValueError, match=line):
        world("{A}", variables={"A": kind})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"words": " , "}, "class c has a group of 0 words, zipf 0 and weight 1.0"),
        ({"words": "a, b", "zipf": -1}, "class c has a group of 2 words, zipf -1 and"),
        ({"words": "a", "weight": 0}, "class c has a group of 1 words, zipf 0 and w"),
        ({**TOYS["toy"], "words": "kite"}, "['kite'] has 1 cells, expected ['word',"),
    ],
)
def test_malformed_classes(spec, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        read_class("c", spec)


def test_what_is_used_too_early_or_too_often():
    early = world("{=x + 1}", classes=DIGITS, variables={"x": "digit"})
    with pytest.raises(ValueError, match=r"^{=x \+ 1} with {}: name 'x' is not def"):
        early.sample(0)
    greedy = world("{A} {B} {C}", variables=dict.fromkeys("ABC", "toy"))
    with pytest.raises(ValueError, match="^too few words of the class with kite, owl"):
        greedy.sample(0)
    nothing = world("{x} {=x // 0}", classes=DIGITS, variables={"x": "digit"})
    with pytest.raises(ValueError, match=r"^{=x // 0} with {'x': 1}: integer division"):
        nothing.log_prob("1 1")
    with pytest.raises(ValueError, match="^<start> is called, but there is no rule"):
        World({})
