"""A learner's GPT-2 beside the library's: which operation differs first?

Both run as they are, and the difference of their logits decides. A third model, slow
and obvious (``mistakes.trace``), gives the right value of each operation. Every tensor
that the learner's model computes is recorded, and the right values are looked for among
them. A value that is seen vouches for all that it was made from. The first operation
that nothing vouches for is where the mistake lies; ``judge`` asks which mistake it is.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, takewhile
from typing import NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from helpers.gpt2 import check_config
from helpers.inputs import check_ids
from helpers.parity.judge import Verdict, judge
from helpers.parity.mistakes import Step, trace

MOST = 128  # tokens; a dozen show every mistake
NOISE, MARGIN = 1e-6, 10  # rounding: so much, and so many times what is measured
NEAR = 1e-3  # relative; what differs by more is another value
LARGE = 1e4  # stands for infinity and NaN, and -LARGE for minus infinity


class Check(NamedTuple):
    """One operation, and whether the learner's model has the right value."""

    operation: str
    status: str  # "agreed", "differs" or "not seen"


@dataclass(repr=False)
class Report:
    """What was seen; as text, two to six lines that a learner can act upon.

    ``operation`` is the first that differs, ``layer`` where it is (None outside the
    layers), ``cause`` the mistake that gives the learner's numbers, or else what the
    numbers look like; ``difference`` the largest one of the logits.
    """

    equal: bool
    operation: str | None
    layer: int | None
    cause: str | None
    difference: float
    checked: list[Check]
    known: bool  # the cause gives the learner's numbers
    alone: bool  # and all of the learner's logits

    def __repr__(self) -> str:
        gap = f"the largest difference of the logits is {self.difference:.1g}"
        if self.equal:
            agreed = sum(check.status == "agreed" for check in self.checked)
            text = f"{agreed} of {len(self.checked)} operations were seen to agree"
            if self.operation:
                text += f"; more than rounding differs in this: {self.operation}"
            elif agreed < len(self.checked):
                text += "; your model has the others inside of larger ones"
            return f"Equal: {gap}.\n{text}."
        lines = [f"First difference: {self.operation}."]
        before = takewhile(lambda one: one.operation != self.operation, self.checked)
        if agreed := [one.operation for one in before if one.status == "agreed"]:
            lines.append(f"The last that agrees: {agreed[-1]}.")
        lines.append(f"{'Likely cause: ' if self.known else ''}{self.cause}.")
        if self.alone:
            lines.append("With this mistake alone the reference gives your logits.")
        elif self.known:
            lines.append("Mend it and compare again: more may differ after it.")
        if math.isfinite(self.difference):
            lines.append(f"In the end, {gap}.")
        return "\n".join(lines)


@torch.no_grad()
def compare(model, reference, input_ids: torch.Tensor, *, atol: float = 1e-4) -> Report:
    """Run a learner's GPT-2 beside the reference and name the first difference.

    Nothing is asked of the learner's model but that it maps token ids to logits, to a
    tuple that begins with them, or to something with ``.logits``. It runs in the mode
    it is in; the state of the random numbers is restored. A model that stops with an
    error is reported, too.

    Args:
        model: the learner's, (batch, seq) or (seq,) ids to (batch, seq, vocab).
        reference: a GPT2LMHeadModel of transformers, in eval mode; it is run once.
        input_ids: (batch, seq) or (seq,); a dozen tokens are best, all different, and
            not as many as there are heads.
        atol: by how much logits may differ and still be equal.

    Raises:
        ValueError: for a model of another size, for ids that are no token ids, for a
            reference that is no plain GPT-2, and for one whose logits are not what its
            weights give.
    """
    case = Case(model, reference, _check(reference, input_ids))
    equal = case.difference <= atol
    seen = [case.sees(step) for step in case.steps]
    seen[-1] = seen[-1] and equal
    first, at = case.first_difference(case.steps, seen)
    verdict = Verdict(None, at) if equal else judge(case, first, at)
    place, status = verdict.place, ["agreed" if one else "not seen" for one in seen]
    if equal:
        status[-1] = "agreed"
    else:
        status[place:] = ["not seen"] * (len(seen) - place)
    step = (
        case.steps[place] if place < len(seen) and status[place] != "agreed" else None
    )
    if step:
        status[place] = "differs"
    return Report(
        equal=equal,
        operation=str(step) if step else None,
        layer=step.layer if step else None,
        cause=verdict.cause,
        difference=case.difference,
        checked=[Check(str(s), one) for s, one in zip(case.steps, status, strict=True)],
        known=verdict.known,
        alone=verdict.alone,
    )


def _check(reference, input_ids) -> torch.Tensor:
    """Return ids (batch, seq), or say in one line what does not fit."""
    if not hasattr(reference, "lm_head"):
        kind = type(reference).__name__
        raise ValueError(f"expected a GPT2LMHeadModel as reference, got {kind}")
    check_config(reference.config)
    if isinstance(input_ids, torch.Tensor):
        input_ids = input_ids.to(reference.device)
        input_ids = input_ids[None] if input_ids.dim() == 1 else input_ids
    check_ids(reference, input_ids)
    if not 1 < input_ids.numel() <= MOST:
        shape = tuple(input_ids.shape)
        raise ValueError(f"expected 2 to {MOST} tokens as input_ids, got {shape}")
    return input_ids


class Recording(TorchDispatchMode):
    """While it is on, keep every tensor that an operation reads or returns.

    Args:
        sizes: numbers of elements worth keeping; other tensors are passed over.
    """

    def __init__(self, sizes: set[int]):
        super().__init__()
        self.sizes, self.tensors = sizes, defaultdict(list)  # by number of elements

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation; keep its arguments too, since some are changed in place."""
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, torch.Tensor) and tensor.numel() in self.sizes:
                copy = plain(tensor.detach()).clone()
                mean, same = copy.mean().item(), self.tensors[copy.numel()]
                if not any(m == mean and torch.equal(one, copy) for one, m in same):
                    same.append((copy, mean))
        return result

    def shaped(self, value: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the tensors that have these axes in some order, put in order."""
        for tensor, _ in self.tensors[value.numel()]:
            yield from views(tensor, value.squeeze().shape)

    def distance(self, value: torch.Tensor) -> float:
        """Return how near a value was seen: whole, or head by head, or row by row."""
        whole = plain(value)
        mean, slack = whole.mean().item(), NEAR * whole.abs().mean().item()
        same = self.tensors[value.numel()]
        near = [tensor for tensor, m in same if abs(m - mean) <= slack]
        near = [view for tensor in near for view in views(tensor, whole.shape)]
        least = min((distance(view, whole) for view in near), default=math.inf)
        axes = [axis for axis in range(value.dim() - 2) if value.shape[axis] > 1]
        if least < NEAR or not axes:
            return least
        return min(max(map(self.distance, value.split(1, dim=axis))) for axis in axes)


def views(tensor: torch.Tensor, shape: torch.Size) -> Iterator[torch.Tensor]:
    """Yield a tensor with its axes in every order that gives a shape."""
    forms = [tensor]
    if len(shape) == tensor.dim() + 1 and len(tensor) == shape[0] * shape[1]:
        forms = [tensor.unflatten(0, shape[:2])]  # the first two were joined
        forms += [tensor.unflatten(0, shape[1::-1]).transpose(0, 1)]
    for form in forms:
        orders = permutations(range(form.dim()))
        yield from (one for one in map(form.permute, orders) if one.shape == shape)


def plain(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor as float32 on the CPU, finite, without axes of length 1."""
    tensor = tensor.to("cpu", torch.float32).squeeze()
    return tensor.nan_to_num(LARGE, LARGE, -LARGE).clamp(min=-LARGE)


def distance(tensor: torch.Tensor, value: torch.Tensor) -> float:
    """Return the largest difference, relative to each number and their mean size."""
    tensor, value = plain(tensor), plain(value)
    size = value.abs()
    usual = size[size < LARGE].mean().nan_to_num(0)
    return ((tensor - value).abs() / (size + usual + 1e-9)).max().item()


def run(model, input_ids, shape, sizes=frozenset()) -> tuple:
    """Run a model on (batch, seq) ids; where it refuses (1, seq), on (seq,).

    Returns what was recorded, the logits or None, and the error or None.
    """
    runs = []
    for ids in (input_ids, *input_ids[: len(input_ids) == 1]):
        recording = Recording(sizes)
        try:
            with recording:
                output = model(ids)
        except Exception as error:  # whatever a learner's model may raise
            runs.append((recording, None, error))
        else:
            return recording, _logits(output, shape), None
    return max(runs, key=lambda run: sum(map(len, run[0].tensors.values())))


def _logits(output, shape: torch.Size) -> torch.Tensor:
    """Return (batch, seq, vocab) from a tensor, a tuple, or what has .logits."""
    logits = output[0] if isinstance(output, tuple) and output else output
    logits = getattr(output, "logits", logits)
    got = tuple(getattr(logits, "shape", ())) or type(logits).__name__
    if got != shape and (1, *got) != shape:
        advice = "logits for every position; build it from reference.config"
        message = f"the model returned {got}, expected {tuple(shape)}"
        raise ValueError(f"{message}: {advice}")
    return logits.detach().to("cpu", torch.float32).reshape(shape)


class Case:
    """The right values, by step, and what the learner's model computed."""

    def __init__(self, model, reference, input_ids: torch.Tensor):
        self.model, self.given, self.config = model, input_ids, reference.config
        state = reference.transformer.state_dict()
        state["the head.weight"] = reference.lm_head.weight
        self.weights = {name: weight.detach().cpu() for name, weight in state.items()}
        exact = list(self.replay(dtype=torch.float64))
        heads, batch = self.config.n_head, len(input_ids)
        parts = (1, batch, heads, batch * heads)
        sizes = {s.value.numel() // part for s in exact for part in parts}
        self.usual = Recording(sizes)  # what right models compute, steps and between
        with torch.random.fork_rng(), self.usual:
            self.steps = list(self.replay())
            right = reference(input_ids, use_cache=False).logits.cpu().float()
        self.index = {(s.layer, s.name): i for i, s in enumerate(self.steps)}
        # Float32 beside float64 tells how much rounding changes each value.
        pairs = zip(self.steps, exact, strict=True)
        self.noise = [NOISE + MARGIN * distance(s.value, e.value) for s, e in pairs]
        if distance(right, exact[-1].value) > max(1e-4, self.noise[-1]):
            gap = (right - exact[-1].value).abs().max()
            advice = (
                "give it fresh from from_pretrained, in float32, eval mode, no hooks"
            )
            message = (
                f"the reference's logits differ by {gap:.1g} from what its weights"
            )
            raise ValueError(f"{message} give: {advice}")
        with torch.random.fork_rng():
            ran = run(model, input_ids, right.shape, sizes)
        self.recording, self.logits, self.error = ran
        stream = self.steps[self.index[None, "embedded"]]
        if not self.error and not self.shows(stream):
            size = f"(seq, d_model) = {tuple(stream.value.shape[1:])}"
            message = f"no operation of the model returned {size}"
            raise ValueError(f"{message}: build it from reference.config")
        self.difference = math.inf
        if self.logits is not None and not self.logits.isnan().any():
            self.difference = (self.logits - right).abs().max().item()

    def replay(self, weights=None, **changes) -> Iterator[Step]:
        """Yield the steps of the reference with something changed in it."""
        return trace(weights or self.weights, self.config, self.given.cpu(), **changes)

    def room(self, step: Step) -> float:
        """Return by how much a value may differ and still count as the same."""
        last = self.config.n_layer - 1
        layer = None if step.layer is None else min(step.layer, last)
        return self.noise[self.index[layer, step.name]]

    def off(self, step: Step) -> float:
        """Return how far the learner's model is from a value; up to 1 it has it."""
        if step.name != "logits":
            return self.recording.distance(step.value) / self.room(step)
        gap = math.inf if self.error else distance(self.logits, step.value)
        return gap / self.room(step)

    def sees(self, step: Step) -> bool:
        """Tell whether the learner's model has a value."""
        return self.off(step) <= 1

    def is_new(self, step: Step) -> bool:
        """Tell whether no right model computes a value on its way."""
        return self.usual.distance(step.value) > 3 * self.room(step)

    def shows(self, step: Step) -> bool:
        """Tell whether the learner's model has anything that could be a value."""
        if step.name == "logits" or self.error:
            return True
        return next(self.recording.shaped(step.value), None) is not None

    def own(self, step: Step) -> list[torch.Tensor]:
        """Return what could be a value, and is none that a right model has."""
        if step.name == "logits":
            return [self.logits.squeeze()]
        shaped = self.recording.shaped(step.value)
        return [one for one in shaped if self.usual.distance(one) > self.room(step)]

    def draws(self) -> bool:
        """Run the model with other random numbers: are its logits others?"""
        with torch.random.fork_rng():
            torch.manual_seed(torch.initial_seed() + 1)
            _, again, _ = run(self.model, self.given, self.logits.shape)
        return again is None or not torch.equal(plain(again), plain(self.logits))

    def first_difference(self, steps: list[Step], seen: list[bool]) -> tuple[int, int]:
        """Return the first step that nothing vouches for, and the first not hidden.

        A step is hidden if the learner's model has no tensor of its shape. What the
        last step is not made from, directly or not, needs no voucher.
        """
        vouched, needed = list(seen), [False] * len(steps)
        needed[-1] = True
        for i in reversed(range(len(steps))):
            for source in steps[i].sources:
                vouched[source] = vouched[source] or vouched[i]
                needed[source] = needed[source] or needed[i]
        # One who goes on with a value that nothing needs does not leave it out.
        goes_on = [
            any(seen[k] and not needed[k] for k in step.sources) for step in steps
        ]
        unseen = [
            i for i, v in enumerate(vouched) if not v and (needed[i] or goes_on[i])
        ]
        shown = (i for i in unseen if self.shows(steps[i]))
        return min(unseen, default=len(steps)), next(shown, len(steps))
