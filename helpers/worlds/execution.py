"""Execution: is a text right as Python? It is parsed, and its doctests are run.

Each text has a process of its own (``cage.py``), an empty folder, no environment, and
the verdict is made out here, where nothing of it runs. A text can only give outputs;
one that merely writes down the outputs it promised is right, as for every doctest.

What is held: time, memory, output, and that a text cannot end or spoil another. On
Linux (x86-64, ARM64) the kernel refuses whatever changes or makes a file, starts a
thread or process, sends a signal or opens a socket, and ends the text with its caller.
Elsewhere only an audit hook refuses that, to careless code, macOS ignores the memory
limit and Windows all limits but time. Not held: what the user can read can be read.
For code by strangers use a virtual machine.
"""

import contextlib
import doctest
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from helpers.inputs import expect
from helpers.tokens import check_text

CAGE = Path(__file__).with_name("cage.py")
SECONDS = 2.0  # wall clock, for one text
START_UP = 60.0  # seconds the interpreter may take to start
LINE = 10**7  # bytes of one answer
WINDOWS = {k: v for k, v in os.environ.items() if k == "SYSTEMROOT"}  # must have it
CRASH = (0, "doctest: it crashed or ended the interpreter")

Error = tuple[int, str]  # character offset and reason


def first_error(text: str, *, seconds: float = SECONDS) -> Error | None:
    """Return None if the text parses and passes its doctests, else where and why.

    Reasons begin with ``syntax:`` or ``doctest:``. A text of which no example is run
    fails, and so does one that runs longer than ``seconds`` (wall clock).
    """
    check_text(text)
    expect("seconds", seconds, lambda s: s > 0, "a number above 0")
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with folder, ThreadPoolExecutor(1) as reader:
        process = _start(text, seconds, folder.name)
        try:
            return _verdict(text, _answers(process.stdout, reader, seconds))
        except TimeoutError:
            return 0, f"doctest: it ran longer than {seconds:g} seconds"
        except (ValueError, TypeError, AttributeError, RecursionError):
            return CRASH  # no more answers, or one that we did not give
        finally:
            _end(process)


def check_many(texts: Sequence[str], *, seconds: float = SECONDS) -> list[Error | None]:
    """Return ``first_error`` of each text, in their order; several run at a time."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(partial(first_error, seconds=seconds), texts))


def _verdict(text: str, answers: Iterator) -> Error | None:
    """Compare what the examples of a text printed with what it promised."""
    docs = next(answers)  # made before anything of the text ran
    if docs and isinstance(docs[0], int):
        return docs[0], _line(docs[1], 120)
    if not any(docs):
        return 0, "doctest: there is none to run"
    _, raised = next(answers)
    if raised:
        return 0, f"doctest: running it raised {_line(raised)}"
    checker = doctest.OutputChecker()
    for source, want, exception, flags in sum(docs, []):
        printed, raised = next(answers)
        got = printed if printed[-1:] in ("", "\n") else f"{printed}\n"
        right = checker.check_output(want, got, flags)
        what = f"gave {_line(got)}, the docstring says {_line(want)}"
        if raised:
            right = exception and checker.check_output(exception, raised, flags)
            what = f"raised {_line(raised)}"
        if not right:
            offset = max(text.find(f">>> {source.splitlines()[0]}"), 0)
            return offset, f"doctest: {_line(source)} {what}"
    return None


def _start(text: str, seconds: float, folder: str) -> subprocess.Popen:
    """Start the other process: its text on standard input, nothing else of ours."""
    with tempfile.TemporaryFile("w+") as request:  # a pipe could fill, and block us
        json.dump((text, seconds), request)
        request.seek(0)
        return subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", str(CAGE)],
            stdin=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**dict.fromkeys(("HOME", "TMPDIR", "TEMP"), folder), **WINDOWS},
            start_new_session=True,
        )


def _answers(stream, reader: ThreadPoolExecutor, seconds: float) -> Iterator:
    """Yield the answers; raise TimeoutError when time is up, ValueError at the end."""
    if reader.submit(stream.readline).result(START_UP).strip() != b'"ready"':
        raise RuntimeError(f"{sys.executable} did not start to run doctests")
    end = time.monotonic() + seconds
    while True:
        line = reader.submit(stream.readline, LINE)
        yield json.loads(line.result(max(end - time.monotonic(), 0)))


def _end(process: subprocess.Popen) -> None:
    """Kill the process with its group, and free what it held."""
    with contextlib.suppress(OSError, AttributeError):  # Windows has no groups
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
    process.stdout.close()


def _line(text: str, most: int = 60) -> str:
    """Put a value on one line."""
    line = " ".join(text[:200].split()) or "nothing"
    return line if len(line) <= most else line[: most - 3] + "..."
