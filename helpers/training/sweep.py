"""A sweep: every learning rate with every number of epochs, as day 10 draws it.

``python -m helpers.training.sweep > data/measurements/sweep.json`` makes what it draws.
"""

import json
import logging
import sys
import tempfile
from collections.abc import Sequence

from helpers.models import load_model
from helpers.training.finetuning import finetune
from helpers.worlds import FRESH, World, load_spec

RATES = (5e-5, 3e-4, 1e-3, 4e-3, 1.6e-2)
EPOCHS = (1, 4, 16)
TEXTS, HELD_OUT = 48, 40
SOUNDS, WORDS = 6, 10  # of verse, so that it is learned in a minute


def sweep(
    texts: Sequence[str],
    held_out: Sequence[str],
    *,
    rates: Sequence[float] = RATES,
    epochs: Sequence[int] = EPOCHS,
    model: str = "pocket",
) -> list[dict]:
    """Fine-tune a model anew with each rate and number of epochs.

    Returns rows with ``learning_rate``, ``epochs``, ``loss`` (of the last training
    batches) and ``nll`` (held-out), in nats per token, both at the end of a training.
    """
    rows = []
    for rate in rates:
        for n in epochs:
            with tempfile.TemporaryDirectory() as folder:
                how = {"learning_rate": rate, "epochs": n, "batch_size": 4}
                how |= {"evaluations": 1, "precision": "float32", "report": None}
                made = finetune(
                    texts, model=model, output=folder, held_out=held_out, **how
                )
                history = json.loads((made / "history.json").read_text("utf-8"))
            row = {"learning_rate": rate, "epochs": n}
            row |= {k: [r[k] for r in history if k in r][-1] for k in ("loss", "nll")}
            rows.append(row)
            print(row, file=sys.stderr)
    return rows


def stanzas() -> World:
    """Return the verse world with poems of one stanza, few words and six rhymes."""
    spec = load_spec("verse")
    spec["rules"]["start"] = ["<opening>"]
    classes = spec["classes"]
    classes["place"]["groups"] = classes["place"]["groups"][:SOUNDS]
    for few in (classes["mood"], classes["look"], *classes["creature"]["groups"]):
        few["words"] = ", ".join(few["words"].split(",")[:WORDS])
    return World(spec, "stanzas")


def main() -> None:
    """Print the sweep over a few stanzas as JSON."""
    logging.disable()
    world = stanzas()
    texts = [world.sample(seed) for seed in range(TEXTS)]
    held_out = [world.sample(FRESH + i) for i in range(HELD_OUT)]
    _, tokenizer = load_model("pocket", "cpu")
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in held_out)
    floor = -sum(map(world.log_prob, held_out)) / tokens  # that a poem ends is certain
    rows = sweep(texts, held_out)
    print(json.dumps({"texts": TEXTS, "floor": floor, "rows": rows}))


if __name__ == "__main__":
    main()
