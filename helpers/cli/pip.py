"""pip, its news and its troubles, each told in one line."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from helpers.options import UsageError

ASTRAY = {"PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"}  # lead pip elsewhere

# pip, which is ended with all that it started when its standard input closes: the
# system closes it however we end, by SIGKILL too.
LEASHED_PIP = """
import os, runpy, threading
def watch():
    os.read(0, 1)
    os.killpg(0, 9)
threading.Thread(target=watch, daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def report(step: str) -> None:
    """Say a step of the installation."""
    print(step, file=sys.stderr, flush=True)


def pip(python: Path, *wanted: str) -> None:
    """Run `pip install` with these arguments; raise UsageError where it fails."""
    posix, lines = os.name == "posix", []
    command = [str(python), "-I", *(["-c", LEASHED_PIP] if posix else ["-m", "pip"])]
    command += ["install", "--disable-pip-version-check", "--no-input", "--retries=2"]
    straight = {key: os.environ[key] for key in os.environ if key not in ASTRAY}
    with subprocess.Popen(
        [*command, *wanted],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        env={**straight, "PIP_USER": "0"},
        start_new_session=posix,  # a group of its own, to be ended as one
    ) as process:
        try:
            for line in process.stdout:
                lines.append(line.strip())
                if news := pip_news(line):
                    report(news)
        except BaseException:  # Ctrl-C among them
            os.killpg(process.pid, signal.SIGKILL) if posix else process.kill()
            raise
    if process.returncode:
        said = last_line(lines) if process.returncode > 0 else "ended by a signal"
        todo = "check the network, the disk and pip's settings, then try again"
        raise UsageError(f"pip failed: {said}; {todo}")


def pip_news(line: str) -> str | None:
    """Return what a line of pip's says about something that takes long."""
    if line.startswith("Installing collected packages:") and "," in line:
        return f"  installing {line.count(',') + 1} packages, a minute or two"
    large = re.match(r"\s*Downloading (?:\S*/)?(\S+ \(.* [MG]B\))", line)
    return f"  downloading {large[1]}" if large else None


def last_line(lines: Sequence[str]) -> str:
    """Return the last line that names an error, else the last one with words."""
    spoken = [line for line in lines if line]
    errors = [line for line in spoken if line.lower().startswith("error")]
    return (errors or spoken or ["nothing"])[-1].removeprefix("ERROR: ")


def is_reachable(url: str, *, seconds: float = 3) -> bool:
    """Tell whether the host answers in time; looking its name up knows no limit."""
    code = "import sys, urllib.request as web; web.urlopen(sys.argv[1])"
    with contextlib.suppress(subprocess.TimeoutExpired):
        command = [sys.executable, "-c", code, url]
        answer = subprocess.run(command, capture_output=True, timeout=seconds)
        return answer.returncode == 0
    return False
