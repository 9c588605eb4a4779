"""Saves of a training: weights, tokenizer and log together, which no kill can spoil."""

import copy
import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from helpers.options import UsageError

LOG = "training.json"
FILES = {"config.json", "model.safetensors", "tokenizer.json"}  # of any model
NEW_LOG = {"tokens": 0, "steps": 0, "chunks": 0, "seconds": 0}
NEW_LOG |= {"runs": [], "history": []}
UNFINISHED, COMPLETE = ".unfinished-save", ".complete-save"


def save(model, tokenizer, folder: Path, log: dict) -> None:
    """Write weights (float16, to halve the file), tokenizer and log.

    Raises UsageError where the disk does not take them; the earlier save stays.
    """
    half = copy.deepcopy(model).half()
    try:
        with replacing(folder) as place:
            half.save_pretrained(place)
            tokenizer.save_pretrained(place)
            (place / LOG).write_text(json.dumps(log) + "\n")
            sums = ""
            for path in sorted(place.iterdir()):
                path.chmod(0o644)  # the library writes weights for their owner alone
                checksum = hashlib.sha256(path.read_bytes()).hexdigest()
                sums += f"{checksum}  {path.name}\n"
            (place / "SHA256SUMS").write_text(sums)
    except (OSError, SafetensorError) as error:
        line = f"{folder} cannot be written ({error}), the earlier save is kept"
        raise UsageError(f"{line}: make room, then run the same command") from None


def open_log(folder: Path, recipe: dict) -> dict:
    """Return the log of the training in a folder, or a new one.

    Raises UsageError for a folder that cannot be written, that holds another model, or
    whose training was begun with another recipe; only ``tokens`` may differ.
    """
    try:
        with replacing(folder):
            pass  # it can be written
        if not (folder / LOG).exists():
            if others := [name for name in sorted(FILES) if (folder / name).exists()]:
                raise ValueError(f"its {others[0]} is another model's")
            return copy.deepcopy(NEW_LOG)
        log = read_log(folder)
        begun = log["recipe"] | {"tokens": recipe["tokens"]}
        other = [f"{k} {begun.get(k)}" for k in recipe if begun.get(k) != recipe[k]]
        if other:
            raise ValueError(f"it was begun with {', '.join(other)}")
        return log
    except (OSError, ValueError, TypeError) as error:
        line = f"--output {str(folder)!r} cannot be used ({error})"
        raise UsageError(f"{line}: choose another folder") from None


def read_log(folder: Path) -> dict:
    """Return the log of a training; raises OSError or ValueError without one."""
    log = json.loads((folder / LOG).read_text("utf-8"))
    if not isinstance(log, dict) or not {"recipe", *NEW_LOG} <= log.keys():
        raise ValueError(f"{LOG} is not that of a pretraining")
    return log


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
