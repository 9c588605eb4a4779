"""Text to token ids and back: GPT-2's byte-level BPE from scratch, and tokens to see.

The way in: text -> pieces (``pretokenise``) -> byte symbols (``to_symbols``) ->
tokens (``apply_bpe``, in bpe.py) -> ids. Merges are learned by ``train_bpe``.

Source: Radford et al. 2019, section 2.2, for the bytes and the pieces.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import NamedTuple

from helpers.tokens.bpe import Pair, apply_bpe, learn_merges

END = "<|endoftext|>"
# Applied to the shape of a text, in which every letter and digit is an ASCII one.
PIECE = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
    re.ASCII,
)
TINTS = ("#cfe6f7", "#fde2bd", "#d2efdf", "#f3d9e8")  # behind black letters


@lru_cache
def byte_symbols() -> dict[int, str]:
    """Return GPT-2's printable character for each of the 256 bytes.

    A byte that prints as itself in Latin-1 keeps its character; the 68 others
    (space, control characters …) get the characters from U+0100 on, in order. So a
    space is ``Ġ``. The keys come in the order of GPT-2's first 256 token ids.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable}
    return table | {byte: chr(0x100 + i) for i, byte in enumerate(others)}


@lru_cache
def _symbol_bytes() -> dict[str, int]:
    return {symbol: byte for byte, symbol in byte_symbols().items()}


def to_symbols(text: str) -> str:
    """Write the UTF-8 bytes of a text as byte symbols: " Tom" becomes "ĠTom"."""
    table = byte_symbols()
    return "".join(table[byte] for byte in text.encode("utf-8"))


def to_bytes(token: str) -> bytes:
    """Return the bytes that a token's symbols stand for."""
    table = _symbol_bytes()
    if not table.keys() >= set(token):  # an added token, such as "<two words>"
        return token.encode("utf-8")
    return bytes(table[symbol] for symbol in token)


def pretokenise(text: str) -> list[str]:
    """Cut a text into the pieces that no merge crosses; joining gives it back.

    A piece is a word, a number or a run of signs, each with one space before it, or
    white space. The library's pattern asks for Unicode's letters and numbers, which
    ``re`` cannot name; so the *shape* of the text is cut in place of the text. (A
    letter newer than this Python's Unicode counts as a sign.)
    """
    shape = text if text.isascii() else "".join(map(_shape, text))
    return [text[slice(*match.span())] for match in PIECE.finditer(shape)]


def _shape(character: str) -> str:
    """Return an ASCII character of the same kind: letter, number, space or sign."""
    if character.isascii():
        return character
    kind = unicodedata.category(character)[0]
    return {"L": "A", "N": "0"}.get(kind, "\t" if character.isspace() else "!")


def train_bpe(text: str, n_merges: int) -> list[Pair]:
    """Learn merges from a text, most frequent pair first; ties as in `learn_merges`."""
    pieces = Counter(tuple(to_symbols(piece)) for piece in pretokenise(text))
    return learn_merges(pieces, n_merges)


class BPE:
    """A byte-level BPE tokenizer.

    Args:
        merges: Pairs of symbols, in the order in which they were learned.
        vocab: {token: id}; left out, it is GPT-2's order: the 256 bytes, one token
            for each merge, then ``<|endoftext|>``.
    """

    def __init__(self, merges: Iterable[Pair], vocab: Mapping[str, int] | None = None):
        """Keep the rank of each merge and the token of each id."""
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(merges)}
        if vocab is None:
            tokens = [*byte_symbols().values(), *map("".join, self.ranks), END]
            vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
        self.vocab = dict(vocab)
        self.tokens = {i: token for token, i in self.vocab.items()}

    @classmethod
    def from_hf(cls, tokenizer) -> "BPE":
        """Take the merges and the vocabulary of a GPT-2 tokenizer of the library."""
        model = json.loads(tokenizer.backend_tokenizer.to_str())["model"]
        return cls(model["merges"], tokenizer.get_vocab())

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text; ``<|endoftext|>`` in it is one token."""
        tokens: list[str] = []
        for part in re.split(f"({re.escape(END)})", text):
            if part == END and END in self.vocab:
                tokens.append(END)
                continue
            for piece in pretokenise(part):
                tokens += apply_bpe(to_symbols(piece), self.ranks)
        return [self.vocab[token] for token in tokens]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text; bytes that are no UTF-8 become the sign U+FFFD."""
        tokens = self.convert_ids_to_tokens(ids)
        return b"".join(map(to_bytes, tokens)).decode("utf-8", errors="replace")

    def convert_ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the token of each id, written in byte symbols.

        Raises:
            ValueError: For an id that is not in the vocabulary.
        """
        ids = [int(i) for i in ids]
        if unknown := [i for i in ids if i not in self.tokens]:
            last = max(self.tokens)
            raise ValueError(f"no token has the id {unknown[0]}: ids go to {last}")
        return [self.tokens[i] for i in ids]


class TokenRow(NamedTuple):
    """One token of a text."""

    id: int
    token: str  # in byte symbols, as the library shows it
    bytes: bytes


class TokenView:
    """The tokens of a text, for the eye: boxes in a notebook, bars in plain text."""

    def __init__(self, rows: Sequence[TokenRow], *, ids: bool = False):
        """Keep the rows, and whether to show the ids."""
        self.rows, self.ids = list(rows), ids

    def __repr__(self) -> str:
        """Return one line, a bar at every border between tokens."""
        shown = [visible(row.bytes) + f" {row.id}" * self.ids for row in self.rows]
        return f"{len(shown)} tokens: |{'|'.join(shown)}|"

    def _repr_html_(self) -> str:
        """Return a box for each token: readable without colours and in dark mode."""
        boxes = [self._box(i, row) for i, row in enumerate(self.rows)]
        head = f'<div role="list" aria-label="{len(boxes)} tokens" dir="ltr">'
        return head + " ".join(boxes) + "</div>"

    def _box(self, position: int, row: TokenRow) -> str:
        style = (
            f"background:{TINTS[position % len(TINTS)]};color:#000;margin:1px 0;"
            "display:inline-block;border:1px solid #555;border-radius:3px;padding:0 3px"
        )
        start = f'<code role="listitem" title="id {row.id}" style="{style}">'
        number = f" <small>{row.id}</small>" * self.ids
        return start + escape(visible(row.bytes)) + number + "</code>"


def visible(token: bytes) -> str:
    """Write a token so that it can be seen: · for a space, ↵, →, bytes as <F0 9F>."""
    text = token.decode("utf-8", errors="replace")
    text = text.translate({ord(" "): "·", ord("\n"): "↵", ord("\t"): "→"})
    if text.isprintable() and "\ufffd" not in text:
        return text
    return f"<{token.hex(' ').upper()}>"


def token_table(text: str, tokenizer) -> list[TokenRow]:
    """Return (id, token, bytes) for each token; the tokenizer is a `BPE` or GPT-2's."""
    ids = tokenizer.encode(text)
    tokens = tokenizer.convert_ids_to_tokens(ids)
    return [TokenRow(*row, to_bytes(row[1])) for row in zip(ids, tokens, strict=True)]


def show_tokens(text: str, tokenizer, *, ids: bool = False) -> TokenView:
    """Show the tokens of a text as coloured boxes, with their ids if asked for."""
    return TokenView(token_table(text, tokenizer), ids=ids)
