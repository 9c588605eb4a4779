"""Lens: what the model would say if it stopped after each layer."""

import torch

from helpers.attention.hooks import body, record


@torch.no_grad()
def logit_lens(model, input_ids: torch.Tensor) -> torch.Tensor:
    """Return the logits that each depth of the stream gives, through norm and head.

    The stream is taken *before* the last norm, and then goes through it once, at every
    depth. (The library's ``hidden_states[-1]`` has gone through it already.) So depth 0
    is the embedding and the last depth is the model's own output.

    The model is a GPT-2 of transformers or the engine. Shapes: (batch, seq) to
    (layer + 1, batch, seq, vocab), float32: for a large model keep the text short.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    inside = body(model)
    # What a block reads is the stream at its depth; what the last norm reads, the end.
    stream = record(model, input_ids, [*inside.h, inside.ln_f])  # (batch, seq, d_model)
    head = model.lm_head if hasattr(model, "lm_head") else model.head
    return head(inside.ln_f(torch.stack(stream))).float()
