"""Targets: what may follow each beginning of a document, and how often.

GPT-2 was trained on words: after each beginning, the one that somebody wrote. Here the
world that wrote a document is known, and with it all words that may follow, so the
target can be the *truth*: each next token with its exact probability. The objective is
the same, since in the mean over all documents words come as often as their
probabilities say; only the noise of the draw is gone.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from helpers.tokens import END
from helpers.tokens import pretokenise as words
from helpers.worlds import Live, forecast, load_world, step

AT_ONCE = 512  # places whose logits are made at a time


class Document(NamedTuple):
    """Ids, and for each but the last the tokens that may come next, one after other."""

    ids: np.ndarray  # (seq,)
    counts: np.ndarray  # (seq - 1,), how many tokens may follow each id
    tokens: np.ndarray  # (entries,), which; entries = counts.sum()
    probs: np.ndarray  # (entries,), how likely

    def cut(self, start: int, stop: int) -> "Document":
        """Return the ids from ``start`` to ``stop`` with what may follow them."""
        ends = np.concatenate([[0], self.counts.cumsum()])
        stop = min(stop, len(self.ids))
        part = slice(ends[start], ends[stop - 1])
        counts = self.counts[start : stop - 1]
        return Document(
            self.ids[start:stop], counts, self.tokens[part], self.probs[part]
        )


def join(documents: list[Document]) -> Document:
    """Return documents one after the other; the end token between two stands once."""
    first, *others = documents
    ids = [first.ids, *(document.ids[1:] for document in others)]
    rest = zip(*(document[1:] for document in documents), strict=True)
    return Document(np.concatenate(ids), *map(np.concatenate, rest))


class WordTargets:
    """Documents whose targets are the words that stand there, as GPT-2 had them."""

    def __init__(self, tokenizer, shares: Mapping[str, float]):
        self.tokenizer, self.end = tokenizer, tokenizer.eos_token_id

    def read(self, text: str) -> Document:
        """Return the document of a text, the end token before and after it."""
        ids = np.array([self.end, *self.tokenizer(text)["input_ids"], self.end])
        ones = np.ones(len(ids) - 1)
        return _compact(ids, ones, ids[1:], ones)


class TrueTargets:
    """Documents whose targets are the exact distributions of the worlds they are from.

    ``shares`` says how many of the documents are each world's: at the beginning of a
    document any of them may follow.
    """

    def __init__(self, tokenizer, shares: Mapping[str, float]):
        self.tokenizer, self.pieces = tokenizer, {END: (tokenizer.eos_token_id,)}
        self.start = {}  # of all worlds at once
        for name, share in shares.items():
            for state, weight in load_world(name).start.items():
                self.start[state] = share * weight

    def read(self, text: str) -> Document:
        """Return the document of a text, the end token before and after it."""
        ids = [token for word in (END, *words(text), END) for token in self._ids(word)]
        counts, tokens, probs = [], [], []
        pending = self._following(self.start, 1.0)
        for token in ids[1:]:
            here: dict[int, float] = defaultdict(float)
            for rest, p, *_ in pending:
                here[rest[0]] += p
            counts.append(len(here))
            tokens += here
            probs += here.values()
            before, pending = pending, []
            for rest, p, word, live in before:
                share = p / here[token]
                if rest[0] == token and len(rest) > 1:
                    pending.append((rest[1:], share, word, live))
                elif rest[0] == token and word != END:
                    pending += self._following(step(live, word)[word], share)
        return _compact(ids, counts, tokens, probs)

    def _following(self, live: Live, share: float) -> list[tuple]:
        """Return the words that may come: tokens still to write, share, word, live."""
        shares = forecast(live)
        share /= sum(shares.values())
        return [(self._ids(w), share * p, w, live) for w, p in shares.items()]

    def _ids(self, word: str) -> tuple[int, ...]:
        if word not in self.pieces:
            self.pieces[word] = tuple(self.tokenizer(word)["input_ids"])
        return self.pieces[word]


TARGETS = {"truth": TrueTargets, "words": WordTargets}


def _compact(ids, counts, tokens, probs) -> Document:
    """Keep many documents in little memory."""
    ids, tokens = np.array(ids, np.int32), np.array(tokens, np.int32)
    return Document(
        ids, np.array(counts, np.int32), tokens, np.array(probs, np.float32)
    )


class Batch(NamedTuple):
    """Rows of documents, padded, and their targets; ``places`` count along the rows."""

    input_ids: torch.Tensor  # (batch, seq)
    used: torch.Tensor  # (batch * seq,), 1 where there is a target, else 0
    places: torch.Tensor  # (entries,), for each entry its place in the flattened batch
    tokens: torch.Tensor  # (entries,)
    probs: torch.Tensor  # (entries,)

    def to(self, device) -> "Batch":
        """Move all tensors to a device."""
        return Batch(*(tensor.to(device) for tensor in self))


def collate(rows: list[Document], end: int) -> Batch:
    """Pad rows on the right with the end token, which no target asks for there."""
    width = max(len(row.ids) for row in rows)
    ids = np.full((len(rows), width), end)
    used = np.zeros((len(rows), width), np.float32)
    places = []
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = row.ids
        used[i, : len(row.counts)] = 1
        places.append(np.repeat(i * width + np.arange(len(row.counts)), row.counts))
    tokens = np.concatenate([row.tokens for row in rows]).astype(np.int64)
    probs = np.concatenate([row.probs for row in rows])
    arrays = ids, used.flatten(), np.concatenate(places), tokens, probs
    return Batch(*map(torch.from_numpy, arrays))


def backward(hidden: torch.Tensor, head, batch: Batch) -> tuple[float, float]:
    """Send the gradient of the cross-entropy back, from ``hidden`` (batch, seq, width).

    Return the cross-entropy with the targets and how much of it must remain, which is
    the targets' own entropy; the difference is the divergence (KL). Both are means over
    the places, in nats. ``head`` makes logits of a few places at a time: those of a
    whole batch and their softmax would be written to fresh memory at each step, which
    takes a third of its time.
    """
    flat = hidden.flatten(0, 1)  # (batch * seq, width)
    leaf, places, total = flat.detach().requires_grad_(), batch.used.sum(), 0.0
    starts = torch.arange(0, len(leaf) + AT_ONCE, AT_ONCE, device=leaf.device)
    edges = torch.searchsorted(batch.places, starts).tolist()
    for part, start, entries in zip(
        leaf.split(AT_ONCE), starts, map(slice, edges, edges[1:]), strict=False
    ):
        logs = head(part).float().log_softmax(-1)  # (places, vocab)
        said = logs[batch.places[entries] - start, batch.tokens[entries]]
        loss = -(batch.probs[entries] * said).sum() / places
        loss.backward()
        total += loss.item()
    flat.backward(leaf.grad)
    entropy = -(batch.probs * batch.probs.log()).sum() / places
    return total, entropy.item()
