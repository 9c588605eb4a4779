"""Counting: a GPT-2's parameters and its work, part by part, from its config alone.

Work is counted in FLOPs of one forward pass: a multiplication and an addition are two.
Only matrix products count, as in ``torch.utils.flop_counter``; the rest (norms, GELU,
softmax, sums) is little beside them.
"""

from helpers.gpt2.model import check_config
from helpers.inputs import expect, whole


def parameters(config) -> dict[str, int]:
    """Return the number of parameters of each part.

    A tied head is the token embedding once more and has none of its own; nor has the
    comparison of queries with keys.
    """
    layers, d, inner = _shape(config)
    return {
        "embeddings": (config.vocab_size + config.n_positions) * d,
        "attention, projections": layers * ((d + 1) * 3 * d + (d + 1) * d),
        "attention, scores and sums": 0,
        "feed-forward": layers * ((d + 1) * inner + (inner + 1) * d),
        "layer norms": (2 * layers + 1) * 2 * d,
        "head": 0 if config.tie_word_embeddings else config.vocab_size * d,
    }


def flops(config, seq: int) -> dict[str, int]:
    """Return the FLOPs of each part for a text of ``seq`` tokens, read at once.

    Scores and sums are counted as whole squares, future included, since that is what a
    product of matrices computes; a fused kernel may skip up to half of it. All logits
    are counted, a row per token. Raises ValueError for a text longer than the context,
    or without tokens, and for a GPT-2 that the course's engine does not know.

    Source: after Kaplan et al. 2020, table 1, who leave out the head, and whose term
    for scores and sums is half of this one.
    """
    check_config(config)
    most = config.n_positions
    expect("seq", seq, whole(most), f"from 1 to {most} tokens")
    layers, d, inner = _shape(config)
    return {
        "embeddings": 0,  # rows are looked up, not multiplied
        "attention, projections": 2 * seq * layers * 4 * d * d,
        "attention, scores and sums": 2 * seq * layers * 2 * d * seq,
        "feed-forward": 2 * seq * layers * 2 * d * inner,
        "layer norms": 0,
        "head": 2 * seq * config.vocab_size * d,
    }


def _shape(config) -> tuple[int, int, int]:
    """Return layers, d_model and the width of the feed-forward."""
    return config.n_layer, config.n_embd, config.n_inner or 4 * config.n_embd
