"""Derivations: all ways in which a grammar may have written the text so far.

A state is what is still to be written, as frames ``(items, index, rest)``, with the
bindings made so far; the live derivations are states with their weights. To read a
word is to ``step`` all of them and to keep those that can write it.
"""

from collections.abc import Iterator

from helpers.worlds.items import Choice, Slot

END = "<|endoftext|>"

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
        if not frames:
            states = after.setdefault(END, {})
            states[((), bound)] = states.get(((), bound), 0.0) + weight
            continue
        items, i, rest = frames
        item, rest = items[i], (items, i + 1, rest) if i + 1 < len(items) else rest
        if type(item) is str:
            if word is None or item == word:
                states = after.setdefault(item, {})
                states[(rest, bound)] = states.get((rest, bound), 0.0) + weight
        elif type(item) is Choice:
            for p, option, first in item.ways:
                if word is None or first is None or word in first:
                    todo.append(
                        (weight * p, (option, 0, rest) if option else rest, bound)
                    )
        elif type(item) is Slot:
            for p, form, binding in item.expand(bound, word):
                todo.append((weight * p, (form, 0, rest) if form else rest, binding))
        else:
            todo.append((weight, (item.written(bound), 0, rest), bound))
    return after


def remembered(live: Live) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield (class and attribute, word) of what could come next from memory."""
    todo = [(frames, bound) for frames, bound in live]
    while todo:
        frames, bound = todo.pop()
        if not frames:
            continue
        items, i, rest = frames
        item, rest = items[i], (items, i + 1, rest) if i + 1 < len(items) else rest
        if type(item) is Choice:
            todo += [((way, 0, rest) if way else rest, bound) for way in item.options]
        elif type(item) is Slot and item.variable is not None:
            kept = bound[item.variable]
            if kept is not None and item.forms[kept][0][1]:
                yield item.role, "".join(item.forms[kept][0][1]).strip()


def expected_words(live: Live) -> dict[str, float]:
    """Return the distribution of the next word, likeliest first."""
    after = {word: sum(states.values()) for word, states in step(live).items()}
    total = sum(after.values())
    ordered = sorted(after.items(), key=lambda item: (-item[1], item[0]))
    return {word: weight / total for word, weight in ordered}
