"""helpers.logs: what transformers says in its log can be heard."""

import logging

from helpers.logs import overhear


def test_answers_errors_and_warnings_are_returned():
    logger = logging.getLogger("transformers")
    usual = list(logger.handlers)
    answer = overhear(lambda: logger.warning("mind the %s", "gap") or 3)
    assert answer == (3, ["mind the gap"])
    assert overhear(lambda: int("a"))[0].startswith("ValueError: invalid literal")
    assert logger.handlers == usual
