"""Tokens to see: as a table, as boxes in a notebook, and each space a sign."""

from collections.abc import Sequence
from html import escape
from itertools import cycle
from typing import NamedTuple

from helpers.tokens.byte_level import check_text, to_bytes

TINTS = ("#cfe6f7", "#fde2bd", "#d2efdf", "#f3d9e8")  # behind black letters
BOX = "color:#000;margin:1px 0;display:inline-block;border:1px solid #555;"
BOX += "border-radius:3px;padding:0 3px;background:"
MOST = 2000  # boxes in one view: 171 bytes of HTML each, and a browser draws them all


class TokenRow(NamedTuple):
    """One token of a text."""

    id: int
    token: str  # in byte symbols, as the library shows it
    bytes: bytes


def token_table(text: str, tokenizer) -> list[TokenRow]:
    """Return (id, token, bytes) for each token; the tokenizer is a `BPE` or GPT-2's."""
    ids = tokenizer.encode(check_text(text))
    tokens = tokenizer.convert_ids_to_tokens(ids)
    return [TokenRow(*row, to_bytes(row[1])) for row in zip(ids, tokens, strict=True)]


def show_tokens(text: str, tokenizer, *, ids: bool = False) -> "TokenView":
    """Show the tokens of a text as coloured boxes, with their ids if asked for."""
    return TokenView(token_table(text, tokenizer), ids=ids)


def visible(token: bytes) -> str:
    """Write a token so that it can be seen: · for a space, ↵, →, bytes as <F0 9F>."""
    text = token.decode("utf-8", errors="replace")
    text = text.translate({ord(" "): "·", ord("\n"): "↵", ord("\t"): "→"})
    if text.isprintable() and "\ufffd" not in text:
        return text
    return f"<{token.hex(' ').upper()}>"


class TokenView:
    """The first `MOST` tokens as boxes, which need no colours, or in plain text."""

    def __init__(self, rows: Sequence[TokenRow], *, ids: bool = False):
        self.rows, self.ids = list(rows), ids
        left_out = len(self.rows) - MOST
        self.note = f"… and {left_out:,} more tokens" if left_out > 0 else ""

    def __repr__(self) -> str:
        shown = [visible(row.bytes) for row in self.rows[:MOST]]
        if self.ids:
            shown = [f"{s} {row.id}" for s, row in zip(shown, self.rows, strict=False)]
        return f"{len(self.rows)} tokens: |{'|'.join(shown)}|{self.note}"

    def _repr_html_(self) -> str:
        boxes = []
        for tint, row in zip(cycle(TINTS), self.rows[:MOST], strict=False):
            number = f" <small>{row.id}</small>" if self.ids else ""
            start = f'<code role="listitem" title="id {row.id}" style="{BOX}{tint}">'
            boxes.append(f"{start}{escape(visible(row.bytes))}{number}</code>")
        head = f'<div role="list" aria-label="{len(self.rows)} tokens" dir="ltr">'
        return head + " ".join(boxes) + self.note + "</div>"
