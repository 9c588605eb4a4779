"""Execution: right functions pass, and nothing a wrong one does can hang us."""

import time

import pytest

from helpers.worlds.execution import check_many, first_error
from helpers.worlds.world import load_world


def function(body: str, want: str = "1") -> str:
    return f'def f(n):\n    """Do it.\n\n    >>> f(1)\n    {want}\n    """\n    {body}'


RIGHT = function("return n")
AT = RIGHT.index(">>>")
SLOW = "doctest: it ran longer than 0.5 seconds"
GONE = "doctest: it crashed or ended the interpreter"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (RIGHT, None),
        (function("print(n)"), None),
        (function("return 6", "5"), (AT, "doctest: f(1) gave 6, the docstring says 5")),
        (function("return"), (AT, "doctest: f(1) gave nothing, the docstring says 1")),
        (function("return x"), (AT, "doctest: f(1) raised NameError: name 'x' is not")),
        (function("import sys; sys.exit()"), (AT, "doctest: f(1) raised SystemExit")),
        (function("return f(n)"), (AT, "doctest: f(1) raised RecursionError: maximum")),
        (function("return [0] * 10**11"), (AT, "doctest: f(1) raised MemoryError")),
        (
            function("import os; os.fork()"),
            (AT, "doctest: f(1) raised PermissionError: os.fork is not allowed here"),
        ),
        (
            function("open('a', 'w')"),
            (AT, "doctest: f(1) raised PermissionError: open is not allowed here"),
        ),
        (function("while True: pass"), (0, SLOW)),
        (function("import time; time.sleep(60)"), (0, SLOW)),
        (function("import os; os._exit(0)"), (0, GONE)),
        (
            f"{RIGHT}\n\nimport nothing_of_the_kind",
            (0, "doctest: running it raised ModuleNotFoundError: No module"),
        ),
        ("def f(:\n    pass", (6, "syntax: invalid syntax")),
        ("def f():\n    return (1,", (20, "syntax: '(' was never closed")),
        ("x = '\0'", (0, "syntax: ")),
        ("-" * 100_000 + "1", (0, "syntax: ")),
        ("def f():\n    return 1", (0, "doctest: there is none")),
        ("", (0, "doctest: there is none")),
    ],
)
def test_first_error(text, error):
    found = first_error(text, seconds=0.5)
    if error is None:
        assert found is None
    else:
        assert (found[0], found[1][: len(error[1])]) == error


def test_a_flood_of_output_is_cut():
    flood = function("print('x' * 100_000_000)")
    position, reason = first_error(flood, seconds=5)
    assert position == AT and len(reason) < 200
    assert reason.startswith("doctest: f(1) gave xxx")


def test_many_texts_keep_their_order_and_do_not_lose_each_other():
    crash, slow = function("import os; os._exit(0)"), function("while True: pass")
    spoil = function("import builtins; builtins.len = None; return n")
    honest = function("return len([n])")
    texts = [RIGHT, crash, spoil, honest, slow, RIGHT, "(", slow]
    found = check_many(texts, seconds=0.5)
    kinds = [None if e is None else e[1].split(":")[0] for e in found]
    assert kinds == [None, "doctest", None, None, "doctest", None, "syntax", "doctest"]
    assert found[1] == (0, GONE) and found[4] == found[7] == (0, SLOW)


def test_no_text_no_verdict():
    assert check_many([]) == []


def test_the_time_of_a_hanging_text_is_bounded():
    start = time.perf_counter()
    first_error(function("while True: pass"), seconds=0.2)
    assert time.perf_counter() - start < 10


def test_every_function_of_the_world_is_right():
    world = load_world("code")
    texts = [world.sample(seed) for seed in range(500)]
    wrong = [t for t, error in zip(texts, check_many(texts), strict=True) if error]
    assert wrong == []


def test_the_world_of_code_runs_its_texts():
    world = load_world("code")
    assert world.first_error(RIGHT) is None
    assert world.first_error(function("return 2")).kind == "doctest"
    assert world.first_error("def f(").kind == "syntax"
