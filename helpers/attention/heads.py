"""Heads: what each head of a model looks for, as a score with its chance level."""

from typing import NamedTuple

import torch

from helpers.attention.ablation import seeded
from helpers.attention.hooks import Head, check_places
from helpers.attention.weights import attention_weights
from helpers.inputs import expect, whole

KINDS = ("previous", "first", "duplicate", "induction")


def head_scores(
    model, input_ids=None, *, places: list[int] | None = None, seed: int = 0
) -> "HeadScores":
    """Return how much each head is a previous-token, sink, duplicate, induction head.

    The texts are random tokens, written twice: nothing but the repetition can be known
    about them, so a head that finds its way does it by position or by matching. A
    model that has never seen such texts may need others, in its own language: give
    them as ``input_ids``.

    Args:
        model: a GPT-2 of transformers.
        input_ids: (batch, 1 + 2 length): one token, others, and these again.
        places: the tokens of the second copy that look, from 0; None: all of them.
        seed: draws them, 16 texts of 32 tokens twice.

    Source: Olsson et al. 2022, "In-context Learning and Induction Heads". Raises
    ValueError for texts that do not repeat themselves, or places that are not there.
    """
    if input_ids is None:
        drawn = repeated_ids(model.config, length=32, batch=16, seed=seed)
        input_ids = drawn.to(model.device)
    weights = attention_weights(model, input_ids)  # (layer, batch, head, seq, seq)
    weights = weights.float().mean(dim=1).cpu()  # (layer, head, seq, seq)
    length = _period(input_ids)
    at = range(length) if places is None else places
    query = check_places("places", at, length) + length + 1  # in the second copy
    chance = (1 / (query + 1)).mean().item()  # query + 1 tokens can be looked at
    keys = (query - 1, torch.zeros_like(query), query - length, query - length + 1)
    scores = [weights[..., query, key].mean(dim=-1) for key in keys]  # as in KINDS
    return HeadScores(*scores, chance=dict.fromkeys(KINDS, chance))


class HeadScores(NamedTuple):
    """Mean attention weights, each (layer, head), between 0 and 1."""

    previous: torch.Tensor  # from a token to the one before it
    first: torch.Tensor  # to the first token of all: the sink
    duplicate: torch.Tensor  # to the same token, seen before
    induction: torch.Tensor  # to the token that came after the same token
    chance: dict[str, float]  # the score of a head that looks everywhere alike

    def strongest(self, kind: str, n: int = 1) -> list[Head]:
        """Return the ``n`` heads (layer, head) with the highest score, best first."""
        if kind not in KINDS:
            raise ValueError(f"there is no score {kind!r}: choose one of {KINDS}")
        expect("n", n, whole(), "a whole number from 1")
        scores = getattr(self, kind)
        order = scores.flatten().argsort(descending=True)[:n].tolist()
        return [divmod(i, scores.shape[1]) for i in order]


def repeated_ids(config, *, length: int, batch: int, seed: int) -> torch.Tensor:
    """Return the end token, random tokens, and these again: (batch, 1 + 2 length)."""
    most = min((config.n_positions - 1) // 2, config.vocab_size - 1)
    expect("length", length, whole(most, least=3), f"3 to {most} for this model")
    expect("batch", batch, whole(4096), "a whole number up to 4096")
    chances = torch.ones(batch, config.vocab_size)
    chances[:, config.eos_token_id] = 0
    # (batch, length); no token comes twice, so that each has one place to be found
    once = chances.multinomial(length, generator=seeded(seed))
    end = torch.full((batch, 1), config.eos_token_id)
    return torch.cat([end, once, once], dim=1)


def _period(input_ids: torch.Tensor) -> int:
    """Return the length of what is repeated behind the first token, or ValueError."""
    length = (input_ids.shape[1] - 1) // 2
    once, again = input_ids[:, 1 : length + 1], input_ids[:, length + 1 :]
    if length < 2 or not torch.equal(once, again):
        shape = tuple(input_ids.shape)
        wanted = "one token, then at least two others, then these again"
        raise ValueError(f"input_ids {shape} do not repeat themselves: give {wanted}")
    return length
