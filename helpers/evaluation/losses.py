"""How good is a model: its loss on texts, and what share of its texts is right."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from helpers.decoding import Picker, generate, greedy
from helpers.gpt2 import GPT2
from helpers.inputs import context_length
from helpers.worlds import FRESH, Slip, World, ratio


class Gap(NamedTuple):
    """A model beside the best possible one, on the same texts of a world."""

    loss: float  # nats per token
    loss_error: float  # its standard error
    floor: float  # entropy of the world, nats per token
    floor_error: float
    excess: float  # loss - floor: KL divergence, nats per token
    excess_error: float  # of the paired difference, so much smaller


def in_batches(items: list, size: int) -> Iterator[list]:
    """Yield ``items`` in lists of at most ``size``."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@torch.inference_mode()
def document_losses(
    model, tokenizer, texts: list[str], *, batch_size: int = 32
) -> tuple[list[float], list[int]]:
    """Return each text's loss in nats, summed over its tokens, and their number.

    The end token stands before a text, where it is read, and after it, where it is
    predicted: a text of n tokens gives n + 1 predictions.
    """
    eos = tokenizer.eos_token_id
    rows = [[eos, *ids, eos] for ids in tokenizer(texts)["input_ids"]]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    losses = [0.0] * len(rows)
    for batch in in_batches(order, batch_size):
        longest = max(len(rows[i]) for i in batch)
        padded = [rows[i] + [eos] * (longest - len(rows[i])) for i in batch]
        ids = torch.tensor(padded, device=model.device)  # (batch, seq)
        output = model(ids, attention_mask=torch.ones_like(ids))
        logits = output if isinstance(model, GPT2) else output.logits
        nats = torch.nn.functional.cross_entropy(
            logits[:, :-1].float().transpose(1, 2), ids[:, 1:], reduction="none"
        )  # (batch, seq - 1)
        for i, row in zip(batch, nats, strict=True):
            losses[i] = row[: len(rows[i]) - 1].sum().item()
    return losses, [len(row) - 1 for row in rows]


def gap_to_floor(
    model, tokenizer, world: World, n: int = 500, *, seed: int = FRESH
) -> Gap:
    """Measure a model beside the entropy floor on ``n`` texts it never saw."""
    texts = [world.sample(seed + i) for i in range(n)]
    losses, tokens = document_losses(model, tokenizer, texts)
    least = [-world.log_prob(text) for text in texts]
    excess = [a - b for a, b in zip(losses, least, strict=True)]
    return Gap(*ratio(losses, tokens), *ratio(least, tokens), *ratio(excess, tokens))


def sample_texts(
    model,
    tokenizer,
    n: int,
    *,
    prompts: Sequence[str] = ("",),
    batch_size: int = 64,
    rules=(),
    pick: Picker = greedy,
    max_new_tokens: int = 300,
) -> list[str]:
    """Let the model write ``n`` documents, the prompts taken in turn.

    Args:
        model: the engine, or a causal language model of transformers.
        tokenizer: its tokenizer; the end token begins and ends a document.
        n: how many.
        prompts: beginnings of documents; the texts come in their order.
        batch_size: documents written at a time.
        rules: change the logits, in this order.
        pick: chooses the tokens.
        max_new_tokens: at most so many, or what fits; a longer text is cut.

    Returns:
        The texts, each with its beginning.
    """
    eos = tokenizer.eos_token_id
    rows = [[eos, *tokenizer(p)["input_ids"]] for p in prompts]
    rows = (rows * (n // len(rows) + 1))[:n]
    texts = [""] * n
    for batch in in_batches(sorted(range(n), key=lambda i: len(rows[i])), batch_size):
        longest = max(len(rows[i]) for i in batch)
        left = [longest - len(rows[i]) for i in batch]
        ids = [[eos] * pad + rows[i] for pad, i in zip(left, batch, strict=True)]
        mask = [[0] * pad + [1] * (longest - pad) for pad in left]
        output = generate(
            model,
            torch.tensor(ids, device=model.device),  # (batch, seq), padded on the left
            attention_mask=torch.tensor(mask, device=model.device),
            rules=rules,
            pick=pick,
            max_new_tokens=min(context_length(model) - longest, max_new_tokens),
            eos_token_id=eos,
        )[:, longest:].tolist()
        for i, new in zip(batch, output, strict=True):
            end = new.index(eos) if eos in new else len(new)
            texts[i] = tokenizer.decode(rows[i][1:] + new[:end])
    return texts


def accepted(
    texts: list[str], judge: Callable[[str], Slip | None]
) -> tuple[float, list[Slip]]:
    """Return the share of texts that are right, and the others' first errors."""
    slips = [slip for slip in map(judge, texts) if slip is not None]
    return 1 - len(slips) / len(texts), slips
