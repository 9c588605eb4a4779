"""Checks for the exercises: ``checks.day01_name(your_function)``, a file per day.

``common`` declares an exercise: its cases, a right function, and a table of wrong ones
with the message that each deserves. Behind it: ``running`` (an answer, within 5 s) and
``values`` (of which kind, how equal, how shown).
"""

from helpers.checks.day01 import *  # noqa: F403
from helpers.checks.day02 import *  # noqa: F403
from helpers.checks.day03 import *  # noqa: F403
from helpers.checks.day04 import *  # noqa: F403
from helpers.checks.day05 import *  # noqa: F403
from helpers.checks.day06 import *  # noqa: F403
from helpers.checks.day07 import *  # noqa: F403
from helpers.checks.day08 import *  # noqa: F403
