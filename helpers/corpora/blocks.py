"""Blocks: documents as rows of token ids, none of them wasted on pads."""

from collections.abc import Iterable, Iterator

import torch

from helpers.inputs import expect, whole


def packed(tokenizer, documents: Iterable[str], size: int) -> Iterator[torch.Tensor]:
    """Yield blocks (size,) of ids: documents one after the other, cut at the edges.

    The end token stands before each document and after the last. What does not fill
    a block at the end is left out. Raises ValueError for a size below 2, or if all
    documents together are shorter than a block.
    """
    expect("size", size, whole(least=2), "a whole number from 2")
    end, row, blocks = tokenizer.eos_token_id, [], 0
    for text in documents:
        row += [end, *tokenizer(text, verbose=False)["input_ids"]]
        whole_ = len(row) - len(row) % size
        for start in range(0, whole_, size):
            blocks += 1
            yield torch.tensor(row[start : start + size])
        row = row[whole_:]
    row.append(end)
    if len(row) >= size:
        yield torch.tensor(row[:size])
    elif not blocks:
        line = f"all documents together have {len(row)} tokens, less than a block"
        raise ValueError(f"{line} of {size}: give more text, or a smaller block")
