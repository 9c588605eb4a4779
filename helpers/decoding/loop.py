"""The loop: how next-token distributions become a text, a token at a time."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from helpers.decoding.choice import Picker, choose, ended, greedy
from helpers.decoding.reader import Reader
from helpers.decoding.rules import apply
from helpers.inputs import check_end, check_functions, check_mask, check_prompt


@torch.inference_mode()
def loop(
    model, input_ids, *, rules, pick, max_new_tokens, eos_token_id, attention_mask, stop
):
    """Yield (ids so far, next_logits, the same after the rules) for each new token."""
    ids = unread = input_ids.long().clone()  # (batch, seq); rules may write into them
    reader = Reader(model, len(ids), ids.shape[1] + max_new_tokens, attention_mask)
    done = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)  # (batch,)
    filler = model.config.eos_token_id if eos_token_id is None else eos_token_id
    for _ in range(max_new_tokens):
        next_logits = reader.read(unread)  # (batch, vocab)
        allowed = apply(rules, ids, next_logits)  # (batch, vocab)
        chosen = choose(pick, allowed)  # (batch,)
        if done.any():  # rows are equally long: those that ended are filled up
            chosen = chosen.masked_fill(done, filler)
        ids = torch.cat([ids, chosen[:, None]], dim=1)  # (batch, seq + 1)
        # Asked only now, since the token that ends a text belongs to it.
        done = ended(done, ids, allowed, eos_token_id=eos_token_id, stop=stop)
        yield ids, next_logits, allowed
        if done.all():
            return
        unread = chosen[:, None]  # (batch, 1); the reader has kept the rest


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

    Returns (batch, seq + at most max_new_tokens). Raises ValueError for a prompt that
    is empty, too long or padded on the right, ids outside the vocabulary, or logits
    that leave no token to choose, TypeError for what is no rule, picker or criterion.
    """
    options = dict(rules=rules, pick=pick, max_new_tokens=max_new_tokens, stop=stop)
    options |= dict(eos_token_id=eos_token_id, attention_mask=attention_mask)
    _check(model, input_ids, **options)
    for so_far, _, _ in loop(model, input_ids, **options):
        ids = so_far
    return ids.clone()  # what was made in inference mode cannot be trained on


class Step(NamedTuple):
    """One token being chosen."""

    token: int
    logits: torch.Tensor  # (vocab,), the model's
    allowed: torch.Tensor  # (vocab,), the same after the rules

    @property
    def prob(self) -> float:
        """The token's probability after the rules."""
        return self.allowed.softmax(dim=-1)[self.token].item()


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
    """Yield the steps of ``generate`` for one text, each as soon as it is made."""
    options = dict(rules=rules, pick=pick, max_new_tokens=max_new_tokens, stop=stop)
    options |= dict(eos_token_id=eos_token_id, attention_mask=None)
    _check(model, input_ids, one=True, **options)
    states = loop(model, input_ids, **options)
    return (Step(ids[0, -1].item(), logits[0], new[0]) for ids, logits, new in states)


def _check(model, input_ids, *, pick, stop, attention_mask, **options) -> None:
    check_prompt(model, input_ids, **options)
    if attention_mask is not None:
        check_mask(attention_mask, input_ids)
    check_functions("stop", stop)
    if not callable(pick):
        raise TypeError(f"pick is {pick!r}, expected greedy or sample(seed)")
    if stop and options["eos_token_id"] is None and len(input_ids) > 1:
        check_end(model, model.config.eos_token_id)  # fills up the rows that ended
