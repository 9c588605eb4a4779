"""Perplexity: how surprised a model is by texts longer than it can read at once.

A document is read in windows that slide: each is as long as the model reads, and only
the tokens that no earlier window has scored count, so every token is scored exactly
once whatever the stride. A small stride gives each token more to go by, and costs more
windows. ``perplexity`` reads a tensor of ids, ``corpus_perplexity`` any number of
documents, one at a time, so that they need not fit into memory.
"""

import math
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy

from helpers.gpt2 import GPT2
from helpers.inputs import check_within, context_length, expect, whole
from helpers.tokens import check_text, pad

AT_ONCE = 50_000  # characters that are tokenised at a time
ROWS = 64  # of logits made at a time, which a processor's cache has room for
PIECE = 16  # contexts: longer documents are several pieces in the error


class PerplexityResult(NamedTuple):
    """What ``tokens`` scored tokens cost; errors are standard errors."""

    nll: float  # nats per token
    error: float  # of nll; NaN for one piece of text
    tokens: int
    characters: int  # 0 where only ids were given, as for the next two
    bytes: int  # in UTF-8
    words: int  # pieces between white space
    pieces: int  # what the error takes as independent: documents, or parts of long ones

    @property
    def ppl(self) -> float:
        """Return exp(nll), by how many equal choices each token is a surprise."""
        return math.exp(min(self.nll, 700.0))

    @property
    def bits_per_token(self) -> float:
        """Return nll in bits."""
        return self.nll / math.log(2)

    @property
    def bits_per_byte(self) -> float:
        """Return bits per byte of text, which compares models of other tokenizers."""
        bits = self.bits_per_token * self.tokens
        return bits / self.bytes if self.bytes else math.nan

    @property
    def ppl_per_word(self) -> float:
        """Return the perplexity per word of the text: all nats over its words."""
        nats = self.nll * self.tokens / self.words if self.words else math.nan
        return math.exp(min(nats, 700.0))


Token = tuple[int, Sequence[float]]  # its id, its share of the text's sizes
NOTHING = 0.0, 0.0, 0.0  # characters, bytes, words: of what is not the text's own


class Window(NamedTuple):
    """Ids that are read, and how many of the last predictions count."""

    ids: Sequence[int]  # one longer than what is read: the last is only predicted
    scored: int
    piece: tuple  # of text, which the error takes as independent of all others
    sizes: list[float]  # characters, bytes, words that are scored


def perplexity(
    model, input_ids, *, stride: int | None = None, dtype=None, batch_size: int = 8
) -> PerplexityResult:
    """Return a model's perplexity on one text of any length.

    Args:
        model: the engine, or a GPT2LMHeadModel of transformers.
        input_ids: (seq,) or (1, seq); N ids give N - 1 scored tokens, since nothing
            stands before the first. With the end token in front all others count.
        stride: tokens that a window scores, but for the first, 1 to the context
            length; by default half of it.
        dtype: the precision to read in; by default that of the model's weights.
        batch_size: windows that are read at a time.

    Raises ValueError for fewer than two ids, ids outside the vocabulary, or a stride
    that skips tokens.
    """
    ids = torch.as_tensor(input_ids)
    if ids.dim() == 2 and len(ids) == 1:
        ids = ids[0]
    if ids.dim() != 1 or ids.is_floating_point() or len(ids) < 2:
        shape = tuple(ids.shape)
        raise ValueError(f"expected ids (seq,) of two tokens or more, got {shape}")
    sums = Sums(model, stride, dtype, batch_size)
    return last(sums.read([((i, NOTHING) for i in ids.tolist())]))


def corpus_perplexity(
    model,
    tokenizer,
    documents: Iterable[str],
    *,
    joined: bool = False,
    stride: int | None = None,
    dtype=None,
    batch_size: int = 8,
) -> PerplexityResult:
    """Return a model's perplexity on documents, each read from the end token on.

    Every token of every document is scored, the end of a document is not. Empty
    documents have nothing to score. ``joined`` documents are parts of one text: each is
    read on from the one before. Other options and errors as for ``perplexity``;
    ValueError if no document has a token.
    """
    options = {"stride": stride, "dtype": dtype, "batch_size": batch_size}
    results = running_perplexity(model, tokenizer, documents, joined=joined, **options)
    return last(results)


def running_perplexity(
    model,
    tokenizer,
    documents: Iterable[str],
    *,
    joined: bool = False,
    stride: int | None = None,
    dtype=None,
    batch_size: int = 8,
) -> Iterator[PerplexityResult]:
    """Yield the result so far, after each batch of windows: ``corpus_perplexity``."""
    if isinstance(documents, str):
        raise ValueError("expected documents, got one string: put it in a list")
    sums = Sums(model, stride, dtype, batch_size)
    texts = (_tokens(tokenizer, text) for text in documents)
    texts = [chain.from_iterable(texts)] if joined else texts
    first = tokenizer.eos_token_id, NOTHING
    yield from sums.read(chain([first], tokens) for tokens in texts)


def last(results: Iterator[PerplexityResult]) -> PerplexityResult:
    """Return the last of some results; ValueError if there is none."""
    newest = deque(results, maxlen=1)
    if not newest:
        raise ValueError("no document has a token to score")
    return newest[0]


def windows(tokens: Iterable, context: int, stride: int) -> Iterator[tuple]:
    """Yield (tokens, scored): all tokens but the first are scored, each of them once.

    A window reads up to ``context`` tokens and predicts one further. The last one is
    moved back to be full, like all others. Of the tokens, no more are held than one
    window has.
    """
    tokens = iter(tokens)
    window = list(islice(tokens, context + 1))
    scored = len(window) - 1
    while scored > 0:
        yield window, scored
        more = list(islice(tokens, stride))
        window, scored = (window + more)[-context - 1 :], len(more)


class Sums:
    """Sums over pieces of text: all that a result and its error need."""

    def __init__(self, model, stride, dtype, batch_size):
        self.context = context_length(model)
        self.stride = self.context // 2 if stride is None else stride
        name = f"a whole number from 1 to {self.context}, what the model reads"
        expect("stride", self.stride, whole(self.context), name)
        expect("batch_size", batch_size, whole(), "a whole number from 1")
        if not isinstance(model, GPT2):
            own = model.transformer.wte.weight.dtype
            model = GPT2.from_hf(model, own if dtype is None else dtype)
        elif dtype is not None and model.wte.weight.dtype != dtype:
            raise ValueError(f"the engine's weights are no {dtype}: give the model")
        self.engine, self.batch_size = model, batch_size
        self.open = defaultdict(lambda: [0.0, 0])  # nats and tokens of unfinished ones
        self.pieces, self.moments = 0, [0.0] * 5  # sums of nats, tokens, their products
        self.sizes = NOTHING

    def read(self, texts: Iterable[Iterable[Token]]) -> Iterator[PerplexityResult]:
        """Score each text's tokens; yield the result so far, batch by batch."""
        waiting = self._windows(texts)
        # Windows of like length are read together; a few batches wait at most.
        while some := list(islice(waiting, 16 * self.batch_size)):
            unfinished = some[-1].piece
            some.sort(key=lambda window: len(window.ids))
            for start in range(0, len(some), self.batch_size):
                self._score(some[start : start + self.batch_size])
                yield self.result()
            for piece in [piece for piece in self.open if piece != unfinished]:
                _add(self.moments, *self.open.pop(piece))
                self.pieces += 1

    def result(self) -> PerplexityResult:
        """Return what was scored so far."""
        sums, n = [*self.moments], self.pieces + len(self.open)
        for piece in self.open.values():
            _add(sums, *piece)
        nats, tokens, nats2, both, tokens2 = sums
        nll, error = nats / tokens, math.nan
        if n > 1:  # that of the delta method, as in worlds.ratio
            residuals = max(0.0, nats2 - 2 * nll * both + nll**2 * tokens2)
            error = math.sqrt(residuals / (n - 1) * n) / tokens
        sizes = map(round, [tokens, *self.sizes])
        return PerplexityResult(nll, error, *sizes, n)

    def _windows(self, texts) -> Iterator[Window]:
        for number, tokens in enumerate(texts):
            rows = windows(tokens, self.context, self.stride)
            for i, (row, scored) in enumerate(rows):
                ids, shares = zip(*row, strict=True)
                sizes = [sum(share) for share in zip(*shares[-scored:], strict=True)]
                part = i * self.stride // (PIECE * self.context)
                yield Window(ids, scored, (number, part), sizes)

    @torch.inference_mode()
    def _score(self, batch: list[Window]) -> None:
        ids = pad([window.ids for window in batch], 0).to(self.engine.device)
        vocabulary = "the vocabulary", self.engine.config.vocab_size
        check_within("token id", ids, *vocabulary)
        # No pad is masked: on the right, no token of the text can look at it.
        hidden = self.engine.hidden_states(ids[:, :-1])  # (batch, seq - 1, d_model)
        for window, row, states in zip(batch, ids, hidden, strict=True):
            end = len(window.ids) - 1
            here = slice(end - window.scored, end)  # only these need logits
            parts = states[here].split(ROWS), row[1:][here].split(ROWS)
            costs = []
            for part, wanted in zip(*parts, strict=True):
                logits = self.engine.head(part[None])[0]  # (rows, vocab)
                costs.append(cross_entropy(logits, wanted, reduction="sum"))
            piece = self.open[window.piece]
            piece[0] += sum(costs).item()
            piece[1] += window.scored
            self.sizes = [a + b for a, b in zip(self.sizes, window.sizes, strict=True)]


def _add(sums: list[float], nats: float, tokens: int) -> None:
    """Add a piece to sums of nats, tokens, and their products."""
    parts = nats, tokens, nats * nats, nats * tokens, tokens * tokens
    sums[:] = [a + b for a, b in zip(sums, parts, strict=True)]


def _tokens(tokenizer, text: str) -> Iterator[Token]:
    """Tokenise a text in parts, so that a very long line needs little memory.

    A part ends before a space between two characters that are none: no token of a
    byte-level tokenizer reaches across it. If none comes for long, it ends anyhow.
    """
    check_text(text)
    start, space = 0, re.compile(r"(?<=\S) (?=\S)")
    while start < len(text):
        found = space.search(text, start + AT_ONCE, start + 2 * AT_ONCE)
        end = found.start() if found else start + 2 * AT_ONCE
        part, start = text[start:end], end
        ids = tokenizer(part, verbose=False)["input_ids"]
        sizes = len(part), len(part.encode()), len(part.split())
        share = [size / len(ids) for size in sizes]
        for token in ids:
            yield token, share
