"""Which mistake is it? The one whose numbers the learner's model has computed.

Each known mistake is made in the reference on purpose. It is proved if the numbers that
come out are the learner's and no right model's. Else it is offered as *perhaps*.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch

from helpers.parity.mistakes import LAYER, Mistake, Step, known_mistakes

WINDOW = len(LAYER) + 3  # how many steps behind the difference are looked at
DROPOUT = "your model draws random numbers: switch dropout off with model.eval()"


class Verdict(NamedTuple):
    """A cause, the number of the step where it is, and what speaks for it."""

    cause: str | None
    place: int
    known: bool = False  # it gives the learner's numbers
    alone: bool = False  # and all of the logits
    new: int = 0  # how many of the learner's values it gives that no right model has
    off: float = 0.0  # how far the first of them is from the learner's, at most 1


def judge(case, first: int, at: int) -> Verdict:
    """Name the mistake of a learner's model, out of what it computed.

    Nothing vouches for step ``first``, nor for ``at``, which the model does not hide.
    """
    if case.error is not None:
        return Verdict(_stopped(case, case.steps[at]), at)
    if case.draws():
        return Verdict(DROPOUT, at, known=True)
    tried = [*known_mistakes(case.config), *_own_weights(case, at)]
    proved = [one for mistake in tried if (one := _prove(case, mistake, first, at))]
    if not proved:  # it may be inside of a large operation, or too small to be seen
        places = [(mistake.cause, _whole(case, mistake, at)) for mistake in tried]
        proved = [Verdict(*one, True, True) for one in places if one[1] is not None]
    if not proved:
        return Verdict(_describe(case, tried, at), at)
    # First the fit, but for what may be rounding; then the evidence; then the table.
    least = min(verdict.off for verdict in proved)
    best = [verdict for verdict in proved if verdict.off <= least + 0.4]
    return max(best, key=lambda verdict: (verdict.alone, verdict.new))


def _prove(case, mistake: Mistake, first: int, at: int) -> Verdict | None:
    """Make a mistake where the difference is: are its numbers the learner's?"""
    steps, place = next(_replays(case, mistake, at, at + WINDOW))
    if place is None:
        return None
    begin = min(first, place)
    seen = [True] * begin + [case.sees(step) for step in steps[begin:]]
    _, end = case.first_difference(steps, seen)
    own = [steps[i] for i in range(begin, end) if seen[i]]
    new = [one for one in own if case.usual.distance(one.value) > 3 * case.room(one)]
    if end <= at or not new:
        return None
    off = case.recording.distance(new[0].value) / case.room(new[0])
    whole = _whole(case, mistake, at)
    place = place if whole is None else whole
    return Verdict(mistake.cause, place, True, whole is not None, len(new), off)


def _whole(case, mistake: Mistake, at: int) -> int | None:
    """Return where a mistake begins that gives all of the learner's logits."""
    for steps, place in _replays(case, mistake, at):
        if place is not None and case.sees(steps[-1]):
            gap = (case.logits - steps[-1].value).abs().max().item()
            if not gap > case.difference / 10:  # NaN is no gap
                return place
    return None


def _replays(case, mistake: Mistake, at: int, stop=None) -> Iterator[tuple]:
    """Make a mistake in one layer, then in all; yield the steps and where it begins."""
    weights = {**case.weights, **mistake.weights}
    here, every = [case.steps[at].layer], [None, *range(case.config.n_layer)]
    ways = [(mistake.swaps, here), (mistake.swaps, every), (mistake.family, every)]
    for swaps, layers in ways[:1] + [way for way in ways[1:] if way[0]]:
        placed = {(layer, name): swaps[name] for layer in layers for name in swaps}
        try:
            steps = list(islice(case.replay(weights, swaps=placed), stop))
        except (RuntimeError, IndexError):  # shapes that do not allow the mistake
            steps = []
        pairs = enumerate(zip(steps, case.steps, strict=False))
        others = (i for i, (a, b) in pairs if not torch.equal(a.value, b.value))
        yield steps, next(others, None)


def _own_weights(case, at: int) -> Iterator[Mistake]:
    """Yield the learner's own parameters in place of the weights of a step."""
    own = dict(getattr(case.model, "named_parameters", dict)())
    for right in case.steps[at].weights:
        cause = f"{{}} of your model is not the reference's {right}: load it"
        if right == "the head.weight":
            cause = "the head has weights of its own, {}: tie it to the token embedding"
        for name, weight in own.items():
            weight = weight.detach().to("cpu", torch.float32)
            for other in (weight, weight.t()) if weight.dim() <= 2 else ():
                if other.shape == case.weights[right].shape:
                    yield Mistake(cause.format(name), weights={right: other})


def _stopped(case, step: Step) -> str:
    line = [*str(case.error).strip().splitlines(), ""][0].rstrip(".")
    text = f"Your model stops here with {type(case.error).__name__}: {line}"
    if "cannot be multiplied" in line and step.weights:
        kept = f"{step.weights[0]} is stored (in, out), nn.Linear wants (out, in)"
        text += f". Is it transposed? {kept}"
    return text


def _describe(case, tried: list[Mistake], at: int) -> str:
    """Say what the learner's nearest tensor looks like beside a value."""
    step = case.steps[at]
    right = step.value.squeeze()
    seen = right.isfinite()  # not masked
    shaped = case.recording.shaped(step.value)
    own = [one for one in shaped if case.usual.distance(one) > case.room(step)]
    if not own:
        return "Your model has no tensor that could be it; it may be missing"
    near = min(own, key=lambda tensor: (tensor - right)[seen].abs().mean().item())
    gap, room = (near - right).abs(), right.abs() + right[seen].abs().mean()
    room *= case.room(step)
    if (gap <= room)[seen].all() and not seen.all():
        low = near[~seen].max()
        return f"what is not masked agrees, but the masked scores are up to {low:.3g}"
    text = f"The nearest tensor of yours differs by up to {gap[seen].max():.1g}"
    agreed = (gap <= room).all(-1).reshape(-1, right.shape[-2]).all(0)  # (seq,)
    if agreed.any():
        text += f"; positions that agree: {agreed.nonzero().flatten().tolist()}"
    elif ((near - right).diff(dim=-2).abs() <= 2 * room[..., 1:, :]).all():
        text += ", by the same vector at every position, as a bias would"
    factor = (near * right)[seen].sum() / right[seen].square().sum()
    if ((near - factor * right).abs() <= room * factor.abs())[seen].all():
        text += f": it is {factor:.3g} times what it should be"
    perhaps = _perhaps(case, tried, at, near)
    return f"{text}. Perhaps {perhaps}" if perhaps else text


def _perhaps(case, tried: list[Mistake], at: int, near: torch.Tensor) -> str | None:
    """Return the mistake that explains at least three quarters of a difference."""
    gaps = {}
    for mistake in [Mistake(""), *tried]:
        steps, _ = next(_replays(case, mistake, at, at + 1))
        if steps and steps[-1].value.numel() == near.numel():
            gap = (near - steps[-1].value.reshape(near.shape)).nan_to_num(0, 0, 0)
            gaps.setdefault(mistake.cause, gap.abs().mean().item())
    best = min(gaps, key=gaps.get)
    return best if gaps[best] < gaps[""] / 4 else None
