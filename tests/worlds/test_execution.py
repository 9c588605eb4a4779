"""Execution: right functions pass; what a wrong one does hurts nobody else."""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.worlds.cage import MACHINES
from helpers.worlds.execution import CAGE, check_many, first_error
from helpers.worlds.world import load_world


def function(body: str, want: str = "1", call: str = "f(1)") -> str:
    return (
        f'def f(n):\n    """Do it.\n\n    >>> {call}\n    {want}\n    """\n    {body}'
    )


def documented(doc: str) -> str:
    return f'def g(n):\n    """{doc}"""\n    raise ValueError'


RIGHT, SKIPPED = function("return n"), documented(">>> g(1)  # doctest: +SKIP")
AT = RIGHT.index(">>>")
TRACEBACK = "Traceback (most recent call last):"
MODULES = "collections, dataclasses, datetime, decimal, enum, fractions, functools, "
MODULES += "itertools, json, math, random, re, statistics, string, time, typing"


@pytest.mark.parametrize(
    "text",
    [
        RIGHT,
        function("print(n, end='')"),
        function(f"import {MODULES}; time.sleep(0); random.random(); return n"),
        function("raise KeyError(n)", f"{TRACEBACK}\n    KeyError: 1"),
        function("return [1] * 50", "[1, ...]", "f(1)  # doctest: +ELLIPSIS"),
        f"{SKIPPED}\n\n{RIGHT}",
    ],
)
def test_right(text):
    assert first_error(text, seconds=10) is None


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        (function("return 6", "5"), AT, "f(1) gave 6, the docstring says 5"),
        (function("return"), AT, "f(1) gave nothing, the docstring says 1"),
        (function("return x"), AT, "f(1) raised NameError: name 'x' is not"),
        (function("import sys; sys.exit()"), AT, "f(1) raised SystemExit"),
        (function("return f(n)"), AT, "f(1) raised RecursionError: maximum"),
        (function("return [0] * 10**11"), AT, "f(1) raised MemoryError"),
        (function("print('x' * 10**8)"), AT, "f(1) gave xxx"),
        (f"{RIGHT}\n\nimport nothing", 0, "running it raised ModuleNotFoundError"),
        (function("while True: pass"), 0, "it ran longer than 0.5 seconds"),
        (function("import os; os._exit(0)"), 0, "it crashed or ended the interpreter"),
        ("def f(:\n    pass", 6, "syntax: invalid syntax"),
        ("def f():\n    return (1,", 20, "syntax: '(' was never closed"),
        ("x = '\0'", 0, "syntax: "),
        ("-" * 100_000 + "1", 0, "syntax: "),
        (documented("\n    >>>g(1)\n    "), 0, "line 1 of the docstring"),
        ("", 0, "there is none to run"),
        ("def f():\n    return 1", 0, "there is none to run"),
        (documented(">>> # nothing"), 0, "there is none to run"),
        (SKIPPED, 0, "there is none to run"),
    ],
)
def test_wrong(text, position, reason):
    offset, told = first_error(text, seconds=0.5 if "0.5" in reason else 10)
    assert offset == position and len(told) < 200 and "\n" not in told
    assert told.startswith((reason, f"doctest: {reason}"))


WRITES = """
    for fd in range(3, 20):
        try: os.write(fd, b'LINE\\n' * 9)
        except OSError: pass
    return 2"""


@pytest.mark.parametrize(
    "body",
    [
        "doctest.OutputChecker.check_output = lambda *given: True; return 2",
        "json.dumps = lambda value: 'null'; return 2",
        *(WRITES.replace("LINE", line) for line in ("null", "[]", "[[], 0]")),
        "os._exit(17)",
    ],
)
def test_no_verdict_is_forged_or_shifted(body):
    hostile, wrong = function(f"import doctest, json, os; {body}"), function("return 3")
    forged, *others = check_many([hostile, wrong, RIGHT], seconds=10)
    assert forged
    assert others == [(AT, "doctest: f(1) gave 3, the docstring says 1"), None]


def test_many_texts_keep_their_order_and_do_not_lose_each_other():
    slow = function("while True: pass")
    spoil = function("import builtins; builtins.len = None; return n")
    honest = function("return len([n])")
    errors = check_many([RIGHT, spoil, honest, slow, "("], seconds=4)
    kinds = [error and error[1].partition(":")[0] for error in errors]
    assert kinds == [None, None, None, "doctest", "syntax"]


# What a text may try: {file} is the user's, {new} is not there, {pid} is a process.
HARM = """\
os.open('{file}', os.O_RDONLY | os.O_TRUNC)
open('{file}', opener=lambda path, flags: os.open(path, os.O_TRUNC))
assert ctypes.CDLL(None).truncate(b'{file}', 0) == 0
readline.write_history_file('{file}')
os.remove('{file}')
os.chmod('{file}', 0)
os.chown('{file}', os.getuid(), os.getgid())
os.utime('{file}', (0, 0))
os.setxattr('{file}', 'user.a', b'1')
os.open('{new}', os.O_CREAT)
os.mkfifo('{new}')
os.mknod('{new}')
os.mkdir('{new}')
os.symlink('{file}', '{new}')
sqlite3.connect('{new}').execute('create table t (x)')
subprocess.run(['touch', '{new}'])
os.posix_spawn('/bin/touch', ['touch', '{new}'], dict())
os.execv('/bin/true', ['true'])
os.fork()
threading.Thread(target=print).start()
_thread.start_new_thread(print, ())
multiprocessing.pool.ThreadPool(1)
os.kill({pid}, 9)
signal.pidfd_send_signal(os.pidfd_open({pid}), 9)
signal.setitimer(signal.ITIMER_REAL, 0)
socket.socket()
"""
NEEDED = "import _thread, ctypes, multiprocessing.pool, os, readline, signal, socket, "
NEEDED += "sqlite3, subprocess, sys, threading"
REFUSED = "PermissionError|itimer_error|can't start new|unable to open|AssertionError"
ALONE = """
sys.path.insert(0, '{folder}')
import cage
cage.confine()
for harm in {harm}:
    try: exec(harm)
    except Exception as error: print(type(error).__name__, error)
    else: print("done:", harm)
"""
held_by_linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in MACHINES,
    reason="the system calls of generated code are filtered on Linux only",
)


@pytest.fixture
def victims(tmp_path):
    """What texts may try, and a test of whether all is as before."""
    file, new = tmp_path / "file", tmp_path / "new"
    file.write_text("precious")
    before = file.stat()
    with subprocess.Popen(["sleep", "600"]) as process:

        def unharmed() -> bool:
            same = file.stat() == before and not os.listxattr(file)
            return same and not os.path.lexists(new) and process.poll() is None

        yield HARM.format(file=file, new=new, pid=process.pid).splitlines(), unharmed
        process.kill()


@held_by_linux
def test_no_text_does_harm(victims):
    harm, unharmed = victims
    texts = [function(f"{NEEDED}\n    {line}\n    return 1") for line in harm]
    for line, error in zip(harm, check_many(texts, seconds=30), strict=True):
        assert error and re.search(REFUSED, error[1]), (line, error)
    assert unharmed()


@held_by_linux
def test_the_kernel_refuses_without_the_audit_hook(victims):
    harm, unharmed = victims
    program = NEEDED + ALONE.format(folder=CAGE.parent, harm=harm)
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for line, refusal in zip(harm, told.splitlines(), strict=True):
        assert re.search(REFUSED, refusal), (line, refusal)
    assert unharmed()


@held_by_linux
def test_a_text_ends_with_its_caller():
    text = function("import time; time.sleep(600)")
    call = f"from helpers.worlds.execution import *; first_error({text!r}, seconds=600)"
    with subprocess.Popen([sys.executable, "-c", call]) as caller:
        of_caller = Path(f"/proc/{caller.pid}/task/{caller.pid}/children")
        while not (children := of_caller.read_text().split()):
            time.sleep(0.01)
        child = Path("/proc", children[0])
        while "Seccomp:\t2" not in (child / "status").read_text():
            time.sleep(0.01)
        caller.kill()
    deadline = time.monotonic() + 10
    while child.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not child.exists()


def test_bad_input():
    with pytest.raises(ValueError, match="^expected a text, got bytes$"):
        first_error(b"x = 1")
    with pytest.raises(ValueError, match="^seconds is 0, expected a number above 0$"):
        first_error(RIGHT, seconds=0)


def test_the_world_of_code():
    world = load_world("code")
    texts = [world.sample(seed) for seed in range(100)]
    assert not any(check_many(texts, seconds=10))
    assert world.first_error(RIGHT) is None
    assert world.first_error(function("return 2")).kind == "doctest"
    assert world.first_error("def f(").kind == "syntax"
