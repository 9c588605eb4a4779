"""Tokens: text to ids and back, GPT-2's byte-level BPE from scratch, tokens to see.

Read in this order: ``bpe`` (merges, on any symbols), ``byte_level`` (bytes, pieces,
and the tokenizer), ``documents`` (ids as a model reads them).
"""

from helpers.tokens.bpe import (
    Pair,
    apply_bpe,
    count_pairs,
    learn_merges,
    merge_pair,
    merge_words,
)
from helpers.tokens.byte_level import (
    BPE,
    END,
    PIECE,
    TokenRow,
    TokenView,
    byte_symbols,
    pretokenise,
    show_tokens,
    to_bytes,
    to_symbols,
    token_table,
    train_bpe,
    visible,
)
from helpers.tokens.documents import document_ids, pad, token_texts, word_starts

__all__ = [
    "BPE",
    "END",
    "PIECE",
    "Pair",
    "TokenRow",
    "TokenView",
    "apply_bpe",
    "byte_symbols",
    "count_pairs",
    "document_ids",
    "learn_merges",
    "merge_pair",
    "merge_words",
    "pad",
    "pretokenise",
    "show_tokens",
    "to_bytes",
    "to_symbols",
    "token_table",
    "token_texts",
    "train_bpe",
    "visible",
    "word_starts",
]
