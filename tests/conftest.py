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
