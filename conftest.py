"""Makes bare `pytest` what `python -m helpers test` runs; see tests/lanes.py.

With `--nbval` what notebooks show is compared, in the arithmetic of the oldest x86-64;
without it they must run, in the machine's own. This file stands here because pytest,
when it runs notebooks/, does not look into tests/.
"""

import contextlib
import os
import runpy
import signal
import threading
import time
from pathlib import Path

import pytest

from tests import lanes

os.environ.update(lanes.variables())  # before torch is imported, and for kernels
runpy.run_path(str(lanes.ROOT / "tests" / "offline" / "sitecustomize.py"))
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # started in the background
    with contextlib.suppress(ValueError):  # only a main thread may; programs inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """Choose the lane by --nbval; end with whoever started this run."""
    option = config.option
    strict = getattr(option, "nbval", False)
    os.environ.update(lanes.OLDEST if strict else {})
    option.nbval_lax = not strict
    option.nbval_current_env = True
    option.nbval_cell_timeout = 300
    option.nbval_sanitize_with = str(lanes.ROOT / "tests" / "nbval_sanitize.cfg")
    if os.environ.get("COURSE_PARENT") == str(os.getppid()):
        threading.Thread(target=end_with, args=[os.getppid()], daemon=True).start()


def end_with(parent: int) -> None:
    """Interrupt this run, with all that it started, once its parent is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="session")
def root() -> Path:
    """The course's folder."""
    return lanes.ROOT


def pytest_terminal_summary(terminalreporter):
    """Say in the last lines, once each, why tests were left out."""
    left_out = terminalreporter.stats.get("skipped", [])
    reasons = [report.longrepr[-1] for report in left_out]
    for reason in sorted({reason.removeprefix("Skipped: ") for reason in reasons}):
        terminalreporter.write_line(reason, yellow=True)
