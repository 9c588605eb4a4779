"""Files that replace others together, so that a kill at any moment loses nothing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED, COMPLETE = ".unfinished-save", ".complete-save"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a place for new files; once all are written they replace the folder's."""
    settle(folder)
    place = folder / UNFINISHED
    place.mkdir(parents=True)
    yield place
    place.rename(folder / COMPLETE)
    settle(folder)


def settle(folder: Path) -> None:
    """Finish a save that was complete when it was cut off; forget any other."""
    if (folder / COMPLETE).is_dir():
        for path in (folder / COMPLETE).iterdir():
            path.replace(folder / path.name)
        (folder / COMPLETE).rmdir()
    if (folder / UNFINISHED).is_dir():
        shutil.rmtree(folder / UNFINISHED)
