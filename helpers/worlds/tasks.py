"""Tasks: prompts with any number of shots, made from the world of lists.

A *shot* is one solved item of a list, such as ``dog: puppy``. The prompt
``dog: puppy, cat: kitten, cow:`` has two shots, and its answer is `` calf``.
"""

from functools import lru_cache
from numbers import Integral
from random import Random

from helpers.worlds.world import World, generator, load_spec

RECALL = "recall"
TASKS = (
    *("plural", "young", "sound", "colour", "category", "opposite", "more"),
    *("past", "ing", "person", "next", "previous", "name", "copy", "capital"),
    *("first", "add", "increase", "double", RECALL),
)


def list_prompt(task: str, shots: int, seed: int) -> tuple[str, str]:
    """Return a prompt with solved items and an open one, and the open one's answer.

    Prompt and answer are the beginning of a text of the world of lists. For
    ``recall`` the shots are the pairs to remember, and the open key is one of theirs.

    Raises ValueError for what is none of ``TASKS``, or a number of shots its lists do
    not have: 0 to 10, for ``recall`` 2 to 8.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}: choose one of {', '.join(TASKS)}")
    fewest, most = (2, 8) if task == RECALL else (0, 10)
    if not isinstance(shots, Integral) or not fewest <= shots <= most:
        raise ValueError(f"{task} has {fewest} to {most} shots, not {shots!r}")
    *solved, (asked, answer) = _items(task, shots, generator(seed))
    shown = "".join(f"{key}: {value}, " for key, value in solved)
    return f"{shown}{asked}:", f" {answer}"


def _items(task: str, shots: int, rng: Random) -> list[list[str]]:
    """Draw lists of the task until one has the shots and an item to ask for."""
    while True:
        text = task_world(task).sample(rng.randrange(10**9))
        items = [item.split(": ") for item in text.split(", ")]
        shown = len({key for key, _ in items})  # pairs of recall, before the question
        if (shown == shots) if task == RECALL else (len(items) > shots):
            return items[: shots + 1]


@lru_cache
def task_world(task: str) -> World:
    """Return the world of lists, narrowed to one of ``TASKS``."""
    spec = load_spec("lists")
    ends = f" {task}>", f"<{task}>"
    starts = [s for s in spec["rules"]["start"].splitlines() if s.endswith(ends)]
    spec["rules"]["start"] = "\n".join(starts)
    return World(spec, f"lists: {task}")
