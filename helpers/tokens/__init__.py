"""Tokens: text to ids and back, GPT-2's byte-level BPE from scratch, tokens to see.

Read in this order: ``bpe`` (merges, on any symbols), ``byte_level`` (bytes, pieces,
and the tokenizer), ``show`` (tokens made visible), ``documents`` (ids as a model reads
them).
"""

from helpers.tokens.bpe import apply_bpe, count_pairs, learn_merges, merge_words
from helpers.tokens.byte_level import (
    BPE,
    END,
    PIECE,
    check_text,
    pretokenise,
    to_bytes,
    to_symbols,
    train_bpe,
)
from helpers.tokens.documents import document_ids, pad, token_texts, word_starts
from helpers.tokens.show import show_tokens, token_table, visible
