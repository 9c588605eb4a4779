"""Contrastive search: one text, and what would bring nothing new is marked down."""

import torch
from torch.nn.functional import normalize

from helpers.decoding.reader import Reader
from helpers.inputs import between, check_choice, check_prompt, expect, whole


def contrastive_search(
    model, input_ids, *, k: int, alpha: float, max_new_tokens: int, eos_token_id=None
) -> torch.Tensor:
    """Continue one text, (1, seq), with likely tokens that bring something new.

    Of the ``k`` likeliest tokens, each step takes the one with the largest
    (1 - alpha) * probability - alpha * similarity, where similarity is the largest
    cosine between the token's hidden state and those of all tokens before it.
    ``alpha`` is from 0, which is greedy, to 1; the rest, and the ids that come back,
    are as in ``generate``.

    Source: Su et al. 2022.
    """
    options = dict(max_new_tokens=max_new_tokens, eos_token_id=eos_token_id)
    # The last token is read, too: what it is like decides whether it is chosen.
    check_prompt(model, input_ids, one=True, unread=0, **options)
    vocab = model.config.vocab_size
    expect("k", k, whole(vocab), f"a whole number of candidates, 1 to {vocab}")
    expect("alpha", alpha, between(0, 1), "a weight from 0 to 1")
    ids = input_ids.long()  # (1, seq)
    with torch.inference_mode():
        reader = Reader(model, 1, ids.shape[1] + max_new_tokens)
        logits, states = reader.read_states(ids)  # (1, vocab), (1, seq, d_model)
        known = normalize(states[0].float(), dim=-1)  # (seq, d_model)
        reader.select(ids.new_zeros(k))  # the same text, k times
        for _ in range(max_new_tokens):
            check_choice(logits)
            probs, tokens = logits[0].softmax(dim=-1).topk(k)  # (k,) both
            logits, states = reader.read_states(tokens[:, None])  # (k, vocab), …
            states = normalize(states[:, 0].float(), dim=-1)  # (k, d_model)
            similarity = (states @ known.T).amax(dim=-1)  # (k,)
            best = ((1 - alpha) * probs - alpha * similarity).argmax()
            ids = torch.cat([ids, tokens[best].view(1, 1)], dim=1)  # (1, seq + 1)
            known = torch.cat([known, states[best, None]])  # (seq + 1, d_model)
            if tokens[best] == eos_token_id:
                break
            # All candidates were read in one go; all rows go on from the chosen one.
            reader.select(best.expand(k))
            logits = logits[best, None]  # (1, vocab)
    return ids.clone()  # a tensor that can be trained on, too
