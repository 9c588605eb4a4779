"""The mistakes that people make when they build GPT-2, each ready to be replayed.

A suspect exchanges one or a few operations of ``helpers.checkpoints`` for wrong ones;
whether it is guilty, its numbers tell (``helpers.parity``).
"""

from helpers.parity.suspects import attention, layers, whole
from helpers.parity.suspects.case import Case, open_case
from helpers.parity.suspects.common import Suspect
from helpers.parity.suspects.trial import Verdict, judge
from helpers.parity.suspects.whole import own_weights

__all__ = [
    "Case",
    "Suspect",
    "Verdict",
    "judge",
    "open_case",
    "own_weights",
    "suspects",
]


def suspects(config) -> list[Suspect]:
    """Return all known mistakes, for a model of this GPT2Config."""
    return [
        *whole.mistakes(config),
        *layers.mistakes(config),
        *attention.mistakes(config),
    ]
