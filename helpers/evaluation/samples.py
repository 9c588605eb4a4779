"""Samples: documents that a model writes."""

from collections.abc import Sequence

from helpers.decoding import Picker, generate, greedy
from helpers.evaluation.losses import batches_by_length, ids_of
from helpers.inputs import context_length, expect, whole
from helpers.tokens import pad


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
    """Let the model write ``n`` documents, each returned with its beginning.

    The prompts are taken in turn, ``batch_size`` documents written at a time. Model,
    rules and picker are those of ``generate``. A text longer than ``max_new_tokens``,
    or than fits, is cut. Raises ValueError for no prompts or options out of range.
    """
    expect("n", n, whole(), "a whole number from 1")
    eos, given = tokenizer.eos_token_id, ids_of(tokenizer, prompts)
    rows = [[eos, *given[i % len(given)]] for i in range(n)]
    texts, room = [""] * n, context_length(model)
    for batch in batches_by_length(rows, batch_size):
        starts = [rows[i] for i in batch]
        ids = pad(starts, eos, side="left").to(model.device)  # (batch, seq)
        mask = pad([[1] * len(row) for row in starts], 0, side="left").to(model.device)
        seq = ids.shape[1]
        options = {"rules": rules, "pick": pick, "eos_token_id": eos}
        options["max_new_tokens"] = max(1, min(room - seq, max_new_tokens))
        written = generate(model, ids, attention_mask=mask, **options)[:, seq:]
        for i, new in zip(batch, written.tolist(), strict=True):
            end = new.index(eos) if eos in new else len(new)
            texts[i] = tokenizer.decode(rows[i][1:] + new[:end])
    return texts
