"""Weights: the attention weights of a GPT-2, and the tokens they lie between."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch

from helpers.attention.hooks import body, record
from helpers.inputs import check_ids
from helpers.tokens import document_ids, to_bytes, visible


class Attention(NamedTuple):
    """Who looks at whom in one text."""

    tokens: list[str]  # seq of them, written so that spaces can be seen
    weights: torch.Tensor  # (layer, head, seq, seq): row q says where q looks


def attentions(model, tokenizer, text: str) -> Attention:
    """Return the attention weights of every head on a text, and its tokens.

    The end token stands in front, as it did in training. Raises ValueError for a model
    that is not of transformers, or a text too long.
    """
    input_ids = document_ids(tokenizer, text).to(model.device)
    weights = attention_weights(model, input_ids)[:, 0]  # (layer, head, seq, seq)
    return Attention(token_names(tokenizer, input_ids[0]), weights.cpu())


@torch.no_grad()
def attention_weights(model, input_ids: torch.Tensor) -> torch.Tensor:
    """Return (layer, batch, head, seq, seq), in the model's dtype; rows sum to 1.

    The model is a GPT-2 of transformers, ``input_ids`` are (batch, seq) without pads.
    """
    check_ids(model, input_ids)
    with eager(model):
        weights = model(input_ids, output_attentions=True).attentions
    return torch.stack(weights)


@torch.no_grad()
def projections(model, input_ids: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Return queries, keys and values, each (layer, batch, head, seq, d_head).

    A weight comes from the first two: softmax over keys of q k / sqrt(d_head). A head
    gathers the values, by these weights. Both kinds of model have them.
    """
    parts = [block.attn.c_attn for block in body(model).h]
    layers = torch.stack(record(model, input_ids, parts, output=True))
    split = layers.unflatten(-1, (3, model.config.n_head, -1))
    return split.permute(3, 0, 1, 4, 2, 5).unbind()


@contextmanager
def eager(model) -> Iterator[None]:
    """Let the model compute its weights while this is open; its default has none."""
    if not hasattr(model, "set_attn_implementation"):
        kind = type(model).__name__
        advice = "give the model that load_model returns"
        raise ValueError(f"a model of transformers is needed, not {kind}: {advice}")
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def token_names(tokenizer, ids: torch.Tensor) -> list[str]:
    """Return each token as one can see it: "·kite" for " kite"."""
    tokens = tokenizer.convert_ids_to_tokens(ids.tolist())
    return [visible(to_bytes(token)) for token in tokens]
