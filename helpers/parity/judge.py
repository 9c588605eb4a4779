"""Which mistake is it? The one whose numbers the learner's model has computed.

Each known mistake is made in the reference on purpose. It is proved if the learner's
model has the numbers that come out, beyond the first difference, and no right model has
them. What is not proved is offered as *perhaps*.
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
    """Name the mistake of a learner's model.

    Args:
        case: what both models computed (``compare.Case``).
        first: the number of the first step that nothing vouches for.
        at: of the first of these that the learner's model does not hide.
    """
    if case.error is not None:
        return Verdict(_stopped(case.error, case.steps[at]), at)
    if case.draws():
        return Verdict(DROPOUT, at, known=True)
    tried = [*known_mistakes(case.config), *_own_weights(case, at)]
    proved = [one for mistake in tried for one in _nearby(case, mistake, first, at)]
    proved = proved or [
        one for mistake in tried for one in _anywhere(case, mistake, at)
    ]
    if not proved:
        return Verdict(_describe(case, tried, at), at)
    # First the fit, but for what may be rounding; then the evidence; then the table.
    least = min(verdict.off for verdict in proved)
    best = [verdict for verdict in proved if verdict.off <= least + 0.4]
    return max(best, key=lambda verdict: (verdict.alone, verdict.new))


def _nearby(case, mistake: Mistake, first: int, at: int) -> Iterator[Verdict]:
    """Make a mistake where the difference is; yield it if it gives new numbers."""
    for swaps in _ways(case, mistake, at):
        steps = _replay(case, mistake, swaps, at + WINDOW)
        place = _begin(case, steps)
        if place is None:
            return
        begin = min(first, place)
        seen = [True] * begin + [case.sees(step) for step in steps[begin:]]
        _, end = case.first_difference(steps, seen)
        new = [i for i in range(begin, end) if seen[i] and case.is_new(steps[i])]
        if end <= at or not new:
            return  # it would do no better in all layers
        alone = _alone(case, _replay(case, mistake, swaps))
        off = case.off(steps[new[0]])
        yield Verdict(mistake.cause, place, True, alone, len(new), off)


def _anywhere(case, mistake: Mistake, at: int) -> Iterator[Verdict]:
    """Make a mistake in all layers; yield it if it gives the learner's logits.

    The last resort: for a model that does a whole layer in one operation, and for a
    mistake whose effect is lost in rounding where it is made.
    """
    for swaps in _ways(case, mistake, at):
        steps = _replay(case, mistake, swaps)
        if _begin(case, steps) is not None and _alone(case, steps):
            yield Verdict(mistake.cause, _begin(case, steps), True, True)


def _ways(case, mistake: Mistake, at: int) -> Iterator[dict]:
    """Yield a mistake's swaps: in the layer of a step, then in all."""
    layers = [None, *range(case.config.n_layer)]
    here = {(case.steps[at].layer, name): mistake.swaps[name] for name in mistake.swaps}
    yield here
    for swaps in filter(None, (mistake.swaps, mistake.family)):
        yield {(layer, name): swaps[name] for layer in layers for name in swaps}


def _replay(case, mistake: Mistake, swaps: dict, stop: int | None = None) -> list[Step]:
    """Return the steps of the reference with a mistake in it; none if it stops."""
    weights = {**case.weights, **mistake.weights}
    try:
        replay = case.replay(weights, swaps=swaps, layers=mistake.layers)
        return list(islice(replay, stop))
    except (RuntimeError, IndexError):  # shapes that do not allow the mistake
        return []


def _begin(case, steps: list[Step]) -> int | None:
    """Return the number of the first step that is not the reference's."""
    pairs = enumerate(zip(steps, case.steps, strict=False))
    return next((i for i, (a, b) in pairs if not torch.equal(a.value, b.value)), None)


def _alone(case, steps: list[Step]) -> bool:
    """Tell whether a replay ends with the learner's logits, not only near them."""
    gap = (case.logits - steps[-1].value).abs().max().item()
    return case.sees(steps[-1]) and not gap > case.difference / 10  # NaN is no gap


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


def _stopped(error: Exception, step: Step) -> str:
    """Say with what a model stopped."""
    line = [*str(error).strip().splitlines(), ""][0].rstrip(".")
    text = f"Your model stops here with {type(error).__name__}: {line}"
    if "cannot be multiplied" in line and step.weights:
        kept = f"{step.weights[0]} is stored (in, out), nn.Linear wants (out, in)"
        text += f". Is it transposed? {kept}"
    return text


def _describe(case, tried: list[Mistake], at: int) -> str:
    """Say what the learner's nearest tensor looks like beside a value."""
    step = case.steps[at]
    right = step.value.squeeze()
    seen = right.isfinite()  # not masked
    own = case.own(step)
    if not own:
        return "Your model has no tensor that could be it; it may be missing"
    near = min(own, key=lambda tensor: (tensor - right)[seen].abs().mean().item())
    gap, size = (near - right).abs(), right[seen].abs().mean()
    room = case.room(step) * (right.abs() + size)
    if (gap <= room)[seen].all() and not seen.all():
        low = near[~seen].max()
        return f"what is not masked agrees, but the masked scores are up to {low:.3g}"
    text = f"The nearest tensor of yours differs by up to {gap[seen].max():.1g}"
    agreed = (gap <= room).all(-1).reshape(-1, right.shape[-2]).all(0)  # (seq,)
    offset = near - right
    if agreed.any():
        text += f"; positions that agree: {agreed.nonzero().flatten().tolist()}"
    elif ((offset - offset[..., :1, :]).abs() <= 2 * room).all():
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
        steps = _replay(case, mistake, next(_ways(case, mistake, at)), at + 1)
        if steps and steps[-1].value.numel() == near.numel():
            gap = (near - steps[-1].value.reshape(near.shape)).nan_to_num(0, 0, 0)
            gaps.setdefault(mistake.cause, gap.abs().mean().item())
    best = min(gaps, key=gaps.get)
    return best if gaps[best] < gaps[""] / 4 else None
