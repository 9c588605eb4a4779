"""Effects: lines of attention cut one by one, and how far the forecast moves.

A line leads from the position that looks to one it looks at. Its weight is set to 0
behind the softmax and the others stay as they are, so exactly what flowed along it,
weight times value, is missing. The models here are a GPT-2 of transformers.
"""

from typing import NamedTuple

import torch

from helpers.attention.hooks import body, change_heads
from helpers.attention.weights import attention_weights, projections


class Lines(NamedTuple):
    """All lines from the last token of a text to the others, (layer, head, seq)."""

    weights: torch.Tensor
    lengths: torch.Tensor  # of what each token's value adds to the stream, undiluted
    effects: torch.Tensor  # share of the forecast that moves when the line is cut


@torch.no_grad()
def line_effects(model, input_ids: torch.Tensor) -> Lines:
    """Cut each line that leaves the last token of (1, seq), and return the effects.

    An effect is the total variation between the two forecasts of the next token, from
    0 to 1. The tokens before the last, which no cut can change, are read once for all.
    ValueError for other ids.
    """
    weights = attention_weights(model, input_ids)  # (layer, batch, head, seq, seq)
    if len(input_ids) != 1 or input_ids.shape[1] < 2:
        shape = tuple(input_ids.shape)
        raise ValueError(f"expected input_ids (1, at least 2 tokens), got {shape}")
    weights, n_head = weights[:, 0, :, -1], model.config.n_head  # (layer, head, seq)
    values = projections(model, input_ids)[2][:, 0]  # (layer, head, seq, d_head)
    whole = model(input_ids).logits[0, -1].softmax(dim=-1)  # (vocab,)
    lengths, effects = [], []
    for layer, block in enumerate(body(model).h):
        flows = weights[layer, ..., None] * values[layer]  # (head, seq, d_head)
        forecasts = _without(model, input_ids, layer, flows).softmax(dim=-1)
        moved = (forecasts - whole).abs().sum(dim=-1) / 2  # (head · seq,)
        effects.append(moved.view(n_head, -1))
        outward = block.attn.c_proj.weight.unflatten(0, (n_head, -1))
        lengths.append((values[layer] @ outward).norm(dim=-1))  # (head, seq)
    return Lines(weights.cpu(), torch.stack(lengths).cpu(), torch.stack(effects).cpu())


def _without(model, input_ids, layer: int, flows: torch.Tensor) -> torch.Tensor:
    """Return the last logits, (head · seq, vocab), a row for each flow left out."""
    heads, seq, d_head = flows.shape
    missing = torch.zeros(heads, seq, heads, d_head, device=flows.device)
    own = torch.arange(heads)
    missing[own, :, own] = flows  # each row lacks a flow in its own head only
    missing = missing.view(heads * seq, 1, heads, d_head)
    cache = model(input_ids[:, :-1], use_cache=True).past_key_values
    cache.batch_repeat_interleave(heads * seq)
    last = input_ids[:, -1:].expand(heads * seq, -1)
    with change_heads(model, layer, lambda values: values - missing):
        return model(last, past_key_values=cache).logits[:, -1]
