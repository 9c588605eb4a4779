"""Ways to learn: which weights, at which rate, and what a model keeps of the old.

``python -m helpers.training.ways > data/measurements/ways.json`` makes what day 10
draws, in about ten minutes of one thread.
"""

import json
import logging
import sys
import time
from collections.abc import Mapping, Sequence

import torch

from helpers.evaluation import document_losses
from helpers.gpt2 import GPT2
from helpers.models import load_model
from helpers.training.lora import add_lora, merge_lora
from helpers.training.rows import collate
from helpers.training.sweep import stanzas
from helpers.worlds import FRESH, World, load_world, ratio

WAYS = {  # and the rates that are tried
    "all weights": (5e-4, 1e-3, 2e-3, 4e-3),
    "one story in 11": (5e-4, 1e-3, 2e-3, 4e-3),
    "top two blocks": (1e-3, 2e-3, 4e-3, 8e-3),
    "LoRA": (1e-3, 3e-3, 1e-2, 2e-2),
    "LoRA, embeddings": (5e-4, 1e-3, 2e-3, 4e-3),
}
LONGER = {"all weights": (5e-4, 1e-3), "LoRA": (1e-3, 3e-3)}  # for three times STEPS
STEPS, BATCH, LESSONS = 80, 4, 2
RANK = 16
NEW, OLD = 40, 24  # held-out texts


def compare_ways(
    new: World,
    old: World,
    *,
    ways: Mapping[str, Sequence[float]] = WAYS,
    steps: int = STEPS,
    model: str = "pocket",
) -> list[dict]:
    """Teach a model texts of ``new`` in each way; ask what it still knows of ``old``.

    Each row is a model of its own after ``steps`` batches of BATCH texts, each read
    once: ``way``, ``steps``, ``rate``, ``lesson`` (which texts), the held-out losses
    ``new`` and ``old`` with their errors, nats per token, and ``seconds`` of the
    processor.
    """
    rows, (_, tokenizer) = [], load_model(model, "cpu")
    tests = {"new": [new.sample(FRESH + i) for i in range(NEW)]}
    tests["old"] = [old.sample(FRESH + i) for i in range(OLD)]
    cases = [(w, r, n) for n in range(LESSONS) for w in ways for r in ways[w]]
    for way, rate, number in cases:
        seeds = range(number * 5_000, number * 5_000 + steps * BATCH)
        texts = [new.sample(seed) for seed in seeds]
        if way == "one story in 11":
            for i, seed in enumerate(seeds[: len(seeds) // 10]):
                texts.insert(11 * i + 10, old.sample(seed))
        network = learning(load_model(model, "cpu")[0], way)
        start = time.process_time()
        lesson(network, tokenizer, texts, rate=rate)
        seconds = time.process_time() - start
        engine = GPT2.from_hf(merge_lora(network) if "LoRA" in way else network)
        row = {"way": way, "steps": steps, "rate": rate, "lesson": number}
        row["seconds"] = round(seconds, 2)
        for name, some in tests.items():
            row[name] = ratio(*document_losses(engine, tokenizer, some))
        rows.append(row)
        print(row, file=sys.stderr)
    return rows


def learning(network, way: str):
    """Freeze the weights that do not learn in a way of WAYS; return the model."""
    if way == "top two blocks":
        network.requires_grad_(False)
        network.transformer.h[-2:].requires_grad_(True)
    elif "LoRA" in way:
        torch.manual_seed(0)
        network = add_lora(network, rank=RANK, alpha=2 * RANK)
        network.transformer.wte.requires_grad_("embeddings" in way)
    return network


def lesson(network, tokenizer, texts: Sequence[str], *, rate: float) -> None:
    """Take a step for each BATCH of texts: the loop that day 10 writes by hand."""
    weights = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=rate, weight_decay=0.0)
    end, steps = tokenizer.eos_token_id, range(0, len(texts), BATCH)
    network.train()
    for start in steps:
        some = tokenizer(list(texts[start : start + BATCH]))["input_ids"]
        batch = collate([{"input_ids": [end, *ids, end]} for ids in some], end)
        done = start / BATCH / len(steps)
        optimizer.param_groups[0]["lr"] = rate * min((done + 0.01) / 0.05, 1 - done)
        network(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval()


def main() -> None:
    """Print the comparison as JSON."""
    logging.disable()
    worlds = stanzas(), load_world("stories")
    rows = compare_ways(*worlds) + compare_ways(*worlds, ways=LONGER, steps=3 * STEPS)
    print(json.dumps({"rows": rows}))


if __name__ == "__main__":
    main()
