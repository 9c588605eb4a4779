"""Decoding: how next-token distributions become a text.

Each step reads logits, lets the rules change them, and picks a token:

    input_ids -> model -> next_logits (batch, vocab) -> rules -> pick -> ids (batch,)

The rules are in ``helpers.rules``, the pickers in ``helpers.pickers``, the searches in
``helpers.searching``, what ends a text in ``helpers.stopping``; all of them can be
imported from here. A model is the engine of ``helpers.gpt2`` or one of transformers.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import torch

from helpers.decoding.choice import Picker, greedy
from helpers.decoding.reader import Reader
from helpers.decoding.rules import apply
from helpers.inputs import (
    INTEGERS,
    check_choice,
    check_end,
    check_functions,
    check_prompt,
)


class Step(NamedTuple):
    """One token being chosen."""

    token: int
    prob: float  # its probability after the rules
    before: torch.Tensor  # (vocab,), the model's distribution
    after: torch.Tensor  # (vocab,), the same after the rules


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
        TypeError: for what is no rule, picker or criterion.
    """
    options = (rules, pick, max_new_tokens, eos_token_id, attention_mask, stop)
    _check(model, input_ids, *options)
    with torch.inference_mode():
        last = deque(_steps(model, input_ids, *options), maxlen=1)
    return last[0][0].clone()  # a tensor that can be trained on, too


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
    options = (rules, pick, max_new_tokens, eos_token_id, None, stop)
    _check(model, input_ids, *options)
    if len(input_ids) > 1:
        raise ValueError(f"expected one text to stream, got {len(input_ids)} rows")
    return _stream(model, input_ids, options)


@torch.no_grad()
def _stream(model, input_ids, options) -> Iterator[Step]:
    for ids, logits, allowed in _steps(model, input_ids, *options):
        token, after = ids[0, -1].item(), allowed[0].softmax(dim=-1)
        yield Step(token, after[token].item(), logits[0].softmax(dim=-1), after)


def _steps(model, input_ids, rules, pick, max_new_tokens, eos_token_id, mask, stop):
    """Yield (ids so far, next_logits, next_logits after the rules) at every step."""
    batch, prompt = input_ids.shape
    mask = None if mask is None else mask.long()
    reader = Reader(model, batch, prompt + max_new_tokens, mask)
    ids = input_ids.new_empty(batch, prompt + max_new_tokens, dtype=torch.long)
    ids[:, :prompt] = unread = input_ids.long()
    done = torch.zeros(batch, dtype=torch.bool, device=ids.device)
    may_end = eos_token_id is not None or bool(stop)
    end_id = model.config.eos_token_id if eos_token_id is None else eos_token_id
    for end in range(prompt, prompt + max_new_tokens):
        logits = reader.read(unread)  # (batch, vocab)
        allowed = apply(rules, ids[:, :end], logits)
        check_choice(allowed)
        chosen = pick(allowed)  # (batch,)
        _check_picked(chosen, batch)
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


def _check_picked(chosen, batch: int) -> None:
    if not isinstance(chosen, torch.Tensor):
        raise TypeError(f"pick returned {type(chosen).__name__}, not ids ({batch},)")
    if chosen.shape != (batch,) or chosen.dtype not in INTEGERS:
        came = f"{chosen.dtype} {tuple(chosen.shape)}"
        raise TypeError(f"pick returned {came}, not ids ({batch},)")


def _check(model, input_ids, rules, pick, max_new_tokens, eos_token_id, mask, stop):
    check_prompt(model, input_ids, mask, max_new_tokens)
    check_end(model, eos_token_id)
    check_functions("rules", rules)
    check_functions("stop", stop)
    if not callable(pick):
        raise TypeError(f"pick is {pick!r}, expected greedy or sample(seed)")
    if stop and eos_token_id is None and len(input_ids) > 1:
        check_end(model, model.config.eos_token_id)  # fills up the rows that ended
