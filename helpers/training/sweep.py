"""Sweeps that day 10 draws: rates with numbers of epochs, and numbers of texts.

``python -m helpers.training.sweep > data/measurements/sweep.json`` makes the first,
``python -m helpers.training.sweep stanzas > data/measurements/stanzas.json`` the other.
"""

import json
import logging
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from helpers.decoding import sample, top_p
from helpers.evaluation import metre_rate, rhyme_rate, sample_texts
from helpers.gpt2 import GPT2, pack
from helpers.models import load_model
from helpers.training.finetuning import finetune
from helpers.worlds import FRESH, World, load_spec, mean

RATES = (5e-5, 3e-4, 1e-3, 4e-3, 1.6e-2)
EPOCHS = (1, 4, 16)
TEXTS, HELD_OUT = 48, 40
# Stanzas, and how often each is read.
READ = ((300, 1), (1_200, 1), (4_800, 1), (12_000, 1), (1_200, 4), (3_000, 4))
LOSSES = ("loss", "nll")  # of the last training batches, and of held-out texts
JUDGED = 200  # texts that a model writes
SOUNDS, WORDS = 6, 10  # of verse, so that it is learned in a minute


@contextmanager
def taught(
    texts: Sequence[str], held_out: Sequence[str], **options
) -> Iterator[tuple[Path, dict]]:
    """Give the folder of a model fine-tuned on the texts, and its losses at the end."""
    options |= {"batch_size": 4, "evaluations": 1, "precision": "float32"}
    with tempfile.TemporaryDirectory() as folder:
        where = {"output": folder, "held_out": held_out, "report": None}
        made = finetune(texts, **where, **options)
        history = json.loads((made / "history.json").read_text("utf-8"))
        yield made, {k: [r[k] for r in history if k in r][-1] for k in LOSSES}


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
            how = {"learning_rate": rate, "epochs": n, "model": model}
            with taught(texts, held_out, **how) as (_, losses):
                row = {"learning_rate": rate, "epochs": n} | losses
            rows.append(row)
            print(row, file=sys.stderr)
    return rows


def readings(
    world: World, held_out: Sequence[str], *, counts=READ, model: str = "pocket"
) -> list[dict]:
    """Fine-tune a model anew for each of ``counts``: texts of a world, and epochs.

    Returns rows with ``texts``, ``epochs``, ``nll`` (held-out), and the shares of
    JUDGED texts, written with top-p 0.9, that rhyme, scan and are whole: means with
    their errors.
    """
    rows = []
    for n, epochs in counts:
        texts = [world.sample(seed) for seed in range(n)]
        how = {"learning_rate": 4e-3, "epochs": epochs, "model": model}
        with taught(texts, held_out, **how) as (folder, losses):
            network, tokenizer = load_model(str(folder), "cpu")
        how = {"rules": [top_p(0.9)], "pick": sample(0), "max_new_tokens": 60}
        engine = pack(GPT2.from_hf(network))
        wrote = sample_texts(engine, tokenizer, JUDGED, batch_size=JUDGED, **how)
        row = {"texts": n, "epochs": epochs, "nll": losses["nll"]}
        row |= {"rhyme": rhyme_rate(wrote), "metre": metre_rate(wrote)}
        row["whole"] = mean(world.first_error(text) is None for text in wrote)
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
    """Print a sweep over stanzas as JSON."""
    logging.disable()
    world = stanzas()
    held_out = [world.sample(FRESH + i) for i in range(HELD_OUT)]
    _, tokenizer = load_model("pocket", "cpu")
    tokens = sum(len(tokenizer(text)["input_ids"]) for text in held_out)
    floor = -sum(map(world.log_prob, held_out)) / tokens  # that a poem ends is certain
    if sys.argv[1:] == ["stanzas"]:
        rows, n = readings(world, held_out), JUDGED
    else:
        rows, n = sweep([world.sample(i) for i in range(TEXTS)], held_out), TEXTS
    print(json.dumps({"texts": n, "floor": floor, "rows": rows}))


if __name__ == "__main__":
    main()
