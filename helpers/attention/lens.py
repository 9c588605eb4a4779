"""Lens: what the model would say if it stopped after each layer."""

import torch

from helpers.attention.hooks import body, run_with


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
    parts, stream = body(model), []

    def enter(block, args):
        stream.append(args[0])

    def leave(block, args, output):
        stream.append(output[0] if isinstance(output, tuple) else output)

    hooks = {block.register_forward_hook: leave for block in parts.h}
    run_with(model, input_ids, {parts.h[0].register_forward_pre_hook: enter} | hooks)
    states = torch.stack(stream)[:, :, -logits_to_keep:]  # (depth, batch, seq, d_model)
    head = model.lm_head if hasattr(model, "lm_head") else model.head
    return head(parts.ln_f(states)).float()
