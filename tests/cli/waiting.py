"""Waiting for other processes, on a machine that may be busy with other things."""

import subprocess
import time

PATIENCE = 300  # seconds


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
