"""Documents: texts as the ids that a model reads, from their beginning.

``<|endoftext|>`` stands between documents in training, so a model that reads a text
from its beginning reads that token first (GPT-2's tokenizer does not add it).
"""

from collections.abc import Sequence

import torch
from torch.nn.utils.rnn import pad_sequence

from helpers.tokens.byte_level import check_text, pretokenise


def document_ids(tokenizer, text: str) -> torch.Tensor:
    """Return the ids of ``<|endoftext|>`` and then of the text: (1, seq)."""
    ids = tokenizer(check_text(text))["input_ids"]
    return torch.tensor([[tokenizer.eos_token_id, *ids]])


def pad(rows: Sequence, value: int, *, side: str = "right") -> torch.Tensor:
    """Fill rows of ids up to the longest: (rows, longest), int64.

    Pads belong on the right for scoring, on the left for generation, where the last
    position has to be the text's last token.
    """
    tensors = [torch.tensor(row, dtype=torch.long) for row in rows]
    options = {"batch_first": True, "padding_side": side}
    return pad_sequence(tensors, padding_value=value, **options)


def word_starts(tokenizer, text: str) -> list[int]:
    """Return where words begin in ``document_ids``, and where the last one ends."""
    starts = [1]  # behind the end token
    for word in pretokenise(check_text(text)):
        starts.append(starts[-1] + len(tokenizer(word)["input_ids"]))
    return starts


def token_texts(batch, tokenizer, *, pad: str = "pad") -> list[list[str]]:
    """Return texts of a batch's ids, (batch, seq): ¶ for an end, ``pad`` if masked."""
    rows = []
    for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
        texts = [tokenizer.decode([token]) for token in ids.tolist()]
        texts = ["¶" if text == tokenizer.eos_token else text for text in texts]
        rows.append([t if real else pad for t, real in zip(texts, mask, strict=True)])
    return rows
