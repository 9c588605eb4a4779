"""What every test of the project shares."""

import contextlib
import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background
    with contextlib.suppress(ValueError):  # only a main thread may; programs inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def root() -> Path:
    """The course's folder."""
    return Path(__file__).resolve().parent.parent


def pytest_terminal_summary(terminalreporter):
    """Say in the last lines, once each, why tests were left out."""
    left_out = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[-1] for report in left_out]
    for reason in sorted({reason.removeprefix("Skipped: ") for reason in reasons}):
        terminalreporter.write_line(reason, yellow=True)
