"""The days as a reader meets them: how long they take, and how their cells measure.

    .venv/bin/python tests/days.py                 # a row per day, and what is unusual
    .venv/bin/python tests/days.py --write         # the minutes, into heads and README

Limits are those of notebooks that people like to read (Norvig, VanderPlas); they are
advice: a day outside them gets a warning, no failure.
"""

import ast
import json
import re
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "notebooks").glob("day*.ipynb"))
WORDS_A_MINUTE = 120  # prose that is thought about, tables and questions included
LINES_A_MINUTE = 6  # code that is read, run and compared with what was expected
HEAD = re.compile(r"\*Reading: about \d+ minutes; exercises: \d+; running: ([^*]+)\*")
EXERCISE = r"^###.*[●○]{3}\D*(\d+) minutes"
LIMITS = {  # least and most of what good notebooks measure
    "cells": (40, 75),
    "median lines": (1, 5),
    "p90 lines": (1, 15),
    "most lines": (1, 25),
    "words per line": (8, 22),
    "print %": (0, 7),
    "value %": (50, 90),
}


class Minutes(NamedTuple):
    """What a learner needs for a day, in minutes."""

    reading: int
    exercises: int

    @property
    def total(self) -> int:
        """Both together, to the next five, as README's table has it."""
        return -(-(self.reading + self.exercises) // 5) * 5


class Day:
    """One notebook of the course, read from its file."""

    def __init__(self, path: Path):
        self.path = path
        cells = json.loads(path.read_text("utf-8"))["cells"]
        texts = [("".join(c["source"]), c["cell_type"]) for c in cells]
        self.n_cells = len(texts)
        self.prose = [text for text, kind in texts if kind == "markdown"]
        self.code = [text for text, kind in texts if kind == "code" and lines(text)]

    @property
    def number(self) -> int:
        """The day's number, from its file's name."""
        return int(self.path.stem[3:5])

    @property
    def exercises(self) -> list[str]:
        """The names of the exercises that it checks, in their order."""
        called = re.findall(r"checks\.(day\d\d_\w+)", "\n".join(self.code))
        return list(dict.fromkeys(called))

    @property
    def minutes(self) -> Minutes:
        """Time to read, from words and lines of code, and what the exercises state."""
        words = sum(len(text.split()) for text in self.prose)
        code = sum(map(lines, self.code))
        reading = words / WORDS_A_MINUTE + code / LINES_A_MINUTE
        stated = re.findall(EXERCISE, "\n".join(self.prose), re.M)
        return Minutes(5 * round(reading / 5), sum(map(int, stated)))

    @property
    def measures(self) -> dict[str, float]:
        """What LIMITS has a range for."""
        sizes = sorted(map(lines, self.code))
        words = sum(len(text.split()) for text in self.prose)
        return {
            "cells": self.n_cells,
            "median lines": median(sizes),
            "p90 lines": round(quantiles(sizes, n=10)[-1]),
            "most lines": sizes[-1],
            "words per line": round(words / sum(sizes), 1),
            "print %": share("print(" in text for text in self.code),
            "value %": share(ends_in_value(text) for text in self.code),
        }

    @property
    def unusual(self) -> list[str]:
        """The measures that lie outside their limits, each as a phrase."""
        return [
            f"{name} {self.measures[name]}, usual {least} to {most}"
            for name, (least, most) in LIMITS.items()
            if not least <= self.measures[name] <= most
        ]

    def head(self, running: str) -> str:
        """Return the line of the first cell that says how long the day takes."""
        reading, exercises = self.minutes
        text = f"Reading: about {reading} minutes; exercises: {exercises}"
        return f"*{text}; running: {running}*"


def lines(source: str) -> int:
    """Count the lines of code; blank ones and comments are none."""
    stripped = (line.strip() for line in source.splitlines())
    return sum(bool(line) and not line.startswith("#") for line in stripped)


def ends_in_value(source: str) -> bool:
    """Whether the last statement of a cell is an expression, so that it is shown."""
    body = ast.parse(re.sub(r"^\s*[%!].*$", "", source, flags=re.M)).body
    return bool(body) and isinstance(body[-1], ast.Expr) and "print(" not in source


def share(truths) -> int:
    """Return how many of the truths hold, in per cent."""
    truths = list(truths)
    return round(100 * sum(truths) / len(truths))


def write(day: Day) -> None:
    """Write a day's minutes into its head and into README's row."""
    text = day.path.read_text("utf-8")
    text = HEAD.sub(lambda match: day.head(match[1]), text, count=1)
    day.path.write_text(text, "utf-8")
    readme = ROOT / "README.md"
    row = re.compile(rf"(?m)^(\| \[.*{day.path.name}.*\|) \d+ (\| \w+ \|)$")
    filled = row.sub(rf"\g<1> {day.minutes.total} \g<2>", readme.read_text("utf-8"))
    readme.write_text(filled, "utf-8")


if __name__ == "__main__":
    for day in map(Day, PATHS):
        print(day.path.stem, *day.minutes, *day.measures.items(), sep="  ")
        for phrase in day.unusual:
            print("    unusual:", phrase)
        if "--write" in sys.argv:
            write(day)
