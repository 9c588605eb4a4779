"""Which mistake is it? The one whose numbers the learner's model has computed.

Each known mistake is made in the reference on purpose. If the learner's model has the
numbers that come out, and no right model has them, the mistake is proved. What is not
proved is offered as *perhaps*.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch

from helpers.parity.mistakes import (
    EMBEDDING,
    FINAL,
    LAYER,
    LINEAR,
    MISTAKES,
    OPERATIONS,
    Mistake,
    On,
    Step,
    on,
    weight_names,
)

WINDOW = len(LAYER) + 3  # how many steps behind the difference are looked at
PARTS = (EMBEDDING, LAYER, FINAL)
DROPOUT = "your model draws random numbers: switch dropout off with model.eval()"


class Verdict(NamedTuple):
    """A cause, and the number of the step where it is.

    ``known``: it gives the learner's numbers; ``alone``: all of the logits, too.
    """

    cause: str | None
    place: int | None
    known: bool = False
    alone: bool = False


class Lead(NamedTuple):
    """A mistake, and what speaks for it."""

    mistake: Mistake
    place: int
    alone: bool  # it gives all of the learner's logits
    new: int  # how many values it gives that the learner's model has, and no right one
    error: float  # how far the first of them is from the learner's


def judge(case, first: int, at: int) -> Verdict:
    """Name the mistake of a learner's model.

    Args:
        case: what both models computed (``compare.Case``).
        first: the first step that nothing vouches for.
        at: the first of them that the learner's model does not hide.
    """
    if case.run.error is not None:
        return Verdict(_stopped(case.run.error, case.steps[at].name), at)
    if case.draws():
        return Verdict(DROPOUT, at, known=True)
    tried = [*MISTAKES, *_wrong_weights(case, at)]
    leads = [lead for one in tried for lead in _nearby(case, one, first, at)]
    leads = leads or [lead for one in tried for lead in _anywhere(case, one, at)]
    if not leads:
        return Verdict(_describe(case, tried, at), at)
    best = max((lead.alone, lead.new) for lead in leads)
    leads = [lead for lead in leads if (lead.alone, lead.new) == best]
    # Errors of this size are rounding; then the order of the table decides.
    least = 3 * min(lead.error for lead in leads) + 1e-7
    lead = next(lead for lead in leads if lead.error <= least)
    return Verdict(lead.mistake.cause, lead.place, known=True, alone=lead.alone)


def _nearby(case, mistake: Mistake, first: int, at: int) -> Iterator[Lead]:
    """Make a mistake where the difference is; yield it if it gives new numbers."""
    place = at
    if mistake.swaps:
        place = _place(case, mistake, case.steps[at].layer)
        if place is None or place >= at + len(LAYER):
            return
    first = min(first, place)
    for changes in _ways(case, mistake, at):
        try:
            replay = _replay(case, mistake, changes)
            steps = list(islice(replay, at + WINDOW))
            _, next_ = case.first_difference(
                steps, [i < first for i in range(len(steps))]
            )
            if place > at >= next_:
                continue
            new = _new_values(case, steps, first)
            if new:
                steps += replay
                error = case.error(steps[new[0]])
                yield Lead(mistake, place, _alone(case, steps[-1]), len(new), error)
        except (RuntimeError, IndexError):  # shapes that do not allow the mistake
            pass


def _anywhere(case, mistake: Mistake, at: int) -> Iterator[Lead]:
    """Make a mistake everywhere; yield it if it gives the learner's logits.

    The last resort: for a model that does a whole layer in one operation, and for a
    mistake whose effect is lost in rounding where it is made.
    """
    for changes in _ways(case, mistake, at):
        try:
            *_, last = _replay(case, mistake, changes)
        except (RuntimeError, IndexError):
            continue
        if _alone(case, last):
            places = [_place(case, mistake, layer) for layer in (None, 0)]
            place = next((place for place in places if place is not None), at)
            yield Lead(mistake, place, True, 0, case.error(last))


def _place(case, mistake: Mistake, layer: int | None) -> int | None:
    """Return the number of the first step that a mistake changes in a layer."""
    for i, step in enumerate(case.steps):
        if step.layer == layer and step.name in mistake.swaps:
            return i
    return None


def _ways(case, mistake: Mistake, at: int) -> Iterator[dict]:
    """Yield a mistake's wrong operations: everywhere, and in the layer of ``at``."""
    layers = [None, *range(case.config.n_layer)]
    for swaps in (mistake.family, mistake.swaps):
        if swaps or mistake.order or mistake.rounded:
            yield {(layer, name): swaps[name] for layer in layers for name in swaps}
    layer = case.steps[at].layer
    if mistake.swaps and layer is not None:
        yield {(layer, name): swap for name, swap in mistake.swaps.items()}


def _replay(case, mistake: Mistake, swaps: dict) -> Iterator[Step]:
    changes = {"swaps": swaps}
    if mistake.order:
        changes["order"] = mistake.order(list(range(case.config.n_layer)))
    if mistake.rounded:
        rounded = {n: w.to(mistake.rounded) for n, w in case.weights.items()}
        changes["weights"] = rounded
    return case.replay(**changes)


def _new_values(case, steps: list[Step], first: int) -> list[int]:
    """Return the steps that only this mistake explains, up to the next difference."""
    seen = [True] * first + [case.sees(step) for step in steps[first:]]
    _, end = case.first_difference(steps, seen)
    return [i for i in range(first, end) if seen[i] and case.is_new(steps[i])]


def _alone(case, last: Step) -> bool:
    gap = (case.run.logits - last.value).abs().max().item()
    return case.sees(last) and not gap > case.difference / 10  # NaN is no gap


def _wrong_weights(case, at: int) -> Iterator[Mistake]:
    """Yield the learner's own parameters, and weights of other places, in this one."""
    step = case.steps[at]
    function, reads = on(OPERATIONS[step.name])
    names = weight_names(case.weights, step.layer)
    own = dict(getattr(case.model, "named_parameters", dict)())
    own = {name: weight.detach().cpu().float() for name, weight in own.items()}
    for read in reads:
        if read not in names:
            continue
        right = case.weights[names[read]]
        cause = f"{{}} of your model is not the reference's {names[read]}: load it"
        if step.name == "logits":
            cause = "the head has weights of its own, {}: tie it to the token embedding"
        for name, weight in own.items():
            for other in (weight, weight.t()) if weight.dim() == 2 else (weight,):
                if other.shape == right.shape and not torch.equal(other, right):
                    swap = _reading(function, reads, {read: other})
                    yield Mistake(cause.format(name), {step.name: swap})
    ends = ("weight", "bias")
    here = [names[read] for read in reads if read.endswith(ends)]
    for name in case.weights if len(here) == 2 else ():
        other = [name, name.removesuffix("weight") + "bias"]
        if name.endswith("weight") and name not in here and other[1] in case.weights:
            pair = [case.weights[one] for one in other]
            if pair[0].shape == case.weights[here[0]].shape:
                place = here[0].removesuffix(".weight")
                cause = f"{name.removesuffix('.weight')} stands in place of {place}"
                new = dict(
                    zip([r for r in reads if r.endswith(ends)], pair, strict=False)
                )
                yield Mistake(cause, {step.name: _reading(function, reads, new)})


def _reading(function, reads, values: dict):
    """Return an operation that reads some values that are not the reference's."""
    others = tuple(read for read in reads if read not in values)

    def run(*arguments):
        known = dict(zip(others, arguments, strict=True)) | values
        return function(*(known[read] for read in reads))

    return On(run, others)


def _stopped(error: Exception, name: str) -> str:
    line = [*str(error).strip().splitlines(), ""][0].rstrip(".")
    text = f"Your model stops here with {type(error).__name__}: {line}"
    if "cannot be multiplied" in line and name in LINEAR:
        weights = LINEAR[name][1].replace("_", ".", 1)
        kept = f"{weights}.weight is stored (in, out), nn.Linear wants (out, in)"
        text = f"{text}. Is it transposed? {kept}"
    return text


def _describe(case, tried: list[Mistake], at: int) -> str:
    """Say what the nearest tensor of the learner's looks like beside the value."""
    step = case.steps[at]
    right = step.value.squeeze()
    seen = right.isfinite()  # by the mask
    near = case.own(step)
    if not near:
        return "Your model has no tensor that could be it; it may be missing"

    def gap(tensor: torch.Tensor) -> torch.Tensor:
        return (tensor - right)[seen].abs()

    own = min(near, key=lambda tensor: gap(tensor).mean())
    room = case.room(step) * (right.abs() + right[seen].abs().mean())
    off = (own - right).abs()
    text = f"The nearest tensor of yours differs by up to {gap(own).max():.1g}"
    if (off <= room)[seen].all():
        low = own[~seen].max()
        return f"What a query may see agrees; what it may not has {low:.3g}, not -inf"
    seq = len(case.input_ids[0])
    rows = (off <= room).view(-1, seq, right.shape[-1]).all(-1).all(0)
    factor = (own * right)[seen].sum() / right[seen].square().sum()
    offset = (own - right).view(-1, seq, right.shape[-1])
    if rows.any():
        text += f"; positions that agree: {rows.nonzero().flatten().tolist()}"
    elif ((own - factor * right).abs() <= room * factor.abs())[seen].all():
        text += f": it is {factor:.3g} times what it should be"
    elif ((offset - offset[:, :1]).abs() <= 2 * room.view_as(offset)).all():
        text += ", by the same vector at every position, as a bias would"
    else:
        text += ", and no position agrees"
    for mistake in tried:
        swaps = {(step.layer, name): swap for name, swap in mistake.swaps.items()}
        if step.name in mistake.swaps:
            try:
                value = next(islice(case.replay(swaps=swaps), at, None)).value.squeeze()
            except (RuntimeError, IndexError):
                continue
            if (
                value.shape == own.shape
                and (own - value)[seen].abs().mean() < gap(own).mean() / 4
            ):
                return f"{text}. Perhaps {mistake.cause}"
    return text
