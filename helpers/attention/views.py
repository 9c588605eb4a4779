"""Views: bertviz's pictures of attention, complete in themselves, without internet.

Source: Vig 2019, "A Multiscale Visualization of Attention in the Transformer Model".
"""

from unittest.mock import patch

import torch

from helpers.attention.hooks import check_heads
from helpers.attention.pages import View, page
from helpers.attention.weights import attention_weights, projections, token_names
from helpers.inputs import context_length, expect, whole
from helpers.tokens import document_ids

MAX_TOKENS = 24  # shown, unless asked otherwise
MAX_NUMBERS = 10**6  # in one view, some 6 bytes each
MODEL_ZOOM = 0.9  # of 970 pixels, which the model view is wide


def show_heads(
    model, tokenizer, text: str, *, layer: int = 0, heads=None, max_tokens=MAX_TOKENS
) -> View:
    """Show bertviz's head view: lines from each token to those it looks at.

    The model is a GPT-2 of transformers; the end token is put in front of the text. A
    note says if it is cut. ``layer`` and ``heads`` (a list; None: all) are shown first.
    """
    from bertviz import head_view

    check_heads(model, [(layer, head) for head in heads or [0]])
    _, tokens, weights, about = _seen("head view", model, tokenizer, text, max_tokens)
    options = {"layer": layer, "heads": heads, "html_action": "return"}
    html = page(head_view(list(weights), tokens, **options).data)
    return View(page=html, height=100 + 23 * len(tokens), **about)


def show_model(model, tokenizer, text: str, *, max_tokens: int = MAX_TOKENS) -> View:
    """Show bertviz's model view, a thumbnail of every head; see ``show_heads``."""
    from bertviz import model_view

    _, tokens, weights, about = _seen("model view", model, tokenizer, text, max_tokens)
    options = {"display_mode": "light", "html_action": "return"}
    html = page(model_view(list(weights), tokens, **options).data, zoom=MODEL_ZOOM)
    layers, _, heads, seq, _ = weights.shape
    height = 60 + max(layers * (84 * seq // heads + 10), 18 * seq + 60)
    return View(page=html, height=min(int(height * MODEL_ZOOM), 900), **about)


def show_neurons(
    model, tokenizer, text: str, *, layer: int = 0, head=0, max_tokens=MAX_TOKENS
) -> View:
    """Show bertviz's neuron view, query and keys of a head; see ``show_heads``."""
    from bertviz import neuron_view

    check_heads(model, [(layer, head)])
    beside = 2 * model.config.n_embd // model.config.n_head  # a query and a key
    given = "neuron view", model, tokenizer, text, max_tokens
    input_ids, tokens, weights, about = _seen(*given, beside_weights=beside)
    query, key, _ = map(_short, projections(model, input_ids))
    numbers = {"attn": weights, "queries": query, "keys": key}
    data = {name: part[:, 0].tolist() for name, part in numbers.items()}
    data |= {"left_text": tokens, "right_text": tokens}
    options = {"layer": layer, "head": head, "html_action": "return"}
    # Its own GPT-2 reads weights in an old format only; the numbers are ours instead.
    with patch.object(neuron_view, "get_attention", return_value={"all": data}):
        drawn = neuron_view.show(None, "gpt2", None, text, "", "light", **options)
    return View(page=page(drawn.data), height=150 + 26 * len(tokens), **about)


def _seen(kind: str, model, tokenizer, text, max_tokens: int, *, beside_weights=0):
    """Return ids that fit a view, tokens, rounded weights, and what the view is of.

    Shapes: (1, seq) and (layer, 1, head, seq, seq). No token looks ahead, so those
    shown look where they would in the whole text.
    """
    expect("max_tokens", max_tokens, whole(), "a whole number from 1")
    ids = document_ids(tokenizer, text)
    heads = model.config.n_layer * model.config.n_head
    seq = min(max_tokens, context_length(model))
    while seq > 1 and heads * seq * (seq + beside_weights) > MAX_NUMBERS:
        seq -= 1
    n = ids.shape[1]
    note = f"the first {seq} of {n} tokens are shown" if n > seq else ""
    ids = ids[:, :seq].to(model.device)
    weights = _short(attention_weights(model, ids))
    layers, _, heads, seq, _ = weights.shape
    kind = f"{kind} of {seq} tokens, {layers} layers, {heads} heads"
    return ids, token_names(tokenizer, ids[0]), weights, {"kind": kind, "note": note}


def _short(numbers: torch.Tensor) -> torch.Tensor:
    """Round to 3 digits: in double precision, so that they are written with few."""
    return numbers.double().round(decimals=3).cpu()
