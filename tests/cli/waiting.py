"""Other processes: run, and waited for on a machine that may be busy."""

import os
import subprocess
import sys
import time

from tests.lanes import ROOT

PATIENCE = 300  # seconds
COURSE = [sys.executable, str(ROOT / "helpers")]


def run(*command, **variables) -> subprocess.CompletedProcess:
    """Run a command, with this Python as it is; return what it says, as bytes."""
    env = {**os.environ, "COURSE_NO_VENV": "1", **variables}
    return subprocess.run(command, capture_output=True, env=env, timeout=PATIENCE)


def until(what) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def is_running(number: int) -> bool:
    """Tell whether a process is there, and not just its end waiting to be heard of."""
    answer = subprocess.run(["ps", "-o", "stat=", str(number)], capture_output=True)
    return answer.stdout.strip()[:1] not in (b"", b"Z")
