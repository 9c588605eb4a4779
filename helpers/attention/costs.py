"""Costs: what a model loses on texts when heads are silenced.

The model is the engine, see ``helpers.gpt2``. The same texts are read before and
after, so a cost is a mean of differences text by text, and its error that of paired
differences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from helpers.tokens import document_ids, pad, word_starts
from helpers.worlds import RECALL, Mean, World, list_prompt, mean, memories


class Texts(NamedTuple):
    """Texts to be scored, in one batch, padded on the right."""

    ids: torch.Tensor  # (texts, seq)
    scored: torch.Tensor  # (texts, seq), True for tokens whose loss counts
    places: torch.Tensor  # (texts, seq), True for tokens that the model should know


class Scores(NamedTuple):
    """How a model does, each (texts,)."""

    loss: torch.Tensor  # nats per scored token
    right: torch.Tensor  # share of the places where its favourite is right, or NaN


def story_texts(tokenizer, world: World, seeds: Sequence[int]) -> Texts:
    """Return stories of a world; their places are those that memory settles."""
    rows, scored, places = [], [], []
    for seed in seeds:
        story = world.sample(seed)
        rows.append(document_ids(tokenizer, story)[0].tolist())
        scored.append(range(1, len(rows[-1])))
        starts = word_starts(tokenizer, story)
        places.append([starts[i] for i in memories(world, story)])
    return _texts(tokenizer, rows, scored, places)


def recall_texts(tokenizer, seeds: Sequence[int], *, shots: int = 5) -> Texts:
    """Return lists whose last value stood in them before: it is the only place."""
    rows, places = [], []
    for seed in seeds:
        prompt, answer = list_prompt(RECALL, shots, seed)
        rows.append(document_ids(tokenizer, prompt + answer)[0].tolist())
        places.append([document_ids(tokenizer, prompt).shape[1]])
    return _texts(tokenizer, rows, places, places)


@torch.inference_mode()
def read(model, texts: Texts) -> Scores:
    """Return how well the engine predicts the scored tokens, and knows the places."""
    row, at = (texts.scored | texts.places).nonzero(as_tuple=True)
    ids = texts.ids.to(model.device)
    hidden = model.hidden_states(ids, cache=None)[row, at - 1]  # what has read so far
    log_probs = model.head(hidden).log_softmax(dim=-1).cpu()  # (tokens, vocab)
    targets = texts.ids[row, at]
    loss, right = torch.zeros(2, *texts.ids.shape)  # both (texts, seq)
    loss[row, at] = -log_probs.gather(-1, targets[:, None]).squeeze(-1)
    right[row, at] = (log_probs.argmax(dim=-1) == targets).float()
    return Scores(_means(loss, texts.scored), _means(right, texts.places))


def cost(before: torch.Tensor, after: torch.Tensor) -> Mean:
    """Return by how much (texts,) after is above (texts,) before, NaN left out."""
    differences = (after - before)[~(after - before).isnan()]
    return mean(differences.tolist())


def _texts(tokenizer, rows, scored, places) -> Texts:
    ids = pad(rows, tokenizer.eos_token_id)  # (texts, seq)
    masks = torch.zeros(2, *ids.shape, dtype=torch.bool)
    for mask, chosen in zip(masks, (scored, places), strict=True):
        for row, positions in enumerate(chosen):
            mask[row, list(positions)] = True
    return Texts(ids, *masks)


def _means(values: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
    """Return the mean of the chosen values of each row, NaN where none is chosen."""
    return (values * chosen).sum(dim=1) / chosen.sum(dim=1)
