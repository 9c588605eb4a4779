"""What the pocket GPT-2 read: documents of the worlds, gathered into batches.

Most rows hold one whole document from position 0, because a story cut in the middle
hides the introductions that copying needs; some hold several, packed to the full
context, so that every position is trained and ``<|endoftext|>`` learns to mean
"forget what came before". One in ten lacks that token in front, as people forget it.

Where the truth is the target, it is the same however often a document is read: so
lists of rare tasks, and those that need the longest memory, are read more often.
"""

import multiprocessing
import os
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import count

import torch

from helpers.pocket.targets import TARGETS, Document, TrueTargets, join
from helpers.worlds import FRESH, load_world, task_world

CONTEXT = 512
SHARES = {"stories": 0.5, "code": 0.2, "lists": 0.3}  # of the documents
RARE = {"recall": 0.1, "opposite": 0.05, "next": 0.05, "previous": 0.05}  # beside them
CHUNK = 512  # documents that are made at a time
AGAIN = (0, 6, 15)  # chunks ago: a document is read when it is new, and again later


def chunk(reader, number: int) -> list[Document]:
    """Return the documents of a chunk, from seeds that only this chunk uses.

    Whatever the number, none is one of those that measuring uses, from FRESH on.
    """
    mix = {load_world(name): share for name, share in SHARES.items()}
    if isinstance(reader, TrueTargets):
        mix |= {task_world(task): share for task, share in RARE.items()}
    worlds = random.Random(number).choices([*mix], [*mix.values()], k=CHUNK)
    seeds = ((number * CHUNK + i) % FRESH for i in range(CHUNK))
    return [reader.read(w.sample(s)) for w, s in zip(worlds, seeds, strict=True)]


def chunks(tokenizer, targets: str, first: int, workers: int) -> Iterator:
    """Yield chunks for ever, from number ``first``; made ahead by other processes."""
    if not workers:
        reader = TARGETS[targets](tokenizer, SHARES)
        yield from (chunk(reader, number) for number in count(first))
    spawn = multiprocessing.get_context("spawn")  # threads of torch do not survive fork
    ahead, numbers = deque(), count(first)
    with ProcessPoolExecutor(workers, spawn, _begin, (tokenizer, targets)) as pool:
        while True:
            while len(ahead) < workers + 2:
                ahead.append(pool.submit(_chunk, next(numbers)))
            yield ahead.popleft().result()


def _begin(tokenizer, targets: str) -> None:
    global READER  # of a worker's process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    READER = TARGETS[targets](tokenizer, SHARES)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()  # also one that was killed
    os._exit(1)


def _chunk(number: int) -> list[Document]:
    return chunk(READER, number)


def batches(
    stream: Iterator[list[Document]],
    *,
    size: Callable[[], float],
    packed: float,
    bare: float,
    seed: int,
) -> Iterator[list[Document]]:
    """Yield batches of rows for ever: mostly whole documents of similar length.

    ``size`` says of how many tokens, about; ``packed`` is the share of the documents
    that are packed, ``bare`` that of the rows without an end token in front.
    """
    choose, kept = random.Random(seed), deque(maxlen=max(AGAIN) + 1)
    for new in stream:
        kept.appendleft(new)
        pool = [doc for ago in AGAIN if ago < len(kept) for doc in kept[ago]]
        choose.shuffle(pool)
        several = round(len(pool) * packed)
        rows = [doc.cut(int(choose.random() < bare), CONTEXT) for doc in pool[several:]]
        made = [[]]
        for row in sorted(rows, key=lambda row: len(row.ids)):
            if made[-1] and (len(made[-1]) + 1) * len(row.ids) > size():
                made.append([])
            made[-1].append(row)
        full, rows = pack(pool[:several]), max(1, round(size() / CONTEXT))
        made += [full[i : i + rows] for i in range(0, len(full), rows)]
        choose.shuffle(made)
        yield from made


def pack(documents: list[Document]) -> list[Document]:
    """Fill rows of the full context with whole documents, the last one cut."""
    full, row, length = [], [], 0
    for document in documents:
        row.append(document)
        length += len(document.ids)
        if length - len(row) + 1 >= CONTEXT:
            full.append(join(row).cut(0, CONTEXT))
            row, length = [], 0
    return full
