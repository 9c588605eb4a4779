"""Logs: hear what transformers says only in its log."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging as theirs
from transformers.utils.logging import warning_once


def overhear(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what a call returns and what transformers logs meanwhile.

    What it says once per process only, it says again. A ValueError is returned too, as
    the text "ValueError: …". Nothing is shown.
    """
    warning_once.cache_clear()
    logger, log = logging.getLogger("transformers"), []
    ear = logging.Handler()
    ear.emit = lambda record: log.append(record.getMessage())
    usual, level = logger.handlers, logger.level
    logger.handlers = [ear]
    logger.setLevel(logging.WARNING)
    try:
        return call(), log
    except ValueError as error:
        return f"ValueError: {error}", log
    finally:
        logger.handlers = usual
        logger.setLevel(level)


@contextmanager
def quiet() -> Iterator[None]:
    """Let transformers log errors only, and draw no bars, for a while."""
    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity_error()
    theirs.disable_progress_bar()
    try:
        yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
