"""Text to token ids and back: GPT-2's byte-level BPE from scratch.

The way in: text -> pieces (``pretokenise``) -> byte symbols (``to_symbols``) ->
tokens (``apply_bpe``, in bpe.py) -> ids. Source: Radford et al. 2019, section 2.2.
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from helpers.tokens.bpe import Pair, apply_bpe, learn_merges

END = "<|endoftext|>"
DATA = Path(__file__).resolve().parent.parent.parent / "data"
# Applied to the shape of a text, in which every letter and digit is an ASCII one.
PIECE = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+",
    re.ASCII,
)


class BPE:
    """A byte-level BPE tokenizer.

    ``merges``: pairs of symbols, in the order in which they were learned. ``vocab``:
    {token: id}; left out, it is GPT-2's order: the 256 bytes, one token for each merge,
    then ``<|endoftext|>``.
    """

    def __init__(self, merges: Iterable[Pair], vocab: Mapping[str, int] | None = None):
        pairs = [tuple(merge) for merge in merges]
        if wrong := [pair for pair in pairs if len(pair) != 2]:
            raise ValueError(f"expected merges as pairs of symbols, got {wrong[0]}")
        self.ranks = {pair: rank for rank, pair in enumerate(pairs)}
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

    @classmethod
    def gpt2(cls) -> "BPE":
        """Return GPT-2's own tokenizer, from the merges that OpenAI published."""
        text = (DATA / "gpt2-tokenizer" / "merges.txt").read_text("utf-8")
        return cls(tuple(line.split()) for line in text.splitlines()[1:])

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text; ``<|endoftext|>`` in it is one token."""
        tokens: list[str] = []
        for part in re.split(f"({re.escape(END)})", check_text(text)):
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
        """Return tokens in byte symbols; raise ValueError for an id without one."""
        ids = [int(i) for i in ids]
        if unknown := [i for i in ids if i not in self.tokens]:
            last = max(self.tokens)
            raise ValueError(f"no token has the id {unknown[0]}: ids go to {last}")
        return [self.tokens[i] for i in ids]


def train_bpe(text: str, n_merges: int) -> list[Pair]:
    """Learn merges from a text, most frequent pair first; ties as in `learn_merges`."""
    pieces = Counter(tuple(to_symbols(p)) for p in pretokenise(check_text(text)))
    return learn_merges(pieces, n_merges)


def pretokenise(text: str) -> list[str]:
    """Cut a text into the pieces that no merge crosses; joining gives it back.

    A piece is a word, a number or a run of signs, each with one space before it, or
    white space. The library's pattern asks for Unicode's letters and numbers, which
    ``re`` cannot name; so the *shape* of the text is cut in place of the text.
    """
    shape = text if text.isascii() else "".join(map(_shape, text))
    return [text[slice(*match.span())] for match in PIECE.finditer(shape)]


def _shape(character: str) -> str:
    """Return an ASCII character of the same kind: letter, number, space or sign."""
    if character.isascii():
        return character
    kind = unicodedata.category(character)[0]  # as this Python's Unicode knows it
    return {"L": "A", "N": "0"}.get(kind, "\t" if character.isspace() else "!")


@lru_cache
def byte_symbols() -> dict[int, str]:
    """Return GPT-2's printable character for each byte, in the order of its token ids.

    A byte that prints as itself in Latin-1 keeps its character; the 68 others
    (space, control characters …) get those from U+0100 on. So a space is ``Ġ``.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {byte: chr(byte) for byte in printable}
    return table | {byte: chr(0x100 + i) for i, byte in enumerate(others)}


BYTES = {symbol: byte for byte, symbol in byte_symbols().items()}


def to_symbols(text: str) -> str:
    """Write the UTF-8 bytes of a text as byte symbols: " Tom" becomes "ĠTom"."""
    return "".join(map(byte_symbols().get, text.encode("utf-8")))


def to_bytes(token: str) -> bytes:
    """Return the bytes that a token's symbols stand for."""
    if not BYTES.keys() >= set(token):  # an added token, such as "<two words>"
        return token.encode("utf-8")
    return bytes(BYTES[symbol] for symbol in token)


def check_text(text) -> str:
    """Return the text; raise ValueError for what is none or cannot be UTF-8."""
    if not isinstance(text, str):
        raise ValueError(f"expected a text, got {type(text).__name__}")
    if half := re.search(r"[\ud800-\udfff]", text):  # Python's strings may hold them
        what = f"character {half.start()}, {half[0]!r}, is half of a pair"
        raise ValueError(f"{what}: it cannot be written as UTF-8")
    return text
