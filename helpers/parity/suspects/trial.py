"""Which suspect is guilty: the one whose numbers the learner's model has computed."""

from collections.abc import Iterator
from typing import NamedTuple

import torch

from helpers.parity.checkpoints import EMBEDDING, FINAL, OPTIONAL, PARTS, Step, trace
from helpers.parity.recording import allowed, plain
from helpers.parity.suspects.case import Case
from helpers.parity.suspects.common import Suspect

MOST = 8  # suspects whose every number is looked at


class Verdict(NamedTuple):
    """A cause, in the operation where it is.

    ``known``: it gives the learner's numbers; ``alone``: all of the logits, too.
    """

    cause: str
    name: str
    known: bool = True
    alone: bool = False


class Lead(NamedTuple):
    """A suspect with what speaks against it: how many of the learner's values."""

    evidence: float
    name: str
    suspect: Suspect
    swaps: dict


def judge(case: Case, tried: list[Suspect], at: int) -> Verdict | None:
    """Find who gives the learner's numbers from the step ``at`` on.

    One that gives all of the learner's logits comes before one that does not; then
    the one that gives more of the values on the way there.
    """
    part = next(part for part in PARTS if case.steps[at].name in part)
    leads = sorted(_leads(case, tried, at, part), key=lambda lead: -lead.evidence)
    for lead in leads[:MOST]:
        if _proved(case, lead.suspect, lead.swaps, case.steps[at].layer):
            return Verdict(lead.suspect.cause, lead.name, alone=True)
    if leads:
        return Verdict(leads[0].suspect.cause, leads[0].name)
    return _judge_whole(case, tried, part)


def _leads(case: Case, tried: list[Suspect], at: int, part: dict) -> Iterator[Lead]:
    name, names = case.steps[at].name, list(part)
    later = names[names.index(name) :]
    due = next(one for one in later if one not in OPTIONAL)
    direct = names[: names.index(due) + 1]  # a mistake behind these leaves some out
    for suspect in tried:
        for swaps in _variants(suspect, name):
            own = [swap for swap in swaps if swap in part] or [name]
            if swaps and own[0] not in swaps:
                continue
            if count := _evidence(case, suspect, swaps, at):
                bonus = (own[0] in direct) / 2 + (own[0] in later) / 4
                yield Lead(count + bonus, own[0], suspect, swaps)


def _variants(suspect: Suspect, name: str) -> Iterator[dict]:
    """Yield the mistake in one operation alone, and as a whole."""
    if name in suspect.swaps and len(suspect.swaps) > 1:
        yield {name: suspect.swaps[name]}
    yield suspect.swaps


def _judge_whole(case: Case, tried: list[Suspect], part: dict) -> Verdict | None:
    """Find a mistake that, made everywhere, gives the learner's logits.

    The last resort, for a model that does a whole layer in one operation, so that
    nothing as wide as its feed-forward part is seen.
    """
    inner = next(step.value for step in case.steps if step.name == "gelu")
    if case.run.recording.shaped(inner):
        return None
    for suspect in tried:
        if _proved(case, suspect, suspect.swaps, None):
            name = next((name for name in suspect.swaps if name in part), None)
            return Verdict(suspect.cause, name or next(iter(suspect.swaps)), alone=True)
    return None


def _evidence(case: Case, suspect: Suspect, swaps: dict, at: int) -> int:
    """Replay from the step on; count the values that only the learner also has.

    What a right model computes on its way (a product before its bias is added) is no
    evidence. The count ends at a value that the learner should have and has not.
    """
    place = {(step.layer, step.name): i for i, step in enumerate(case.steps)}
    behind = len(case.steps) - len(FINAL) - 0.5  # where a layer too many would be
    count = 0
    try:
        for step in _replay(case, suspect, swaps, case.steps[at].layer):
            i = place.get((step.layer, step.name), behind)
            same = i in place.values() and torch.equal(step.value, case.steps[i].value)
            if i < at or same or case.holds(case.known, step):
                continue
            held = case.holds(case.run.recording, step)
            if step.name == "logits":
                held = _alike(step.value, case.run.logits)
            if not held and step.name not in OPTIONAL:
                break
            count += held
    except (RuntimeError, IndexError):  # a mistake that these shapes do not allow
        pass
    return count


def _replay(
    case: Case, suspect: Suspect, swaps: dict, layer: int | None
) -> Iterator[Step]:
    """Yield the values with a mistake in one layer, from the mistake on."""
    if not swaps:
        return _whole(case, suspect, {})
    start = None
    if layer is not None or not EMBEDDING.keys() & swaps:
        first = case.config.n_layer if layer is None else layer
        start = (first, case.begin(first, swaps))
    swaps = {(layer, name): wrong for name, wrong in swaps.items()}
    return trace(case.weights, case.config, case.input_ids, swaps=swaps, start=start)


def _whole(case: Case, suspect: Suspect, swaps: dict) -> Iterator[Step]:
    weights, order = case.weights, None
    if suspect.order:
        order = suspect.order(case.config.n_layer)
    if suspect.change:
        weights = {name: suspect.change(weight) for name, weight in weights.items()}
    return trace(weights, case.config, case.input_ids, swaps=swaps, order=order)


def _proved(case: Case, suspect: Suspect, swaps: dict, layer: int | None) -> bool:
    """Tell whether a mistake, in one layer or in all, gives the learner's logits."""
    every = [None, *range(case.config.n_layer)]
    later = every if layer is None else every[layer + 1 :]
    for wrong, layers in ((swaps, later), (suspect.swaps, every), (swaps, [layer])):
        placed = {(here, name): f for here in layers for name, f in wrong.items()}
        try:
            *_, last = _whole(case, suspect, placed)
        except (RuntimeError, IndexError, KeyError):
            continue
        if _alike(last.value, case.run.logits):
            return True
    return False


def _alike(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    found, wanted = plain(found), plain(wanted)
    gap = (found - wanted).abs()
    return found.shape == wanted.shape and bool((gap <= 3 * allowed(wanted)).all())
