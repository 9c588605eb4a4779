"""Derivations: all ways in which a grammar may have written the text so far.

A state is what is still to be written, as frames ``(items, index, rest)``, with the
bindings made so far; the live derivations are states with their weights. To read a
word is to ``step`` all of them and to keep those that can write it.
"""

from collections.abc import Iterator

from helpers.tokens import END

State = tuple[tuple, tuple]  # (frames, bindings)
Live = dict[State, float]


def step(live: Live, word: str | None = None) -> dict[str, Live]:
    """Let every live derivation write one word; return {word: live derivations}.

    With ``word``, derivations that cannot write it are dropped early.
    """
    after: dict[str, Live] = {}
    todo = [(weight, frames, bound) for (frames, bound), weight in live.items()]
    while todo:
        weight, frames, bound = todo.pop()
        item, rest = _next_item(frames)
        if type(item) is not str:
            for p, seq, binding in item.expand(bound, word):
                todo.append((weight * p, (seq, 0, rest) if seq else rest, binding))
        elif word is None or item == word:
            states = after.setdefault(item, {})
            states[(rest, bound)] = states.get((rest, bound), 0.0) + weight
    return after


def remembered(live: Live) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (class and attribute, word) of what could come next from memory."""
    todo = list(live)
    while todo:
        frames, bound = todo.pop()
        item, rest = _next_item(frames)
        if type(item) is str:
            continue
        todo += [((way, 0, rest) if way else rest, bound) for way in item.options]
        if memory := item.recall(bound):
            yield memory


def expected_words(live: Live) -> dict[str, float]:
    """Return the distribution of the next word, likeliest first."""
    after = {word: sum(states.values()) for word, states in step(live).items()}
    total = sum(after.values())
    ordered = sorted(after.items(), key=lambda item: (-item[1], item[0]))
    return {word: weight / total for word, weight in ordered}


def _next_item(frames: tuple) -> tuple:
    """Return what is to be written next, and the frames after it."""
    if not frames:
        return END, ()
    items, i, rest = frames
    return items[i], (items, i + 1, rest) if i + 1 < len(items) else rest
