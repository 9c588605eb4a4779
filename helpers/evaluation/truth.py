"""Truth: the exact next-token distribution of a world, beside a model's own."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from helpers.tokens import document_ids
from helpers.tokens import pretokenise as words
from helpers.worlds import World


class Beside(NamedTuple):
    """What a model and its world say at the same places, one story after the other."""

    logits: torch.Tensor  # (places, vocab), the model's
    truth: torch.Tensor  # (places, vocab), the world's probabilities
    sizes: list[int]  # places of each story


def beside_truth(model, tokenizer, world: World, stories: Sequence[str]) -> Beside:
    """Return the model's logits and the truth where the words of stories begin.

    The end of a story is a place too. Its first word is none: there a model that has
    read several worlds may rightly expect another one.

    Args:
        model: the engine; its logits are (batch, seq, vocab).
        tokenizer: its tokenizer; a word of the world is counted by its first token.
        world: what is true.
        stories: texts that are possible in this world.
    """
    beliefs, truths = [], []
    for story in stories:
        pieces = words(story)
        sizes = [len(tokenizer(word)["input_ids"]) for word in pieces]
        ends = torch.tensor(sizes).cumsum(0)  # tokens up to the end of each word
        ids = document_ids(tokenizer, story).to(model.device)
        with torch.inference_mode():
            logits = model(ids)[0].cpu()
        beliefs.append(logits[ends])  # row i has read the end token and i tokens more
        prefixes = ["".join(pieces[: i + 1]) for i in range(len(pieces))]
        truths.append(torch.stack([true_next(tokenizer, world, p) for p in prefixes]))
    sizes = [len(places) for places in truths]
    return Beside(torch.cat(beliefs), torch.cat(truths), sizes)


def true_next(tokenizer, world: World, prefix: str) -> torch.Tensor:
    """Return the world's distribution of the token after a prefix, (vocab,).

    Raises:
        ValueError: for a prefix that the world forbids.
    """
    following = world.next_words(prefix)
    if not following:
        raise ValueError(f"the world {world.name} forbids {prefix[-60:]!r}")
    probs = torch.zeros(len(tokenizer))
    for word, prob in following.items():
        probs[tokenizer(word)["input_ids"][0]] += prob
    return probs


def survival(risk: torch.Tensor, sizes: Sequence[int]) -> float:
    """Return the chance that no place of a story falls to its risk, mean over stories.

    Args:
        risk: (places,), a probability at each place.
        sizes: places of each story, as in ``Beside``.
    """
    stories = (1 - risk).clamp(min=0).split(list(sizes))
    return sum(story.prod().item() for story in stories) / len(sizes)
