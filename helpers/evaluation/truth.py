"""Truth: the exact next-token distribution of a world, beside a model's own."""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from helpers.inputs import check_ids
from helpers.tokens import document_ids, word_starts
from helpers.worlds import World, forecast, step, words


class Beside(NamedTuple):
    """What a model and its world say at the same places, one story after the other."""

    logits: torch.Tensor  # (places, vocab), the model's
    truth: torch.Tensor  # (places, vocab), the world's probabilities
    sizes: list[int]  # places of each story


def beside_truth(model, tokenizer, world: World, stories: Sequence[str]) -> Beside:
    """Return the engine's logits and the truth where the words of stories begin.

    The end of a story is a place too. Its first word is none: there a model that has
    read several worlds may rightly expect another one. Raises ValueError for stories
    that are none of this world, or too long for the model.
    """
    if isinstance(stories, str) or not stories or not all(stories):
        raise ValueError(f"expected a list of stories, none empty, got {stories!r:.40}")
    logits, truths = [], []
    for story in stories:
        truths.append(torch.stack([*_along(tokenizer, world, story)]))
        ids = document_ids(tokenizer, story).to(model.device)  # (1, seq)
        check_ids(model, ids)
        ends = torch.tensor(word_starts(tokenizer, story)[1:]) - 1  # last token of each
        with torch.inference_mode():
            logits.append(model(ids)[0].cpu()[ends])  # (places, vocab)
    sizes = [len(places) for places in truths]
    return Beside(torch.cat(logits), torch.cat(truths), sizes)


def true_next(tokenizer, world: World, prefix: str) -> torch.Tensor:
    """Return the world's next-token distribution, (vocab,); ValueError if forbidden."""
    return _first_tokens(tokenizer, world, world.next_words(prefix), prefix)


def _along(tokenizer, world: World, story: str):
    """Yield what ``true_next`` gives behind each word, in one walk over the story."""
    live = world.start
    for word in words(story):
        after = step(live, word)[word]
        total = sum(after.values())
        live = {state: weight / total for state, weight in after.items()}
        yield _first_tokens(tokenizer, world, forecast(live), story)


def _first_tokens(tokenizer, world: World, following, text: str) -> torch.Tensor:
    if not following:
        raise ValueError(f"the world {world.name} forbids {text[-60:]!r}")
    probs, total = torch.zeros(len(tokenizer)), sum(following.values())
    for word, prob in following.items():  # its first token stands for it
        probs[tokenizer(word)["input_ids"][0]] += prob / total
    return probs


def survival(risk: torch.Tensor, sizes: Sequence[int]) -> float:
    """Return the chance that no place of a story falls to its risk, mean over stories.

    ``risk`` is (places,), a probability at each; ``sizes`` are the places of each
    story, as in ``Beside``. Raises ValueError for what does not fit together.
    """
    if not len(sizes) or sum(sizes) != len(risk) or risk.min() < 0:
        what = f"{len(risk)} risks for stories of {list(sizes)} places"
        raise ValueError(f"{what}: expected a risk from 0 to 1 for each place")
    stories = (1 - risk).clamp(min=0).split(list(sizes))  # a sum may be 1 + 1e-7
    return sum(story.prod().item() for story in stories) / len(sizes)
