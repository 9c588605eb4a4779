"""Rows: documents as ids and labels, in batches of like length.

A model learns to write what its labels say. Here the label of a place is its own id
(transformers shifts them), and -100 on pads, which nobody has to learn. The end token
that follows a document is no pad: from it the model learns where to stop.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset, Sampler

from helpers.corpora import packed
from helpers.inputs import expect, whole
from helpers.tokens import pad

IGNORED = -100  # what transformers' loss leaves out
FORMS = ("documents", "packed")
SORTED = 32  # batches whose rows are sorted by length together


class Rows(Dataset):
    """Rows of ids on the disk, read one by one: a corpus may be larger than memory.

    ``form`` is "documents" (each in a row of its own, or in several where it is longer
    than ``size``) or "packed" (rows of ``size`` ids, see ``corpora.packed``). Made in
    ``folder`` at the first time, read from there afterwards. Raises ValueError for a
    size below 2, another form, or too little text.
    """

    def __init__(self, folder: Path, tokenizer, documents: Iterable[str], size, form):
        expect("size", size, whole(least=2), "a whole number from 2")
        if form not in FORMS:
            raise ValueError(f"form is {form!r}, expected one of {', '.join(FORMS)}")
        ids, ends = folder / "ids.bin", folder / "ends.npy"
        if not ends.exists():  # written last
            folder.mkdir(parents=True, exist_ok=True)
            rows = packed if form == "packed" else whole_documents
            lengths = []
            with ids.open("wb") as file:
                for row in rows(tokenizer, documents, size):
                    file.write(row.numpy().astype(np.uint32).tobytes())
                    lengths.append(len(row))
            np.save(folder / "unfinished.npy", np.cumsum(lengths))
            (folder / "unfinished.npy").rename(ends)
        self.ends, self.epoch = np.load(ends), 0
        self.ids = np.memmap(ids, np.uint32, "r")

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> dict[str, list[int]]:
        start = self.ends[i - 1] if i else 0
        return {"input_ids": self.ids[start : self.ends[i]].tolist()}

    def set_epoch(self, epoch: int) -> None:
        """Choose the order that ``ByLength`` gives next; the library calls it."""
        self.epoch = epoch


class ByLength(Sampler):
    """The rows' numbers, so that each ``batch`` of them has rows of like length.

    Which rows come together, and when, is drawn anew in each epoch, and so is which few
    are left out because they would not fill a batch; the same seed and epoch give the
    same order, wherever a stopped run goes on.
    """

    def __init__(self, rows: Rows, batch: int, seed: int):
        self.rows, self.seed = rows, seed
        self.batch = min(batch, len(rows))

    def __len__(self) -> int:
        return len(self.rows) // self.batch * self.batch

    def __iter__(self) -> Iterator[int]:
        draw = np.random.default_rng([self.seed, self.rows.epoch])
        lengths = np.diff(self.rows.ends, prepend=0)
        order = draw.permutation(len(self.rows))[: len(self)]
        cuts = range(0, len(order), SORTED * self.batch)
        parts = [order[start : start + SORTED * self.batch] for start in cuts]
        parts = [part[np.argsort(lengths[part], kind="stable")] for part in parts]
        batches = np.concatenate(parts).reshape(-1, self.batch)
        yield from draw.permutation(batches).ravel().tolist()


def whole_documents(tokenizer, documents: Iterable[str], size: int):
    """Yield each document's ids, an end token before and after it.

    A longer one goes on in the next row, from the token that the last one ended with:
    each token is learned once. Raises ValueError if there are no documents.
    """
    end, n = tokenizer.eos_token_id, 0
    for text in documents:
        ids = torch.tensor([end, *tokenizer(text, verbose=False)["input_ids"], end])
        for start in range(0, len(ids) - 1, size - 1):
            yield ids[start : start + size]
        n += 1
    if not n:
        raise ValueError("there are no documents to learn from")


def collate(rows: list[dict], end: int) -> dict[str, torch.Tensor]:
    """Return a batch, (batch, seq): pads are end tokens on the right, not learned."""
    ids = [row["input_ids"] for row in rows]
    # No pad is masked: on the right, no token of the text can look at it.
    return {"input_ids": pad(ids, end), "labels": pad(ids, IGNORED)}
