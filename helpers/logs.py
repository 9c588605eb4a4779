"""Logs: hear what transformers says only in its log."""

import logging
from collections.abc import Callable
from typing import Any


def overhear(call: Callable[[], Any]) -> tuple[Any, list[str]]:
    """Return what a call returns and what transformers logs meanwhile.

    A ValueError is returned too, as the text "ValueError: …". Nothing is shown.
    """
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
