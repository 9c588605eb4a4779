"""Rows: documents as ids and labels.

A model learns to write what its labels say. Here the label of a place is its own id
(transformers shifts them), and -100 on pads, which nobody has to learn. The end token
that follows a document is no pad: from it the model learns where to stop.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from helpers.corpora import packed
from helpers.inputs import expect, whole
from helpers.tokens import pad

IGNORED = -100  # what transformers' loss leaves out


class Rows(Dataset):
    """Rows of ids on the disk, read one by one: a corpus may be larger than memory.

    ``form`` is "documents" (each in a row of its own, an end token before and after
    it, cut at ``size``) or "packed" (rows of ``size`` ids, see ``corpora.packed``).
    Made in ``folder`` at the first time, read from there afterwards.
    """

    def __init__(self, folder: Path, tokenizer, documents: Iterable[str], size, form):
        expect("size", size, whole(least=2), "a whole number from 2")
        if form not in ("documents", "packed"):
            raise ValueError(f"form is {form!r}, expected documents or packed")
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
        self.ends = np.load(ends)
        self.ids = np.memmap(ids, np.uint32, "r")

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> dict[str, list[int]]:
        start = self.ends[i - 1] if i else 0
        return {"input_ids": self.ids[start : self.ends[i]].tolist()}


def whole_documents(tokenizer, documents: Iterable[str], size: int):
    """Yield each document's ids, an end token before and after it, cut at ``size``."""
    end, n = tokenizer.eos_token_id, 0
    for text in documents:
        ids = [end, *tokenizer(text, verbose=False)["input_ids"], end]
        n += 1
        yield torch.tensor(ids[:size])
    if not n:
        raise ValueError("there are no documents to learn from")


def collate(rows: list[dict], end: int) -> dict[str, torch.Tensor]:
    """Return a batch, (batch, seq): pads are end tokens on the right, not learned."""
    ids = [row["input_ids"] for row in rows]
    # No pad is masked: on the right, no token of the text can look at it.
    return {"input_ids": pad(ids, end), "labels": pad(ids, IGNORED)}
