"""Worlds: little languages whose exact probabilities are known.

``data/worlds/README.md`` describes how a world is written. Read ``world`` first;
behind it ``templates`` (that text taken apart), ``grammar`` (compiled), ``items`` (and
all ways in which they write a text); ``mean`` (± of a mean). ``tasks``, ``memory``,
and ``execution`` with its ``cage``, ask questions of particular worlds.
"""

from helpers.tokens import END
from helpers.tokens import pretokenise as words
from helpers.worlds.execution import check_many
from helpers.worlds.mean import Mean, mean, ratio
from helpers.worlds.memory import Exchange, exchanges, memories, swaps
from helpers.worlds.tasks import RECALL, TASKS, list_prompt
from helpers.worlds.world import FRESH, PythonWorld, Slip, World, load_world

__all__ = ["END", "FRESH", "RECALL", "TASKS", "Exchange", "Mean", "PythonWorld", "Slip"]
__all__ += ["World", "check_many", "exchanges", "list_prompt", "load_world", "mean"]
__all__ += ["memories", "ratio", "swaps", "words"]
