"""Execution: is a text right as Python? It is parsed, and its doctests are run.

The text is run in another process (this file, started as a script), which forks once
for each text where the system can. What the bounds protect from: endless loops, too
much memory, deep recursion, a text that ends or crashes its interpreter, a flood of
output, and, by an audit hook, careless use of files, sockets and processes. What they
do *not* protect from: a program written to escape. Python in Python cannot be caged
(an audit hook can be got round, files can be read, macOS ignores the memory limit, and
Windows has neither limits nor fork). That is enough for the output of a small model
trained on harmless functions; for code by strangers use a container or a virtual
machine.
"""

import ast
import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading

SECONDS = 2.0  # wall clock, for one text
START_UP = 60.0  # seconds the interpreter may take to start
MEMORY = 512 * 2**20  # bytes of address space
CRASH = (0, "doctest: it crashed or ended the interpreter")
JUDGED = 17  # exit status of a child that has written its verdict
FORBIDDEN = (
    *("os.fork", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.kill"),
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.chmod", "os.link"),
    *("os.symlink", "os.truncate", "os.startfile", "shutil.", "subprocess."),
    *("socket.", "ctypes.", "winreg.", "_thread.start_new_thread"),
)

Error = tuple[int, str]  # character offset and reason


def first_error(text: str, *, seconds: float = SECONDS) -> Error | None:
    """Return None if the text parses and passes its doctests, else where and why.

    Reasons begin with ``syntax:`` or ``doctest:``; a text without a doctest fails.
    One call costs a new process (some 0.1 s); for many texts use ``check_many``.
    """
    return check_many([text], seconds=seconds)[0]


def check_many(texts: list[str], *, seconds: float = SECONDS) -> list[Error | None]:
    """Return ``first_error`` of each text, from as few processes as possible.

    A text that runs longer than ``seconds`` (wall clock) is killed with its process,
    and a new process goes on with the next one.
    """
    found: list[Error | None] = []
    while len(found) < len(texts):
        found += _run_worker(texts[len(found) :], seconds)
    return found


def _run_worker(texts: list[str], seconds: float) -> list[Error | None]:
    """Let one process judge texts until it is done or one runs too long."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as given:
        json.dump({"texts": texts, "seconds": seconds}, given)
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", __file__],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={k: os.environ[k] for k in ("SYSTEMROOT",) if k in os.environ},
            start_new_session=True,
        )
        try:
            return _listen(process, len(texts), seconds)
        finally:
            _end(process)


def _listen(process, n: int, seconds: float) -> list[Error | None]:
    """Collect verdicts, one a line; a missing one is a crash or a text too slow."""
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    try:
        ready = lines.get(timeout=START_UP)
    except queue.Empty:
        ready = b""
    if ready.strip() != b"ready":
        raise RuntimeError(f"{sys.executable} did not start to run the doctests")
    found: list[Error | None] = []
    while len(found) < n:
        try:
            verdict = json.loads(lines.get(timeout=seconds))
            found.append(tuple(verdict) if verdict else None)
        except queue.Empty:
            return [*found, (0, f"doctest: it ran longer than {seconds:g} seconds")]
        except ValueError:  # the end of the output, or a line that is no verdict
            return [*found, CRASH]
    return found


def _pump(stream, lines: queue.Queue) -> None:
    """Put each line of the stream (10,000 bytes at most) into the queue."""
    with stream:
        while line := stream.readline(10_000):
            lines.put(line)
    lines.put(b"")


def _end(process) -> None:
    """Kill the process and what it started, and free what it held."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


# --- what follows runs in the other process ---


def _serve() -> None:
    """Judge the texts given on standard input, one line of output for each."""
    import doctest  # noqa: F401  (loaded once, before the forks)

    given = json.load(sys.stdin)
    out = os.dup(1)
    for descriptor in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
    os.write(out, b"ready\n")
    for text in given["texts"]:
        _judge_alone(text, out, given["seconds"])


def _judge_alone(text: str, out: int, seconds: float) -> None:
    """Judge in a child of our own, where there is fork; write the verdict."""
    child = os.fork() if hasattr(os, "fork") else 0
    if child:
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
            _write(out, (0, f"doctest: it ran longer than {seconds:g} seconds"))
        elif not os.WIFEXITED(status) or os.WEXITSTATUS(status) != JUDGED:
            _write(out, CRASH)
        return
    _set_limits(seconds)
    try:
        verdict = _judge(text)
    except BaseException as error:  # even KeyboardInterrupt: a verdict is due
        verdict = 0, f"doctest: it raised {type(error).__name__}"
    _write(out, verdict)
    if hasattr(os, "fork"):
        os._exit(JUDGED)


def _write(out: int, verdict: Error | None) -> None:
    os.write(out, json.dumps(verdict).encode() + b"\n")


def _set_limits(seconds: float) -> None:
    """Bound memory, processor time and file size (POSIX); forbid careless calls."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        cpu = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple) -> None:
    """Audit hook: no processes, sockets, threads or changes to files."""
    writes = event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR)
    if writes or event.startswith(FORBIDDEN):
        raise PermissionError(f"{event} is not allowed here")


def _judge(text: str) -> Error | None:
    """Parse, run, and run the doctests of every docstring until one fails."""
    import doctest

    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return _offset(text, error.lineno, error.offset), f"syntax: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return 0, f"syntax: {_named(error)}"
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    docs = [doc for doc in map(ast.get_docstring, nodes) if doc and ">>>" in doc]
    if not docs:
        return 0, "doctest: there is none"
    names = {"__name__": "text"}
    try:
        exec(compile(tree, "<text>", "exec"), names)
        for doc in docs:
            test = doctest.DocTestParser().get_doctest(doc, names, "text", None, 0)
            doctest.DebugRunner().run(test, clear_globs=False)
    except doctest.DocTestFailure as failure:
        got, want = _short(failure.got), _short(failure.example.want)
        return _place(text, failure.example, f"gave {got}, the docstring says {want}")
    except doctest.UnexpectedException as failure:
        return _place(text, failure.example, f"raised {_named(failure.exc_info[1])}")
    except BaseException as error:
        return 0, f"doctest: running it raised {_named(error)}"
    return None


def _place(text: str, example, what: str) -> Error:
    """Say what became of an example, and where in the text it stands."""
    call = example.source.strip()
    start = text.find(f">>> {call.splitlines()[0]}")
    return max(start, 0), f"doctest: {_short(call)} {what}"


def _named(error: BaseException) -> str:
    kind, message = type(error).__name__, str(error)
    return f"{kind}: {_short(message)}" if message else kind


def _short(text: str) -> str:
    """Put a value on one line of at most 60 characters."""
    line = " ".join(text[:200].split()) or "nothing"
    return line if len(line) <= 60 else line[:57] + "..."


def _offset(text: str, line: int | None, column: int | None) -> int:
    """Turn a line and a column, both counted from 1, into a character offset."""
    before = text.splitlines(keepends=True)[: (line or 1) - 1]
    return min(sum(map(len, before)) + max((column or 1) - 1, 0), len(text))


if __name__ == "__main__":
    _serve()
