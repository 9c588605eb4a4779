"""A corpus: documents, split before anything else is done with them.

Which split a document belongs to depends on its own text alone (unless its source has
splits): the same text is never in two of them, however often it stands there.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from helpers.corpora.sources import CorpusError, Source, find_source
from helpers.inputs import expect, whole

SPLITS = {"train": 0.9, "validation": 0.05, "test": 0.05}
ALL = "all"
KNOWN = 1_000_000  # texts that are remembered; later ones are not compared


@dataclass
class Corpus:
    """Documents of one split, read as they are asked for, each time from the start.

    After (or while) it is read: ``documents`` is how many were given, ``duplicates``
    how many exact repetitions and ``empty`` how many without text were left out.
    """

    source: Source
    split: str
    limit: int | None
    documents: int = 0
    duplicates: int = 0
    empty: int = 0

    @property
    def name(self) -> str:
        """Return what it was loaded as."""
        return self.source.name

    @property
    def joined(self) -> bool:
        """Whether the documents are parts of one text, as those of wikitext-2."""
        return self.source.joined

    def __iter__(self) -> Iterator[str]:
        """Yield the documents."""
        self.documents = self.duplicates = self.empty = 0
        for text in islice(self._own(), self.limit):
            self.documents += 1
            yield text
        if not self.documents:
            line = f"{self.name}: there is no text in the split {self.split}"
            raise CorpusError(f"{line}: give more documents, or another split")

    def _own(self) -> Iterator[str]:
        seen = set()
        splits = self.source.splits if self.split == ALL else ()
        read = map(self.source.read, splits or [self.split])
        for text in chain.from_iterable(read):
            if not text.strip():
                self.empty += 1
                continue
            key = hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8)
            key = int.from_bytes(key.digest(), "big")
            given = self.source.splits or self.split == ALL
            if not given and _split_of(key) != self.split:
                continue
            if key in seen:
                self.duplicates += 1
                continue
            if len(seen) < KNOWN:
                seen.add(key)
            yield text


def load_corpus(
    source: str, *, split: str = "train", limit: int | None = None, field: str = ""
) -> Corpus:
    """Return a corpus: documents that are read while one goes through it.

    Args:
        source: a world (stories, verse, code, lists), a data set of the hub
            (wikitext-2, openwebtext, poems, python-code, tinystories), a text file, a
            folder of text files, a .csv or a .jsonl file.
        split: train, validation, test, or all for every document that there is.
        limit: at most so many documents; by default 1,000 of a world, which is
            endless, and 10,000 of openwebtext and tinystories.
        field: the column of a .csv or the key of a .jsonl that holds the text.

    Raises CorpusError, one line, for what cannot be found or read; some of it only
    when the documents are read.
    """
    if split not in [*SPLITS, ALL]:
        known = ", ".join(SPLITS)
        raise CorpusError(f"split is {split!r}, expected one of {known} or {ALL}")
    if limit is not None:
        expect("limit", limit, whole(), "a whole number from 1")
    found = find_source(source, field)
    if found.splits and split not in [*found.splits, ALL]:
        have = ", ".join(found.splits)
        raise CorpusError(f"{source} has no split {split}, only {have}")
    return Corpus(found, split, found.most if limit is None else limit)


def _split_of(key: int) -> str:
    place, total = key / 2**64, 0.0
    for split, share in SPLITS.items():
        total += share
        if place < total:
            return split
    return "test"
