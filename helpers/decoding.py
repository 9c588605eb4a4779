"""Decoding: how next-token distributions become a text.

Each step reads logits, lets the rules change them, and picks a token:

    input_ids -> model -> next_logits (batch, vocab) -> rules -> pick -> ids (batch,)

The rules are in ``helpers.rules``, the searches in ``helpers.searching``; all of them
can be imported from here. A model is the engine of ``helpers.gpt2`` or one of
transformers.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

from helpers.reading import Reader, check_prompt
from helpers.rules import (
    Rule,
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    temperature,
    top_k,
    top_p,
    typical_p,
)
from helpers.searching import Hypothesis, beam_search, contrastive_search

__all__ = [
    "Hypothesis",
    "Picker",
    "Rule",
    "Step",
    "Stop",
    "beam_search",
    "contrastive_search",
    "generate",
    "greedy",
    "min_p",
    "no_repeat_ngram",
    "repetition_penalty",
    "sample",
    "stop_string",
    "stream",
    "temperature",
    "top_k",
    "top_p",
    "typical_p",
]

Picker = Callable[[torch.Tensor], torch.Tensor]  # next_logits to ids (batch,)
Stop = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # as StoppingCriteria


class Step(NamedTuple):
    """One token being chosen."""

    token: int
    prob: float  # the probability it was chosen with
    before: torch.Tensor  # (vocab,), the model's distribution
    after: torch.Tensor  # (vocab,), the same after the rules


def greedy(next_logits: torch.Tensor) -> torch.Tensor:
    """Pick the likeliest token of each row: (batch, vocab) to (batch,)."""
    return next_logits.argmax(dim=-1)


def sample(generator: torch.Generator | int) -> Picker:
    """Return a picker that draws from the distribution; an int is a new seed.

    The same seed gives the same ids only for the same calls in the same order.
    """

    def pick(next_logits: torch.Tensor) -> torch.Tensor:
        nonlocal generator
        if isinstance(generator, int):
            generator = torch.Generator(next_logits.device).manual_seed(generator)
        probs = next_logits.softmax(dim=-1)
        return probs.multinomial(1, generator=generator).squeeze(-1)

    return pick


def stop_string(tokenizer, text: str) -> Stop:
    """Return a criterion that is met when the last token completes ``text``.

    A token that goes on beyond ``text`` completes it too. Raises ValueError for "".
    """
    if not text:
        raise ValueError("the string to stop at is empty: every text contains it")
    enough = len(text.encode())  # tokens, as none is shorter than a byte

    def met(input_ids: torch.Tensor, next_logits: torch.Tensor) -> torch.Tensor:
        before = tokenizer.batch_decode(input_ids[:, -enough:-1])
        until = tokenizer.batch_decode(input_ids[:, -enough:])
        pairs = zip(before, until, strict=True)
        found = [text not in short and text in long for short, long in pairs]
        return torch.tensor(found, device=input_ids.device)

    return met


@torch.inference_mode()
def generate(
    model,
    input_ids: torch.Tensor,
    *,
    rules=(),
    pick: Picker = greedy,
    max_new_tokens: int,
    eos_token_id: int | None = None,
    attention_mask: torch.Tensor | None = None,
    stop=(),
) -> torch.Tensor:
    """Continue each row token by token; return ids, the prompt included.

    Args:
        model: the engine, or a causal language model of transformers.
        input_ids: (batch, seq), padded on the left where lengths differ.
        rules: change the logits, in this order.
        pick: chooses the tokens.
        max_new_tokens: at most so many, for every row.
        eos_token_id: ends its row; the row is then filled up with it.
        attention_mask: (batch, seq), 0 for pads.
        stop: criteria ``(input_ids, next_logits) -> (batch,) bool`` that end a row.

    Returns:
        (batch, seq + at most max_new_tokens).

    Raises:
        ValueError: for a prompt that is empty, too long or padded on the right, ids
            outside the vocabulary, or logits that leave no token to choose.
    """
    options = (rules, pick, max_new_tokens, eos_token_id, attention_mask, stop)
    last = deque(_steps(model, input_ids, *options), maxlen=1)
    return last[0][0]


@torch.no_grad()
def stream(
    model,
    input_ids: torch.Tensor,
    *,
    rules=(),
    pick: Picker = greedy,
    max_new_tokens: int,
    eos_token_id: int | None = None,
    stop=(),
) -> Iterator[Step]:
    """Yield the steps of ``generate`` for one text, each as soon as it is made.

    Raises:
        ValueError: as ``generate``, and for more than one row.
    """
    if input_ids.dim() == 2 and len(input_ids) > 1:
        raise ValueError(f"expected one text to stream, got {len(input_ids)} rows")
    for ids, logits, allowed in _steps(
        model, input_ids, rules, pick, max_new_tokens, eos_token_id, None, stop
    ):
        token, after = ids[0, -1].item(), allowed[0].softmax(dim=-1)
        yield Step(token, after[token].item(), logits[0].softmax(dim=-1), after)


def _steps(model, input_ids, rules, pick, max_new_tokens, eos_token_id, mask, stop):
    """Yield (ids so far, next_logits, next_logits after the rules) at every step."""
    check_prompt(model, input_ids, mask, max_new_tokens)
    batch, prompt = input_ids.shape
    reader = Reader(model, batch, prompt + max_new_tokens, mask)
    ids = input_ids.new_empty(batch, prompt + max_new_tokens)
    ids[:, :prompt] = unread = input_ids
    done = torch.zeros(batch, dtype=torch.bool, device=ids.device)
    may_end = eos_token_id is not None or bool(stop)
    end_id = model.config.eos_token_id if eos_token_id is None else eos_token_id
    for end in range(prompt, prompt + max_new_tokens):
        logits = allowed = reader.read(unread)  # (batch, vocab)
        for rule in rules:
            allowed = rule(ids[:, :end], allowed)
        check_choice(allowed)
        chosen = pick(allowed)  # (batch,)
        if may_end:
            chosen = chosen.masked_fill(done, end_id)  # ended rows are filled up
        ids[:, end] = chosen
        if eos_token_id is not None:
            done = done | (chosen == eos_token_id)
        for criterion in stop:
            done = done | criterion(ids[:, : end + 1], allowed)
        yield ids[:, : end + 1], logits, allowed
        if may_end and done.all():
            return
        unread = chosen[:, None]


def check_choice(next_logits: torch.Tensor) -> None:
    """Raise ValueError for logits from which no token can be chosen."""
    largest = next_logits.amax(dim=-1)  # (batch,), NaN where one logit is
    if not largest.isfinite().all():
        kind = "NaN among the logits" if largest.isnan().any() else "no token allowed"
        row = (~largest.isfinite()).nonzero()[0].item()
        raise ValueError(f"{kind} in row {row}: a rule forbade all, or the model broke")
