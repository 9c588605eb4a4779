"""Checks for the exercises: ``checks.day01_name(your_function)``, a file per day.

``common`` declares an exercise: its cases, a right function, and a table of wrong ones
with the message that each deserves. Behind it: ``running`` (an answer, within 5 s) and
``values`` (of which kind, how equal, how shown).
"""

from importlib import import_module
from pathlib import Path

for _path in sorted(Path(__file__).parent.glob("day*.py")):
    for _name, _check in vars(import_module(f"{__name__}.{_path.stem}")).items():
        if _name.startswith(f"{_path.stem}_"):
            _check.__name__ = _name
            globals()[_name] = _check
