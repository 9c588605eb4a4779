"""What every check does: run an answer, compare it, and name the likeliest mistake.

An exercise is declared once: its cases, a slow and obvious right function, and a table
of wrong functions, each under the message that explains its mistake.
"""

import contextlib
import copy
import inspect
import os
import random
import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch

from helpers.checks import values
from helpers.checks.running import Ended, Mistake, error_line, expect, in_time, name_of
from helpers.checks.values import difference, form, short


class _Outcome(NamedTuple):
    """What a function did with a case: its value or its error, and to its arguments."""

    value: Any
    error: BaseException | None
    args: tuple


def exercise(
    text: str,
    *,
    cases: list[tuple] | Callable[[], list[tuple]],
    right: Callable,
    wrong: dict[str, Callable | dict],
    call: Callable | None = None,
    same: Callable = values.same,
    hint: Callable | None = None,
    judge: Callable | None = None,
    each: bool = False,
) -> Callable[[Callable], str]:
    """Return the check of an exercise: it takes an answer and returns one line.

    ``cases``: tuples of arguments, copied for each call; ``right`` and the functions of
    ``wrong`` take what the answer takes; a dict there holds options with which the
    right one goes wrong. ``call(function, *case)`` runs one of them (a place for spies;
    it may raise ``Mistake``), ``same(value, expected)`` compares. The first function of
    ``wrong`` that does in all cases what the answer does gives the message (``each``:
    in the first case that is wrong; the cases are questions of their own); without one,
    ``hint(case, expected, value or error)`` may, else the smallest case is shown. No
    list that was given may be changed, or come back itself. An answer
    whose values have the right form is told by ``judge(answer)``, in place of the
    table, where there is one: it may take longer than an answer may.

    Under COURSE_STRICT=1 a check raises ``AssertionError`` unless it says *correct*.
    """
    options = {text: how for text, how in wrong.items() if isinstance(how, dict)}
    wrong = wrong | {text: partial(right, **how) for text, how in options.items()}

    def run(function: Callable, case: tuple) -> _Outcome:
        args = copy.deepcopy(case)
        random.seed(0)  # who draws, draws the same each time
        torch.default_generator.manual_seed(0)
        try:
            value = call(function, *args) if call else function(*args)
        except Ended:
            raise
        except BaseException as error:  # an exit or an interrupt, too
            return _Outcome(None, error, args)
        return _Outcome(value, None, args)

    def differs(one: _Outcome, other: _Outcome) -> bool:
        # The numbers in an error vary with how an answer is written.
        errors = {re.sub(r"-?\d+", "n", repr(row.error)) for row in (one, other)}
        if len(errors) == 2 or one.error is not None:
            return len(errors) == 2
        return bool(form(one.value, other.value)) or not same(one.value, other.value)

    def shown(answer: Callable, case: tuple, one: _Outcome, true: _Outcome) -> str:
        if one.error is not None:
            return error_line(answer, one.error)
        called = "" if call else f"{name_of(answer)}({', '.join(map(short, case))}): "
        return called + difference(true.value, one.value)

    def verdict(answer: Callable, formed: list) -> str:
        tried = []
        for case in cases() if callable(cases) else cases:
            tried.append((case, run(answer, case), run(right, case)))
            if isinstance(tried[-1][1].error, NotImplementedError):
                return error_line(answer, tried[-1][1].error)
        names = () if call else inspect.signature(right).parameters
        for case, one, _ in tried:
            for name, given, after in zip(names, case, one.args, strict=False):
                changed = f"{name} was changed in place: make a copy first"
                expect(values.same(after, given), changed)
        bad = [row for row in tried if differs(*row[1:])]
        if not bad:
            if any(_lists(one.value) & _lists(one.args) for _, one, _ in tried):
                return "what you were given came back itself: make new lists"
            return "correct"
        if not any(one.error or form(one.value, true.value) for _, one, true in bad):
            formed.append(answer)
        for message, function in wrong.items():
            rows = bad[:1] if each else tried
            if not any(differs(one, run(function, case)) for case, one, _ in rows):
                line = shown(answer, *bad[0])
                return message if "tensor" in line or call else f"{message} ({line})"
        for case, one, true in bad:
            said = one.value if one.error is None else one.error
            named = form(one.value, true.value) if one.error is None else None
            if hint and not named and not isinstance(said, Mistake):
                with contextlib.suppress(Exception):  # it need not know all errors
                    named = hint(case, true.value, said)
            if one.error is not None:
                line = error_line(answer, one.error)
                return f"{named} ({line})" if named else line
            if named:
                return named
        return shown(answer, *min(bad, key=lambda row: len(repr(row[0]))))

    def check(answer) -> str:
        message = f"give the function itself, without brackets, not {short(answer)}"
        if callable(answer):
            answer, formed = inspect.unwrap(answer), []
            message = in_time(partial(verdict, formed=formed), answer)
            message = judge(answer) or message if judge and formed else message
        if os.environ.get("COURSE_STRICT") == "1" and message != "correct":
            raise AssertionError(f"{check.__name__}: {message}")
        return message

    check.__doc__, check.right, check.wrong = text, right, wrong
    return check


def _lists(value) -> set[int]:
    """Return the ids of the lists in a value, itself included."""
    if not isinstance(value, (list, tuple)):
        return set()
    own = {id(value)} if isinstance(value, list) else set()
    return own.union(*map(_lists, value))
