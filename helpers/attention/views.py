"""Views: bertviz's pictures of attention, complete in themselves, without internet.

Source: Vig 2019, "A Multiscale Visualization of Attention in the Transformer Model".
"""

import torch

from helpers.attention.hooks import check_heads
from helpers.attention.pages import View, page
from helpers.attention.weights import (
    Attention,
    attention_weights,
    projections,
    token_names,
)
from helpers.inputs import context_length, expect, whole
from helpers.tokens import document_ids

MAX_TOKENS = 24  # shown, unless asked otherwise
MAX_NUMBERS = 10**6  # in one view, some 6 bytes each
DIGITS = 3  # of every number
MODEL_ZOOM = 0.9  # of 970 pixels, which the model view is wide


def show_heads(
    model, tokenizer, text: str, *, layer: int = 0, heads=None, max_tokens=MAX_TOKENS
) -> View:
    """Show bertviz's head view: lines from each token to those it looks at.

    Args:
        model: a GPT-2 of transformers.
        tokenizer: its tokenizer.
        text: any text; the end token is put in front.
        layer: shown first; the others can be chosen in the view.
        heads: a list of the layer's heads, shown first; None is all of them.
        max_tokens: longer texts are cut, and a note says so.
    """
    from bertviz import head_view

    check_heads(model, [(layer, head) for head in heads or [0]])
    seen, note = _rounded(model, tokenizer, text, max_tokens)
    options = {"layer": layer, "heads": heads, "html_action": "return"}
    drawn = head_view(list(seen.weights[:, None]), seen.tokens, **options)
    height = 100 + 23 * len(seen.tokens)
    return View(_title("head view", seen), page(drawn.data), height=height, note=note)


def show_model(model, tokenizer, text: str, *, max_tokens: int = MAX_TOKENS) -> View:
    """Show bertviz's model view, a thumbnail of every head; see ``show_heads``."""
    from bertviz import model_view

    seen, note = _rounded(model, tokenizer, text, max_tokens)
    options = {"display_mode": "light", "html_action": "return"}
    drawn = model_view(list(seen.weights[:, None]), seen.tokens, **options)
    layers, heads, tokens = seen.weights.shape[:3]
    height = 60 + max(layers * (84 * tokens // heads + 10), 18 * tokens + 60)
    height = min(int(height * MODEL_ZOOM), 900)
    html = page(drawn.data, zoom=MODEL_ZOOM)
    return View(_title("model view", seen), html, height=height, note=note)


def show_neurons(
    model, tokenizer, text: str, *, layer: int = 0, head=0, max_tokens=MAX_TOKENS
) -> View:
    """Show bertviz's neuron view: the query and keys behind the weights of one head.

    The arguments are those of ``show_heads``; other heads can be chosen in the view.
    """
    from bertviz.neuron_view import show

    check_heads(model, [(layer, head)])
    beside = 2 * model.config.n_embd // model.config.n_head  # a query and a key
    input_ids, note = _shown(model, tokenizer, text, max_tokens, beside)
    stand_in = _StandIn(model, tokenizer, input_ids)
    options = {"display_mode": "light", "html_action": "return"}
    options |= {"layer": layer, "head": head}
    drawn = show(stand_in, "gpt2", stand_in, "text", **options)
    title = _title("neuron view", stand_in.seen)
    height = 150 + 26 * input_ids.shape[1]
    return View(title, page(drawn.data), height=height, note=note)


class _StandIn:
    """What bertviz's neuron view takes for a model and for a tokenizer.

    Its own GPT-2 reads weights in an old format only; the numbers are ours instead.
    """

    def __init__(self, model, tokenizer, input_ids: torch.Tensor):
        weights = attention_weights(model, input_ids)  # (layer, 1, head, seq, seq)
        self.seen = Attention(token_names(tokenizer, input_ids[0]), weights[:, 0])
        query, key, _ = projections(model, input_ids)  # (layer, 1, head, seq, d_head)
        parts = {"attn": weights, "queries": query, "keys": key}
        self.layers = []
        for layer in range(len(weights)):
            shown = {name: _short(part[layer]) for name, part in parts.items()}
            self.layers.append(shown)

    def eval(self) -> None:
        pass  # all is computed

    def __call__(self, ids: torch.Tensor) -> list:
        return [self.layers]

    def tokenize(self, text: str) -> list[str]:
        return self.seen.tokens

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        return [0] * len(tokens)  # nobody reads them


def _rounded(model, tokenizer, text: str, max_tokens: int) -> tuple[Attention, str]:
    """Return the rounded weights of a text, cut if need be, and a note."""
    input_ids, note = _shown(model, tokenizer, text, max_tokens, 0)
    weights = _short(attention_weights(model, input_ids)[:, 0])
    return Attention(token_names(tokenizer, input_ids[0]), weights), note


def _shown(model, tokenizer, text: str, max_tokens: int, beside_weights: int):
    """Return the ids that fit a view, (1, seq), and a note if they are not all.

    No token looks ahead, so those shown look where they would in the whole text.
    """
    expect("max_tokens", max_tokens, whole(), "a whole number from 1")
    ids = document_ids(tokenizer, text)
    heads = model.config.n_layer * model.config.n_head
    seq = min(max_tokens, context_length(model))
    while seq > 1 and heads * seq * (seq + beside_weights) > MAX_NUMBERS:
        seq -= 1
    n = ids.shape[1]
    note = f"the first {seq} of {n} tokens are shown" if n > seq else ""
    return ids[:, :seq].to(model.device), note


def _short(numbers: torch.Tensor) -> torch.Tensor:
    """Round: in double precision, so that they are written with few digits."""
    return numbers.double().round(decimals=DIGITS).cpu()


def _title(kind: str, seen: Attention) -> str:
    layers, heads = seen.weights.shape[:2]
    return f"{kind} of {len(seen.tokens)} tokens, {layers} layers, {heads} heads"
