"""Worlds: little languages whose exact probabilities are known.

``data/worlds/README.md`` describes how a world is written. Read ``world`` first;
behind it ``templates`` (that text taken apart), ``grammar`` and ``lexicon`` (compiled),
``items``, ``derivations`` (all ways in which a text may have been written); ``tasks``,
``memory`` and ``execution`` ask questions of particular worlds.
"""

from helpers.tokens import pretokenise as words
from helpers.worlds import tasks
from helpers.worlds.derivations import END
from helpers.worlds.execution import check_many
from helpers.worlds.mean import Mean, mean, ratio
from helpers.worlds.memory import Exchange, exchanges, memories
from helpers.worlds.tasks import RECALL, TASKS, list_prompt
from helpers.worlds.world import (
    FRESH,
    WORLDS,
    Floor,
    PythonWorld,
    Slip,
    World,
    load_spec,
    load_world,
)

__all__ = [
    "END",
    "Exchange",
    "FRESH",
    "Floor",
    "Mean",
    "PythonWorld",
    "RECALL",
    "Slip",
    "TASKS",
    "WORLDS",
    "World",
    "check_many",
    "exchanges",
    "list_prompt",
    "load_spec",
    "load_world",
    "mean",
    "memories",
    "ratio",
    "tasks",
    "words",
]
