"""How good is a model: its loss on texts, beside the least that there can be."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch.nn.functional import cross_entropy

from helpers.inputs import check_ids, expect, whole
from helpers.tokens import check_text, pad
from helpers.worlds import FRESH, Mean, World, ratio


@torch.inference_mode()
def document_losses(
    model, tokenizer, texts: list[str], *, batch_size: int = 32
) -> tuple[list[float], list[int]]:
    """Return each text's loss in nats, summed over its tokens, and their number.

    The end token stands before a text, where it is read, and after it, where it is
    predicted: a text of n tokens gives n + 1 predictions. The model is the engine or
    one of transformers. Raises ValueError for no texts, or one it cannot read.
    """
    eos = tokenizer.eos_token_id
    rows = [[eos, *ids, eos] for ids in ids_of(tokenizer, texts)]
    losses = [0.0] * len(rows)
    for batch in batches_by_length(rows, batch_size):
        ids = pad([rows[i] for i in batch], eos).to(model.device)  # (batch, seq)
        check_ids(model, ids)
        # No pad is masked: on the right, no token of the text can look at it.
        output = model(ids, attention_mask=torch.ones_like(ids))
        logits = getattr(output, "logits", output)[:, :-1].float()
        nats = cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
        for i, row in zip(batch, nats, strict=True):  # row: (seq - 1,)
            losses[i] = row[: len(rows[i]) - 1].sum().item()
    return losses, [len(row) - 1 for row in rows]


class Gap(NamedTuple):
    """A model beside the best possible one, on the same texts; nats per token."""

    loss: Mean
    floor: Mean  # the entropy of the world
    excess: Mean  # loss - floor, the KL divergence; paired, so its error is smaller


def gap_to_floor(
    model, tokenizer, world: World, n: int = 500, *, share: float = 1, seed: int = FRESH
) -> Gap:
    """Measure a model beside the entropy floor on ``n`` texts it never saw.

    ``share`` is that of the world in what the model has read: before the first word it
    cannot know more of where it is.
    """
    expect("n", n, whole(), "a whole number from 1")
    texts = [world.sample(seed + i) for i in range(n)]
    losses, tokens = document_losses(model, tokenizer, texts)
    least = [-world.log_prob(text) - math.log(share) for text in texts]
    excess = [loss - floor for loss, floor in zip(losses, least, strict=True)]
    return Gap(ratio(losses, tokens), ratio(least, tokens), ratio(excess, tokens))


def ids_of(tokenizer, texts: list[str]) -> list[list[int]]:
    """Return the ids of each text; raise ValueError for what is no list of texts."""
    if not isinstance(texts, (list, tuple)) or not texts:
        raise ValueError(f"expected a list of texts, got {texts!r:.40}")
    return [tokenizer(check_text(text))["input_ids"] for text in texts]


def batches_by_length(rows: list[list[int]], size: int) -> Iterator[list[int]]:
    """Yield the numbers of ``size`` rows at a time, short rows first: fewer pads."""
    expect("batch_size", size, whole(), "a whole number from 1")
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(order), size):
        yield order[start : start + size]
