"""Folders: a fine-tuning on the disk, begun, gone on with, finished.

While it runs, ``work`` has the rows and the Trainer's saves; at the end the model, its
tokenizer, ``history.json``, ``curves.png`` and a card take their place.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import matplotlib.pyplot as plt
from safetensors import SafetensorError

from helpers.options import UsageError
from helpers.plots.training import learning_curves

WORK, HISTORY, RECIPE = "work", "history.json", "recipe.json"
NAMES = {"step": "step", "epoch": "epoch", "loss": "loss", "eval_loss": "nll"}
NAMES |= {name: name for name in ("learning_rate", "perplexity", "sample")}
CARD = """---
base_model: {model}
pipeline_tag: text-generation
library_name: transformers
---

# {model}, trained further on {corpus}

Held-out perplexity {before:,.2f} before, {after:,.2f} at step {step}, whose weights
these are: nats per token of {texts} documents that were not learned from, as an
exponential.

Licence: none is given yet. The base model's and that of the texts decide what may be:
write it here, and `license:` above, before you share this folder.

Made by `helpers.training.finetune` (`python -m helpers finetune`) with

| option | value |
| --- | --- |
{options}

It writes what it read: look through its texts before others see them. `history.json`
has every figure of the training, `curves.png` shows them.

```
python -m helpers generate --model FOLDER "Once upon a time"
```
"""


class TrainingError(UsageError, RuntimeError):
    """A training that cannot go on; the message is one line that says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows: the line alone."""
        return [f"TrainingError: {self}"]


@contextmanager
def writing(output: Path) -> Iterator[None]:
    """Tell in one line that a disk takes no more; the earlier saves are kept."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "inline_container" not in str(error):
            raise  # that file writes what `torch.save` saves
        reason = " ".join(str(error).split())
        line = f"{output} cannot be written ({reason:.160}), the earlier saves are kept"
        raise TrainingError(f"{line}: make room, then run the same") from None


@contextmanager
def undone(output: Path) -> Iterator[None]:
    """Leave nothing of a training that could not begin; tell why in one line."""
    try:
        yield
    except (UsageError, ValueError) as error:
        if not (output / WORK / "rows" / "ends.npy").exists():
            shutil.rmtree(output / WORK, ignore_errors=True)
            (output / RECIPE).unlink(missing_ok=True)
        raise error if isinstance(error, UsageError) else TrainingError(error) from None


def write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(path.name + ".unfinished")
    part.write_text(text, "utf-8")
    part.replace(path)


def begin(output: Path, recipe) -> None:
    """Write down the recipe; TrainingError where another training was begun."""
    path, mine = output / RECIPE, asdict(recipe)
    try:
        if path.exists():
            theirs = json.loads(path.read_text("utf-8"))
            other = [f"{k} {theirs.get(k)}" for k in mine if theirs.get(k) != mine[k]]
            if other:
                raise ValueError(f"it was begun with {', '.join(other)}")
        elif (output / "config.json").exists():
            raise ValueError("it has a model of another making")
        else:
            output.mkdir(parents=True, exist_ok=True)
            write(path, json.dumps(mine, indent=1) + "\n")
    except (OSError, ValueError, AttributeError) as error:
        line = f"the folder {str(output)!r} cannot be used ({error})"
        raise TrainingError(f"{line}: choose another") from None


def is_finished(output: str | Path) -> bool:
    """Tell whether a training ended here: its history is what is written last."""
    return (Path(output) / HISTORY).exists()


def last_save(folder: Path) -> str | None:
    """Return the newest complete save of the Trainer's; delete what is incomplete."""
    saves = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*")}
    for step in sorted(saves, reverse=True):
        try:  # the library writes this file last
            json.loads((saves[step] / "trainer_state.json").read_text("utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(saves[step])
        else:
            return str(saves[step])
    return None


def finish(output: Path, recipe, log: list[dict], texts: int) -> None:
    """Write figures, card and history beside the weights; remove the saves."""
    history = rows_of(log)
    figure = learning_curves(history).figure
    figure.savefig(output / "curves.png")
    plt.close(figure)  # or a notebook would show it
    write(output / "README.md", card(recipe, history, texts))
    write(output / HISTORY, json.dumps(history, indent=1) + "\n")
    shutil.rmtree(output / WORK)


def rows_of(log: list[dict]) -> list[dict]:
    """Return the library's log as rows of our names, one for each entry."""
    rows = [{NAMES[name]: row[name] for name in NAMES if name in row} for row in log]
    return [row for row in rows if {"loss", "nll"} & row.keys()]


def card(recipe, history: list[dict], texts: int) -> str:
    """Return a model card of measured figures only."""
    first, *held = [row for row in history if "nll" in row]
    best = min(held, key=lambda row: row["nll"])
    options = asdict(recipe)
    lines = [f"| {name} | {value} |" for name, value in options.items()]
    return CARD.format(
        before=first["perplexity"],
        after=best["perplexity"],
        step=best["step"],
        texts=texts,
        options="\n".join(lines),
        **{name: options[name] for name in ("model", "corpus")},
    )
