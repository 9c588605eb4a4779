"""What the pocket GPT-2 read: documents of the worlds, gathered into batches.

Most rows hold one whole document from position 0, because a story cut in the middle
hides the introductions that copying needs; some hold several, packed to the full
context, so that every position is trained and ``<|endoftext|>`` learns to mean
"forget what came before". One in ten lacks that token in front, as people forget it.
"""

import random
from collections.abc import Iterator
from itertools import islice

import torch

from helpers.tokens import pad
from helpers.worlds import FRESH, load_world

CONTEXT = 512
SHARES = {"stories": 0.5, "code": 0.22, "lists": 0.28}  # of the documents


def documents(tokenizer, seed: int, run: int = 0) -> Iterator[list[int]]:
    """Yield the ids of documents for ever, the end token before and after each.

    Each ``run`` of a training that was stopped draws documents of its own. Whatever
    the seed, no document is one of those that measuring uses, from FRESH on.
    """
    number = seed * 10_000_000 + run * 1_000_000
    choose, eos = random.Random(number), tokenizer.eos_token_id
    names, weights = [*SHARES], [*SHARES.values()]
    while True:
        drawn = choose.choices(names, weights, k=256)
        seeds = [(number + i) % FRESH for i in range(len(drawn))]
        texts = [load_world(w).sample(s) for w, s in zip(drawn, seeds, strict=True)]
        number += len(drawn)
        yield from ([eos, *ids, eos] for ids in tokenizer(texts)["input_ids"])


def batches(
    tokenizer, *, size: int, packed: float, bare: float, seed: int, run: int = 0
) -> Iterator[list[list[int]]]:
    """Yield batches of rows for ever: mostly whole documents of similar length.

    ``size`` is in tokens, about; ``packed`` is the share of the batches whose rows are
    packed, ``bare`` that of the documents without an end token before them.
    """
    stream, choose = documents(tokenizer, seed, run), random.Random(seed)
    while True:
        pool = sorted(islice(stream, 2048), key=len)
        made, batch = [], []
        for row in pool:
            if batch and (len(batch) + 1) * len(row) > size:
                made.append(batch)
                batch = []
            start = choose.random() < bare
            batch.append(row[start : CONTEXT + start])
        made.append(batch)
        more = round(len(made) * packed / (1 - packed))
        made += [pack(stream, max(1, size // CONTEXT)) for _ in range(more)]
        choose.shuffle(made)
        yield from made


def pack(stream, rows: int) -> list[list[int]]:
    """Fill rows of the full context with whole documents, the last one cut."""
    packed = []
    for _ in range(rows):
        row = next(stream)
        while len(row) < CONTEXT:
            row = row + next(stream)[1:]
        packed.append(row[:CONTEXT])
    return packed


def collate(batch: list[list[int]], end: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return input_ids and labels (batch, seq); pads are labelled -100."""
    return pad(batch, end), pad(batch, -100)
