"""Memory: words of a text that only what was said before settles, and rivals to them.

A story that lost a *kite* must find a kite. Name another thing in place of the first
kite, and the same story must find that: one word apart, the texts end differently.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from helpers.tokens import pretokenise as words
from helpers.worlds.world import World

SURE, OPEN = 0.9, 0.05  # probabilities, as in day 3's "place where it must remember"


class Exchange(NamedTuple):
    """Two beginnings, one word apart, and the words that must come next."""

    text: str
    word: str  # was said once in ``text``, and must come next
    swapped: str  # the same text with ``rival`` where ``word`` was said
    rival: str  # must come next there


def memories(world: World, story: str) -> list[int]:
    """Return which words of a story are settled by memory, counted from 0.

    The world gives such a word more than 0.9. It was said before, and was open then:
    below 0.05. Only words of letters count, such as names and things. Raises ValueError
    for what is no beginning of a story of this world.
    """
    pieces, probs = words(story), world.word_probs(story)
    settled = [
        i for i, p in enumerate(probs) if p > SURE and pieces[i].strip().isalpha()
    ]
    return [i for i in settled if probs[pieces.index(pieces[i])] < OPEN]


def exchanges(
    tokenizer, world: World, seeds: Sequence[int], *, longest: int = 60, gap: int = 8
) -> Iterator[Exchange]:
    """Find places that memory settles, where another word could have been said.

    Both words are one token and no name, so that the texts are of equal length. Of
    each seed's text the first ``longest`` words are searched; more than ``gap`` words
    lie between the mention and the place.
    """
    for seed in seeds:
        pieces = words(world.sample(seed))[:longest]
        for at in memories(world, "".join(pieces)):
            word, before = pieces[at], pieces[:at]
            said = before.index(word)
            if at - said > gap and before.count(word) == 1 and _short(tokenizer, word):
                yield from _rivals(tokenizer, world, before, said)


def swaps(world: World, text: str) -> dict[str, str]:
    """Return {word: the text with a rival in all its places}, where one is allowed.

    A rival is among the eight likeliest words where the word is said first.
    """
    pieces, swapped = words(text), {}
    for word in filter(lambda piece: piece.strip().isalpha(), dict.fromkeys(pieces)):
        before = "".join(pieces[: pieces.index(word)])
        for rival in list(world.next_words(before))[:8]:
            new = "".join(rival if piece == word else piece for piece in pieces)
            if rival not in pieces and world.next_words(new):
                swapped[word] = new
                break
    return swapped


def _rivals(tokenizer, world: World, before: list[str], said: int):
    """Yield the exchange with the likeliest rival of a word, if it has one."""
    word = before[said]
    for rival in world.next_words("".join(before[:said])):
        swapped = "".join([*before[:said], rival, *before[said + 1 :]])
        demanded = world.next_words(swapped).get(rival, 0) > SURE
        if rival != word and demanded and _short(tokenizer, rival):
            yield Exchange("".join(before), word, swapped, rival)
            return


def _short(tokenizer, word: str) -> bool:
    """Say whether a word is one token, and written in small letters."""
    return len(tokenizer(word)["input_ids"]) == 1 and word[1:].islower()
