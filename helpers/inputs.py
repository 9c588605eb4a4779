"""Inputs: what callers give is checked before it is used, each mistake in one line."""

import math
from collections.abc import Callable
from numbers import Integral, Real

import torch
from torch import nn

INTEGERS = (torch.int64, torch.int32)


def expect(name: str, value, right: Callable[[Real], bool], wanted: str) -> None:
    """Raise ValueError unless ``value`` is a number, and one that is ``right``."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and right(value)):
        raise ValueError(f"{name} is {value!r}, expected {wanted}")


def between(least: float, most: float) -> Callable[[Real], bool]:
    """Return whether a number is from ``least`` to ``most``, as a function."""
    return lambda value: least <= value <= most


def whole(most: float = math.inf, *, least: int = 1) -> Callable[[Real], bool]:
    """Return whether a number is an integer in that range, NumPy's too."""
    return lambda value: isinstance(value, Integral) and least <= value <= most


def check_functions(name: str, given) -> None:
    """Raise TypeError for what is not a list or tuple of functions."""
    if not isinstance(given, (list, tuple)):
        came = type(given).__name__
        raise TypeError(f"expected {name} as a list of functions, got {came}")
    for item in given:
        if not callable(item):
            raise TypeError(f"{name} has {item!r} in it, expected functions")


def context_length(model) -> int:
    """Return how many tokens the model can read at most."""
    return model.config.max_position_embeddings


def check_ids(model, input_ids) -> None:
    """Raise ValueError, one line, for token ids that the model cannot read."""
    kind = getattr(input_ids, "layout", type(input_ids).__name__)
    kind = input_ids.dtype if kind is torch.strided else kind  # else it is sparse
    if kind not in INTEGERS:
        raise ValueError(f"expected input_ids as a tensor of token ids, got {kind}")
    if input_ids.device != model.device:
        places = f"input_ids are on {input_ids.device}, the model is on {model.device}"
        raise ValueError(f"{places}: use input_ids.to(model.device)")
    if input_ids.dim() != 2 or input_ids.numel() == 0:
        shape = tuple(input_ids.shape)
        advice = "begin with the end-of-text token if there is no prompt"
        raise ValueError(f"expected input_ids (batch, seq), got {shape}: {advice}")
    check_within("token id", input_ids, "the vocabulary", model.config.vocab_size)
    check_room(model, input_ids)


def check_room(model, input_ids: torch.Tensor, cache=None) -> None:
    """Raise ValueError for more ids (batch, seq) than fit behind the cached ones."""
    (batch, length), context = input_ids.shape, context_length(model)
    if cache is not None:
        length += cache.length
        if length > cache.room or batch != cache.batch:
            room = f"the cache has room for {cache.batch} rows of {cache.room}"
            raise ValueError(f"{batch} rows of {length} tokens, but {room}")
    if length > context:
        raise ValueError(f"{length} tokens, but the model reads at most {context}")


def check_prompt(
    model, input_ids, *, max_new_tokens, eos_token_id, one=False, unread=1, rules=()
) -> None:
    """Raise ValueError, one line, for a prompt that cannot be continued like that.

    ``unread``: how many tokens at the end nobody reads, and so need no position.
    TypeError for rules that are no functions.
    """
    check_ids(model, input_ids)
    if one and len(input_ids) > 1:
        raise ValueError(f"expected one text to go on from, got {len(input_ids)} rows")
    expect("max_new_tokens", max_new_tokens, whole(), "a whole number from 1")
    if eos_token_id is not None:
        check_end(model, eos_token_id)
    length, context = input_ids.shape[1], context_length(model)
    if length + max_new_tokens > context + unread:
        raise ValueError(
            f"{length} tokens of prompt and {max_new_tokens} new ones, but the model "
            f"has {context} positions, for a text of {context + unread} tokens at "
            "most: shorten the prompt or lower max_new_tokens"
        )
    parts = model.modules() if model.training else ()
    if any(isinstance(part, nn.Dropout) and part.p > 0 for part in parts):
        raise ValueError("the model is in train mode, with dropout: call model.eval()")
    check_functions("rules", rules)


def check_end(model, eos_token_id) -> None:
    """Raise ValueError for what is not one token of the vocabulary."""
    last = model.config.vocab_size - 1
    wanted = f"one token's id, 0 … {last}"
    expect("eos_token_id", eos_token_id, whole(last, least=0), wanted)


def check_logits(logits: torch.Tensor) -> None:
    """Raise ValueError for what are no logits (batch, vocab)."""
    if logits.dim() != 2 or not logits.is_floating_point() or not logits.shape[1]:
        came = f"{logits.dtype} {tuple(logits.shape)}"
        raise ValueError(f"expected floating logits (batch, vocab), got {came}")


def check_choice(next_logits: torch.Tensor) -> None:
    """Raise ValueError for logits (batch, vocab) from which no token can be chosen."""
    check_logits(next_logits)
    largest = next_logits.amax(dim=-1)  # (batch,), NaN where one logit is
    if not largest.isfinite().all():
        row = (~largest.isfinite()).nonzero()[0].item()
        kinds = {math.inf: "an infinite logit", -math.inf: "no token allowed"}
        kind = kinds.get(largest[row].item(), "NaN among the logits")
        raise ValueError(f"{kind} in row {row}: a rule forbade all, or the model broke")


def check_within(what: str, ids: torch.Tensor, of: str, size: int) -> None:
    """Raise ValueError for ids, in any shape, that are not from 0 to size - 1."""
    least, most = (end.item() for end in ids.aminmax())  # one pass over them
    if least < 0 or most >= size:
        wrong = least if least < 0 else most
        raise ValueError(f"{what} {wrong} is outside {of}, 0 … {size - 1}")


def check_mask(attention_mask, input_ids) -> None:
    """Raise ValueError for no mask of these ids, or one with pads on the right."""
    shape = getattr(attention_mask, "shape", type(attention_mask).__name__)
    if shape != input_ids.shape:
        wanted = f"expected attention_mask as a tensor {tuple(input_ids.shape)}"
        raise ValueError(f"{wanted}, like input_ids, got {shape}")
    if ((attention_mask != 0) & (attention_mask != 1)).any():
        raise ValueError("attention_mask has other values than 1 and 0, 0 for pads")
    if not attention_mask[:, -1].all() or (attention_mask.long().diff(dim=1) < 0).any():
        why = "the pads are not on the left, so the text would go on from a pad"
        raise ValueError(f"{why}: set tokenizer.padding_side = 'left'")
