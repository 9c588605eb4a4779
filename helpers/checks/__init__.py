"""Checks for the exercises: ``checks.day01_name(your_function)``, a module a day."""

from helpers.checks.day01 import *  # noqa: F403
from helpers.checks.day02 import *  # noqa: F403
from helpers.checks.day03 import *  # noqa: F403
from helpers.checks.day04 import *  # noqa: F403
from helpers.checks.day05 import *  # noqa: F403
from helpers.checks.day06 import *  # noqa: F403
from helpers.checks.day07 import *  # noqa: F403
from helpers.checks.day08 import *  # noqa: F403
