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
from typing import Any, NamedTuple

import torch

from helpers.checks.running import Ended, Mistake, error_line, expect, in_time, name_of
from helpers.checks.values import difference, form, parts, same, short


class _Outcome(NamedTuple):
    """What a function did with a case: its value or its error, and to its arguments."""

    value: Any
    error: BaseException | None
    args: tuple


def exercise(
    name: str,
    text: str,
    *,
    right: Callable,
    wrong: dict[str, Callable],
    cases: list[tuple] | Callable[[torch.Generator], list[tuple]] = (),
    call: Callable | None = None,
    same: Callable = same,
    form: Callable = form,
    hint: Callable | None = None,
    each: bool = False,
    fresh: bool = False,
    judge: Callable | None = None,
) -> Callable[[Callable], str]:
    """Return the check of an exercise: it takes an answer and returns one line.

    ``cases``: tuples of arguments, copied for each call; ``right`` and the functions of
    ``wrong`` take what the answer takes. ``call(function, *case)`` runs one of them (a
    place for spies; it may raise ``Mistake``), ``same(value, expected)`` compares, and
    ``form(value, expected)`` names a wrong type or shape. The first function of
    ``wrong`` that does in all cases what the answer does gives the message (``each``:
    in the first case that is wrong; the cases are questions of their own); without
    one, ``hint(case, expected, value or error)`` may, else the smallest case is shown.
    ``fresh``: no list, dict, set or tensor that was given may come back.
    ``judge(answer)``, a message or None, takes the place of all that.

    Under COURSE_STRICT=1 a check raises ``AssertionError`` unless it says *correct*.
    """

    def differs(one: _Outcome, other: _Outcome) -> bool:
        if one.error is not None or other.error is not None:
            return _kind_of(one.error) != _kind_of(other.error)
        return bool(form(one.value, other.value)) or not same(one.value, other.value)

    def compare(answer: Callable) -> str | None:
        rows = cases(torch.Generator().manual_seed(0)) if callable(cases) else cases
        tried = []
        for case in rows:
            tried.append((case, _run(call, answer, case), _run(call, right, case)))
            if isinstance(tried[-1][1].error, NotImplementedError):
                return error_line(answer, tried[-1][1].error)
        if call is None:
            _expect_unchanged(right, tried)
        bad = [row for row in tried if differs(*row[1:])]
        if not bad:
            return _reused(tried) if fresh else None
        for message, function in wrong.items():
            rows = bad[:1] if each else tried
            if not any(differs(one, _run(call, function, c)) for c, one, _ in rows):
                shown = _shown(answer, call, *bad[0])
                return message if "tensor" in shown or call else f"{message} ({shown})"
        for case, one, true in bad:
            problem = one.error is None and form(one.value, true.value)
            named, said = None, one.value if one.error is None else one.error
            if hint and not problem and not isinstance(said, Mistake):
                with contextlib.suppress(Exception):  # it need not know all errors
                    named = hint(case, true.value, said)
            if one.error is not None:
                line = error_line(answer, one.error)
                return f"{named} ({line})" if named else line
            if problem or named:
                return problem or named
        return _shown(answer, call, *min(bad, key=lambda row: len(repr(row[0]))))

    def verdict(answer: Callable) -> str:
        try:
            return (judge or compare)(answer) or "correct"
        except (Exception, Mistake) as error:
            return error_line(answer, error)

    def check(answer) -> str:
        message = f"give the function itself, without brackets, not {short(answer)}"
        if callable(answer):
            message = in_time(verdict, answer)
        if os.environ.get("COURSE_STRICT") == "1" and message != "correct":
            raise AssertionError(f"{name}: {message}")
        return message

    check.__name__, check.__doc__ = name, text
    check.right, check.wrong = right, wrong
    return check


def _run(call: Callable | None, function: Callable, case: tuple) -> _Outcome:
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


def _expect_unchanged(right: Callable, tried: list[tuple]):
    names = list(inspect.signature(right).parameters)
    for case, one, _ in tried:
        for name, given, after in zip(names, case, one.args, strict=False):
            changed = f"{name} was changed in place: make a copy first"
            expect(same(after, given), changed)


def _reused(tried: list[tuple]) -> str | None:
    for _, one, _ in tried:
        if set(map(id, parts(one.value))) & set(map(id, parts(one.args))):
            return "what you were given came back itself: make new lists and tensors"
    return None


def _kind_of(error: BaseException | None) -> str:
    return re.sub(r"-?\d+", "n", repr(error))  # numbers vary with how it is written


def _shown(answer: Callable, call, case: tuple, one: _Outcome, true: _Outcome) -> str:
    if one.error is not None:
        return error_line(answer, one.error)
    called = "" if call else f"{name_of(answer)}({', '.join(map(short, case))}): "
    return called + difference(true.value, one.value)
