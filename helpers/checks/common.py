"""What every check does: run an answer, compare it, and name the likeliest mistake.

An exercise is declared once: its cases, a slow and obvious right function, and a table
of wrong functions, each under the message that explains its mistake.
"""

import contextlib
import contextvars
import copy
import ctypes
import inspect
import linecache
import os
import random
import re
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch

from helpers.checks.values import difference, form, parts, same, short

SECONDS = 4  # for an answer; what ends it has the rest of the fifth
OURS = str(Path(__file__).parents[1])
LIBRARY = (OURS, *map(sysconfig.get_path, ("stdlib", "purelib")), "<frozen")


class Mistake(BaseException):
    """A verdict from inside a call; an answer's ``except Exception`` lets it pass."""


class _Ended(BaseException):
    """Ends an answer that has run for too long."""


class _Outcome(NamedTuple):
    """What a function did with a case: its value or its error, and to its arguments."""

    value: Any
    error: BaseException | None
    args: tuple


def expect(condition: bool, message: str) -> None:
    """Raise ``Mistake(message)`` unless the condition holds."""
    if not condition:
        raise Mistake(message)


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
                return _error_line(answer, tried[-1][1].error)
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
                line = _error_line(answer, one.error)
                return f"{named} ({line})" if named else line
            if problem or named:
                return problem or named
        return _shown(answer, call, *min(bad, key=lambda row: len(repr(row[0]))))

    def verdict(answer: Callable) -> str:
        try:
            return (judge or compare)(answer) or "correct"
        except (Exception, Mistake) as error:
            return _error_line(answer, error)

    def check(answer) -> str:
        message = f"give the function itself, without brackets, not {short(answer)}"
        if callable(answer):
            message = _in_time(verdict, answer)
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
    except (Exception, Mistake, SystemExit) as error:
        return _Outcome(None, error, args)
    return _Outcome(value, None, args)


def _expect_unchanged(right: Callable, tried: list[tuple]):
    names = list(inspect.signature(right).parameters)
    for case, one, _ in tried:
        for name, given, after in zip(names, case, one.args, strict=False):
            expect(
                same(after, given), f"{name} was changed in place: make a copy first"
            )


def _reused(tried: list[tuple]) -> str | None:
    for _, one, _ in tried:
        if {id(part) for part in parts(one.value)} & {
            id(part) for part in parts(one.args)
        }:
            return "what you were given came back itself: make new lists and tensors"
    return None


def _kind_of(error: BaseException | None) -> str:
    return re.sub(r"-?\d+", "n", repr(error))  # numbers vary with how it is written


def _shown(answer: Callable, call, case: tuple, one: _Outcome, true: _Outcome) -> str:
    if one.error is not None:
        return _error_line(answer, one.error)
    called = "" if call else f"{_name(answer)}({', '.join(map(short, case))}): "
    return called + difference(true.value, one.value)


def _name(answer: Callable) -> str:
    return getattr(answer, "__name__", "your function")


def _error_line(answer: Callable, error: BaseException) -> str:
    """Return an error as one line that keeps the learner's own line."""
    if isinstance(error, Mistake):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    line, function = _learners_line(frames)
    if isinstance(error, NotImplementedError) and function in ("", _name(answer)):
        return "not attempted yet"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{line} raised {said[:200].rstrip(': ')}"


def _learners_line(frames: list[traceback.FrameSummary]) -> tuple[str, str]:
    """Return the innermost line that is the learner's, and its function's name."""
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARY)]
    if not own:
        return "calling your function", ""
    source = linecache.getline(own[-1].filename, own[-1].lineno).strip()
    quoted = f', "{source}",' if source else ""
    return f"your line {own[-1].lineno}{quoted}", own[-1].name


def _in_time(verdict: Callable, answer: Callable) -> str:
    """Return a verdict within 5 s: in a thread, as nothing else ends on Windows.

    What sleeps or computes inside a library cannot be ended, only left behind.
    """
    context, grad = contextvars.copy_context(), torch.is_grad_enabled()
    states, said, stack = (random.getstate(), torch.get_rng_state()), [], []

    def work():
        torch.set_grad_enabled(grad)  # each thread has its own
        with contextlib.suppress(_Ended):
            said.append(context.run(verdict, answer))

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        worker.join(SECONDS)
        frame = sys._current_frames().get(worker.ident)
        stack = traceback.extract_stack(frame) if worker.is_alive() and frame else []
    finally:  # also when the learner interrupts
        for _ in range(8):  # an answer that catches everything is told again
            if worker.is_alive():
                thread, end = ctypes.c_ulong(worker.ident), ctypes.py_object(_Ended)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, end)
                worker.join(0.1)
        random.setstate(states[0])
        torch.set_rng_state(states[1])
    late = f"{_learners_line(stack)[0]} had not ended after {SECONDS} seconds: what ends it?"
    return said[0] if said else late
