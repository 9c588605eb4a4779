"""Costs: what a model loses on texts when heads are silenced.

The model is the engine, see ``helpers.gpt2``. Read the same texts before and after: a
cost is a mean of differences text by text, and its error that of paired differences.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nan

from helpers.tokens import document_ids, pad, word_starts
from helpers.worlds import RECALL, World, list_prompt, memories


class Texts(NamedTuple):
    """Texts to be scored, in one batch, padded on the right."""

    ids: torch.Tensor  # (texts, seq)
    scored: torch.Tensor  # (texts, seq), True for tokens whose loss counts
    places: torch.Tensor  # (texts, seq), True for tokens that the model should know


class Scores(NamedTuple):
    """How a model does, each (texts,)."""

    loss: torch.Tensor  # nats per scored token
    right: torch.Tensor  # share of the places where its favourite is right, or NaN
    lead: torch.Tensor  # there: logits of the right token above the best other, or NaN


def story_texts(tokenizer, world: World, seeds: Sequence[int]) -> Texts:
    """Return stories of a world; their places are those that memory settles."""
    stories, scored, places = [world.sample(seed) for seed in seeds], [], []
    for story in stories:
        starts = word_starts(tokenizer, story)
        scored.append(range(1, starts[-1]))
        places.append([starts[i] for i in memories(world, story)])
    return _texts(tokenizer, stories, scored, places)


def recall_texts(tokenizer, seeds: Sequence[int], *, shots: int = 5) -> Texts:
    """Return lists whose last value stood in them before: it is the only place."""
    lists = [list_prompt(RECALL, shots, seed) for seed in seeds]
    last = [[document_ids(tokenizer, prompt).shape[1]] for prompt, _ in lists]
    return _texts(tokenizer, ["".join(parts) for parts in lists], last, last)


@torch.inference_mode()
def read(model, texts: Texts) -> Scores:
    """Return how well the engine predicts the scored tokens, and knows the places."""
    row, at = (texts.scored | texts.places).nonzero(as_tuple=True)
    hidden = model.hidden_states(texts.ids.to(model.device), cache=None)
    hidden = hidden[row, at - 1]  # of the token before, which has read so far
    log_probs = model.head(hidden).log_softmax(dim=-1).cpu()  # (tokens, vocab)
    targets = texts.ids[row, at]
    own = log_probs.gather(-1, targets[:, None]).squeeze(-1)
    best = log_probs.topk(2)
    first = best.indices[:, 0] == targets
    leads = own - best.values[:, 1].where(first, best.values[:, 0])
    values = torch.stack([-own, first.float(), leads])  # (3, tokens)
    found = torch.full((3, *texts.ids.shape), nan)
    found[:, row, at] = values
    counted = torch.stack([texts.scored, texts.places, texts.places])
    return Scores(*found.where(counted, nan).nanmean(dim=-1))


def _texts(tokenizer, texts: list[str], scored, places) -> Texts:
    rows = [document_ids(tokenizer, text)[0].tolist() for text in texts]
    ids = pad(rows, tokenizer.eos_token_id)  # (texts, seq)
    masks = torch.zeros(2, *ids.shape, dtype=torch.bool)
    for mask, chosen in zip(masks, (scored, places), strict=True):
        for row, positions in enumerate(chosen):
            mask[row, list(positions)] = True
    return Texts(ids, *masks)
