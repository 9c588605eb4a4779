"""Documents: texts as the ids that a model reads, from their beginning."""

import torch


def document_ids(tokenizer, text: str) -> torch.Tensor:
    """Return the ids of ``<|endoftext|>`` and then of the text: (1, seq)."""
    return torch.tensor([[tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]])
