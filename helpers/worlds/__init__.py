"""Worlds: little languages whose exact probabilities are known.

``data/worlds/README.md`` describes how a world is written. Read ``world`` first;
behind it ``templates`` (that text taken apart), ``grammar`` (compiled), ``items`` (and
all ways in which they write a text); ``mean`` (± of a mean). ``tasks``, ``memory``,
``show`` (a text, its slip marked) and ``execution`` with its ``cage`` serve one world.
"""

from helpers.tokens import END
from helpers.tokens import pretokenise as words
from helpers.worlds.execution import check_many
from helpers.worlds.items import Live, forecast, step
from helpers.worlds.mean import Mean, mean, ratio
from helpers.worlds.memory import Exchange, exchanges, memories, swaps
from helpers.worlds.show import show_story
from helpers.worlds.tasks import RECALL, TASKS, list_prompt, task_world
from helpers.worlds.world import (
    FRESH,
    PythonWorld,
    Slip,
    World,
    load_plots,
    load_spec,
    load_world,
)
