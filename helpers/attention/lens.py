"""Lens: what the model would say if it stopped after each layer."""

from contextlib import ExitStack

import torch

from helpers.attention.hooks import body, logits_of
from helpers.inputs import expect, whole


@torch.no_grad()
def logit_lens(
    model, input_ids: torch.Tensor, *, logits_to_keep: int = 0
) -> torch.Tensor:
    """Return the logits that each depth of the stream gives, through norm and head.

    The stream is taken *before* the last norm, and then goes through it once, at every
    depth. (The library's ``hidden_states[-1]`` has gone through it already.) So depth 0
    is the embedding and the last depth is the model's own output.

    Args:
        model: a GPT-2 of transformers or the engine.
        input_ids: (batch, seq).
        logits_to_keep: how many of the last positions; 0 is all.

    Returns:
        (layer + 1, batch, seq or logits_to_keep, vocab), float32: for a large model
        and a long text keep few positions, as each takes vocab numbers per layer.

    Source: nostalgebraist 2020, "interpreting GPT: the logit lens".
    """
    expect("logits_to_keep", logits_to_keep, whole(least=0), "a whole number from 0")
    inside, stream = body(model), []

    def keep(part, args):
        stream.append(args[0])  # (batch, seq, d_model)

    # What a block reads is the stream at its depth; what the last norm reads, the end.
    with ExitStack() as stack:
        for part in (*inside.h, inside.ln_f):
            stack.enter_context(part.register_forward_pre_hook(keep))
        logits_of(model, input_ids)
    states = torch.stack(stream)[:, :, -logits_to_keep:]  # (depth, batch, seq, d_model)
    head = model.lm_head if hasattr(model, "lm_head") else model.head
    return head(inside.ln_f(states)).float()
