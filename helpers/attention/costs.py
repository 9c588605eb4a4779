"""Costs: what a model loses when a head is silenced or one of its lines is cut.

All models here are the engine, see ``helpers.gpt2``, or where it is said a GPT-2 of
transformers. The same texts are read before and after, so costs are differences text
by text, and their errors are those of paired differences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from helpers.attention.hooks import body, projection_input
from helpers.attention.weights import attention_weights, projections
from helpers.inputs import check_ids
from helpers.tokens import document_ids
from helpers.tokens import pretokenise as words
from helpers.worlds import RECALL, World, list_prompt, memories


class Cost(NamedTuple):
    """The mean of paired differences and its standard error."""

    mean: float
    error: float


class Texts(NamedTuple):
    """Texts to be scored, in one batch, padded on the right."""

    ids: torch.Tensor  # (texts, seq)
    scored: torch.Tensor  # (texts, seq), True for tokens whose loss counts
    places: torch.Tensor  # (texts, seq), True for tokens that the model should know


class Scores(NamedTuple):
    """How a model does, each (texts,)."""

    loss: torch.Tensor  # nats per scored token
    right: torch.Tensor  # share of the places where its favourite is right, or NaN


class Lines(NamedTuple):
    """All lines from the last token of a text to the others, (layer, head, seq)."""

    weights: torch.Tensor
    lengths: torch.Tensor  # of what each token's value adds to the stream, undiluted
    effects: torch.Tensor  # share of the forecast that moves when the line is cut


def story_texts(tokenizer, world: World, seeds: Sequence[int]) -> Texts:
    """Return stories of a world; their places are those that memory settles."""
    texts = []
    for seed in seeds:
        story = world.sample(seed)
        pieces = words(story)
        sizes = [len(tokenizer(word)["input_ids"]) for word in pieces]
        starts = [1 + sum(sizes[:i]) for i in range(len(pieces))]
        ids = document_ids(tokenizer, story)[0].tolist()
        known = [starts[i] for i in memories(world, story)]
        texts.append((ids, range(1, len(ids)), known))
    return _batch(texts, tokenizer.eos_token_id)


def recall_texts(tokenizer, seeds: Sequence[int], *, shots: int = 5) -> Texts:
    """Return lists whose last value stood in them before: it is the only place."""
    texts = []
    for seed in seeds:
        prompt, answer = list_prompt(RECALL, shots, seed)
        at = document_ids(tokenizer, prompt).shape[1]
        ids = document_ids(tokenizer, prompt + answer)[0].tolist()
        texts.append((ids, [at], [at]))
    return _batch(texts, tokenizer.eos_token_id)


@torch.inference_mode()
def read(model, texts: Texts) -> Scores:
    """Return how well the engine predicts the scored tokens, and knows the places."""
    row, at = (texts.scored | texts.places).nonzero(as_tuple=True)
    ids = texts.ids.to(model.device)
    hidden = model.hidden_states(ids, cache=None)[row, at - 1]  # what has read so far
    log_probs = model.head(hidden).log_softmax(dim=-1).cpu()  # (tokens, vocab)
    wanted = texts.ids[row, at]
    loss = torch.zeros(texts.ids.shape)
    loss[row, at] = -log_probs.gather(-1, wanted[:, None]).squeeze(-1)
    right = torch.zeros(texts.ids.shape)
    right[row, at] = (log_probs.argmax(dim=-1) == wanted).float()
    return Scores(_means(loss, texts.scored), _means(right, texts.places))


def cost(before: torch.Tensor, after: torch.Tensor) -> Cost:
    """Return by how much (texts,) after is above (texts,) before, NaN left out."""
    gaps = (after - before)[~(after - before).isnan()]
    error = gaps.std() / len(gaps) ** 0.5
    return Cost(gaps.mean().item(), error.item())


def extremes(lines: Lines, *, large: float = 0.5, small: float = 0.2):
    """Return two lines that stand out, each as (layer, head, key).

    The first has the least effect of those with a weight above ``large``, the second
    the most of those with a weight below ``small``.

    Raises:
        ValueError: where no weight is above ``large`` or none below ``small``.
    """
    heavy, light = lines.weights > large, lines.weights < small
    if not heavy.any() or not light.any():
        raise ValueError(f"no weights above {large} and below {small}: try other ones")
    idle = lines.effects.where(heavy, torch.inf).argmin()
    busy = lines.effects.where(light, -torch.inf).argmax()
    shape = lines.weights.shape
    return tuple(
        tuple(int(i) for i in torch.unravel_index(line, shape)) for line in (idle, busy)
    )


@torch.no_grad()
def line_effects(model, input_ids: torch.Tensor) -> Lines:
    """Cut each line that leaves the last token, one by one, and return the effects.

    An effect is the total variation between the two forecasts of the next token, from
    0 to 1. It is the one that ``cut`` gives; only here the tokens before the last,
    which no cut can change, are read once for all.

    Args:
        model: a GPT-2 of transformers.
        input_ids: (1, seq), at least two tokens.

    Raises:
        ValueError: for ids that the model cannot read, or more texts than one.
    """
    check_ids(model, input_ids)
    seq, blocks, n_head = input_ids.shape[1], body(model).h, model.config.n_head
    if len(input_ids) != 1 or seq < 2:
        shape = tuple(input_ids.shape)
        raise ValueError(f"expected input_ids (1, at least 2 tokens), got {shape}")
    weights = attention_weights(model, input_ids)[:, 0, :, -1]  # (layer, head, seq)
    values = projections(model, input_ids)[2][:, 0]  # (layer, head, seq, d_head)
    whole = model(input_ids).logits[0, -1].softmax(dim=-1)
    lengths, effects = [], []
    for layer, block in enumerate(blocks):
        flows = weights[layer, ..., None] * values[layer]  # (head, seq, d_head)
        forecasts = _without(model, input_ids, block, flows).softmax(dim=-1)
        moved = (forecasts - whole).abs().sum(dim=-1) / 2
        effects.append(moved.view(n_head, seq))
        outward = block.attn.c_proj.weight.unflatten(0, (n_head, -1))
        lengths.append((values[layer] @ outward).norm(dim=-1))
    return Lines(weights.cpu(), torch.stack(lengths).cpu(), torch.stack(effects).cpu())


def _without(model, input_ids, block, flows: torch.Tensor) -> torch.Tensor:
    """Return the last logits, (head · seq, vocab), a row for each flow left out."""
    heads, seq, d_head = flows.shape
    missing = torch.zeros(heads, seq, heads, d_head, device=flows.device)
    own = torch.arange(heads)
    missing[own, :, own] = flows  # each row lacks a flow in its own head only
    missing = missing.view(heads * seq, 1, heads * d_head)
    cache = model(input_ids[:, :-1], use_cache=True).past_key_values
    cache.batch_repeat_interleave(heads * seq)
    hook = projection_input(block)(lambda part, args: (args[0] - missing, *args[1:]))
    try:
        last = input_ids[:, -1:].expand(heads * seq, -1)
        return model(last, past_key_values=cache).logits[:, -1]
    finally:
        hook.remove()


def _batch(texts, pad: int) -> Texts:
    """Pad (ids, scored, places) of each text on the right, and make masks of two."""
    longest = max(len(ids) for ids, _, _ in texts)
    rows = torch.full((len(texts), longest), pad)
    scored = torch.zeros(rows.shape, dtype=torch.bool)
    places = scored.clone()
    for row, (ids, counted, known) in enumerate(texts):
        rows[row, : len(ids)] = torch.tensor(ids)
        scored[row, list(counted)] = True
        places[row, list(known)] = True
    return Texts(rows, scored, places)


def _means(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return the mean of the chosen values of each row, NaN where none is chosen."""
    return (values * chosen).sum(dim=1) / chosen.sum(dim=1)
