"""Inputs: what callers give is checked before it is used, each mistake in one line.

The modules of decoding share these checks; learners read them last.
"""

import math
from collections.abc import Callable
from numbers import Real

import torch
from torch import nn

INTEGERS = (torch.int64, torch.int32)


def expect(name: str, value, right: Callable[[Real], bool], wanted: str) -> None:
    """Raise ValueError unless ``value`` is a number, and one that is ``right``."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and right(value)):
        raise ValueError(f"{name} is {value!r}, expected {wanted}")


def above_0(value: Real) -> bool:
    """Whether a number is above 0 and finite."""
    return 0 < value < math.inf


def whole(most: float = math.inf) -> Callable[[Real], bool]:
    """Return whether a number is an int from 1 to ``most``, as a function."""
    return lambda value: isinstance(value, int) and 1 <= value <= most


def check_functions(name: str, given) -> None:
    """Raise TypeError for what is not a list or tuple of functions."""
    if not isinstance(given, (list, tuple)):
        kind = type(given).__name__
        raise TypeError(f"expected {name} as a list of functions, got {kind}")
    for item in given:
        if not callable(item):
            raise TypeError(f"{name} has {item!r} in it, expected functions")


def context_length(model) -> int:
    """Return how many tokens the model can read at most."""
    return model.config.max_position_embeddings


def check_ids(model, input_ids) -> None:
    """Raise ValueError, one line, for token ids that the model cannot read."""
    _check_tokens(model, input_ids)
    context, length = context_length(model), input_ids.shape[1]
    if length > context:
        raise ValueError(f"{length} tokens, but the model reads at most {context}")


def check_prompt(model, input_ids, attention_mask, max_new_tokens: int) -> None:
    """Raise ValueError, one line, for a prompt that cannot be continued so far."""
    _check_tokens(model, input_ids)
    expect("max_new_tokens", max_new_tokens, whole(), "a whole number from 1")
    context, length = context_length(model), input_ids.shape[1]
    if length >= context:
        raise ValueError(
            f"the prompt has {length} tokens, but the model reads at most {context}, "
            "new ones included: shorten it"
        )
    if length + max_new_tokens > context:
        raise ValueError(
            f"{length} tokens of prompt and {max_new_tokens} new ones, but the model "
            f"reads at most {context}: shorten the prompt or lower max_new_tokens"
        )
    if attention_mask is not None:
        _check_mask(attention_mask, input_ids)
    parts = model.modules() if model.training else ()
    if any(isinstance(part, nn.Dropout) and part.p > 0 for part in parts):
        raise ValueError("the model is in train mode, with dropout: call model.eval()")


def check_end(model, eos_token_id) -> None:
    """Raise ValueError for what is neither None nor one token of the vocabulary."""
    vocab = model.config.vocab_size
    if eos_token_id is not None:
        wanted = f"one token's id, 0 … {vocab - 1}, or None"
        expect("eos_token_id", eos_token_id, lambda id: 0 <= id < vocab, wanted)


def check_choice(next_logits: torch.Tensor) -> None:
    """Raise ValueError for logits (batch, vocab) from which no token can be chosen."""
    largest = next_logits.amax(dim=-1)  # (batch,), NaN where one logit is
    if not largest.isfinite().all():
        row = (~largest.isfinite()).nonzero()[0].item()
        kinds = {math.inf: "an infinite logit", -math.inf: "no token allowed"}
        kind = kinds.get(largest[row].item(), "NaN among the logits")
        raise ValueError(f"{kind} in row {row}: a rule forbade all, or the model broke")


def _check_tokens(model, input_ids) -> None:
    if not isinstance(input_ids, torch.Tensor) or input_ids.dtype not in INTEGERS:
        kind = getattr(input_ids, "dtype", type(input_ids).__name__)
        raise ValueError(f"expected input_ids as a tensor of token ids, got {kind}")
    if input_ids.device != model.device:
        places = f"input_ids are on {input_ids.device}, the model is on {model.device}"
        raise ValueError(f"{places}: use input_ids.to(model.device)")
    if input_ids.dim() != 2 or input_ids.numel() == 0:
        shape = tuple(input_ids.shape)
        advice = "begin with the end-of-text token if there is no prompt"
        raise ValueError(f"expected input_ids (batch, seq), got {shape}: {advice}")
    vocab, least, most = model.config.vocab_size, input_ids.min(), input_ids.max()
    if least < 0 or most >= vocab:
        wrong = (least if least < 0 else most).item()
        raise ValueError(f"token id {wrong} is outside the vocabulary, 0 … {vocab - 1}")


def _check_mask(attention_mask, input_ids) -> None:
    if not isinstance(attention_mask, torch.Tensor):
        kind = type(attention_mask).__name__
        raise ValueError(f"expected attention_mask as a tensor, got {kind}")
    if attention_mask.shape != input_ids.shape:
        shapes = f"{tuple(attention_mask.shape)} beside {tuple(input_ids.shape)}"
        raise ValueError(f"attention_mask has another shape than input_ids: {shapes}")
    if ((attention_mask != 0) & (attention_mask != 1)).any():
        raise ValueError("attention_mask has other values than 1 and 0, 0 for pads")
    if not attention_mask[:, -1].all() or (attention_mask.long().diff(dim=1) < 0).any():
        raise ValueError(
            "the pads are not on the left, so the text would go on from a pad: "
            "set tokenizer.padding_side = 'left'"
        )
