"""The learner's function at work: ended after 5 seconds, its errors in one line."""

import contextlib
import contextvars
import ctypes
import linecache
import random
import sys
import sysconfig
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

SECONDS = 4  # for an answer; what ends it has the rest of the fifth
OURS = str(Path(__file__).parents[1])
LIBRARY = (OURS, *map(sysconfig.get_path, ("stdlib", "purelib")), "<frozen")


class Mistake(BaseException):
    """A verdict from inside a call; an answer's ``except Exception`` lets it pass."""


class Ended(BaseException):
    """Ends an answer that has run for too long."""


class Parked(Ended):
    """Stops one that catches everything: whoever catches this waits for ever."""

    def __init__(self):
        threading.Event().wait()


def expect(condition: bool, message: str) -> None:
    """Raise ``Mistake(message)`` unless the condition holds."""
    if not condition:
        raise Mistake(message)


def in_time(verdict: Callable, answer: Callable) -> str:
    """Return a verdict within 5 s; what then still runs in a library is left behind."""
    context, grad = contextvars.copy_context(), torch.is_grad_enabled()
    states, said, stack = (random.getstate(), torch.get_rng_state()), [], []

    def work():
        torch.set_grad_enabled(grad)  # each thread has its own
        with contextlib.suppress(Ended):
            try:
                said.append(context.run(verdict, answer))
            except (Exception, Mistake) as error:
                said.append(error_line(answer, error))

    worker = threading.Thread(target=work, daemon=True)  # all that ends on Windows
    worker.start()
    try:
        worker.join(SECONDS)
        frame = sys._current_frames().get(worker.ident)
        stack = traceback.extract_stack(frame) if worker.is_alive() and frame else []
    finally:  # also when the learner interrupts
        for how in [Ended] * 4 + [Parked] * 4:  # running on, it would slow all else
            if worker.is_alive():
                thread, end = ctypes.c_ulong(worker.ident), ctypes.py_object(how)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, end)
                worker.join(0.1)
        random.setstate(states[0])
        torch.set_rng_state(states[1])
    late = f"{_learners_line(stack)[0]} had not ended after {SECONDS} seconds"
    return said[0] if said else f"{late}: does its loop come to an end?"


def name_of(answer: Callable) -> str:
    """Return the name of the learner's function."""
    return getattr(answer, "__name__", "your function")


def error_line(answer: Callable, error: BaseException) -> str:
    """Return an error as one line that keeps the learner's own line."""
    if isinstance(error, Mistake):
        return str(error)
    line, function = _learners_line(traceback.extract_tb(error.__traceback__))
    if isinstance(error, NotImplementedError) and function in ("", name_of(answer)):
        return "not attempted yet"
    said = " ".join(f"{type(error).__name__}: {error}".split())
    return f"{line} raised {said[:200].rstrip(': ')}"


def _learners_line(frames: list[traceback.FrameSummary]) -> tuple[str, str]:
    """Return the innermost line that is the learner's, and its function's name."""
    own = [frame for frame in frames if not frame.filename.startswith(LIBRARY)]
    if not own:
        return "your function", ""
    source = linecache.getline(own[-1].filename, own[-1].lineno).strip()
    quoted = f', "{source}",' if source else ""
    return f"your line {own[-1].lineno}{quoted}", own[-1].name
