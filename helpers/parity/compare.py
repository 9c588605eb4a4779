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
from itertools import permutations
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
    """What was seen; as text, two to six lines that a learner can act upon."""

    equal: bool
    operation: str | None  # the first that differs
    cause: str | None  # the mistake, or else what the learner's numbers look like
    difference: float  # the largest one of the logits
    checked: list[Check]
    known: bool  # the cause gives the learner's numbers
    alone: bool  # and all of the learner's logits

    def __repr__(self) -> str:
        gap = f"the largest difference of the logits is {self.difference:.1g}"
        agreed = [one.operation for one in self.checked if one.status == "agreed"]
        if self.equal:
            text = f"{len(agreed)} of {len(self.checked)} operations were seen to agree"
            if self.operation:
                text += f"; more than rounding differs in this: {self.operation}"
            elif len(agreed) < len(self.checked):
                text += "; your model has the others inside of larger ones"
            return f"Equal: {gap}.\n{text}."
        lines = [f"First difference: {self.operation}."]
        if agreed:
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

    Args:
        model: the learner's: token ids (batch, seq) or (seq,) to logits (batch, seq,
            vocab), or to a tuple that begins with them, or to something with
            ``.logits``. It runs in the mode it is in; if it stops, that is reported.
        reference: a GPT2LMHeadModel of transformers, in eval mode.
        input_ids: (batch, seq) or (seq,); a dozen tokens are best, all different, and
            not as many as there are heads.
        atol: by how much logits may differ and still be equal.

    Raises:
        ValueError: for ids that are no token ids, for a model of another size, for a
            reference that is no plain GPT-2 or whose logits are not its weights'.
    """
    case = Case(model, reference, _check_inputs(reference, input_ids))
    equal = case.difference <= atol
    seen = [case.sees(step) for step in case.steps]
    seen[-1] = seen[-1] and equal
    first, at = case.first_difference(case.steps, seen)
    verdict = Verdict(None, at) if equal else judge(case, first, at)
    place, seen[-1] = verdict.place, equal
    status = ["agreed" if one else "not seen" for one in seen]
    if not equal:  # behind a mistake, right values are luck
        status[place:] = ["not seen"] * (len(seen) - place)
    words, operation = [step.words for step in case.steps], None
    if "not seen" in status[place : place + 1]:
        operation, status[place] = words[place], "differs"
    checked = [Check(*pair) for pair in zip(words, status, strict=True)]
    cause, known, alone = verdict.cause, verdict.known, verdict.alone
    return Report(equal, operation, cause, case.difference, checked, known, alone)


def _check_inputs(reference, input_ids) -> torch.Tensor:
    """Return ids (batch, seq), or say in one line what does not fit."""
    if not hasattr(reference, "lm_head"):
        kind = type(reference).__name__
        raise ValueError(f"expected a GPT2LMHeadModel as reference, got {kind}")
    check_config(reference.config)
    if isinstance(input_ids, torch.Tensor):
        input_ids = torch.atleast_2d(input_ids).to(reference.device)
    check_ids(reference, input_ids)
    if not 1 < input_ids.numel() <= MOST:
        shape = tuple(input_ids.shape)
        raise ValueError(f"expected 2 to {MOST} tokens as input_ids, got {shape}")
    return input_ids


class Recording(TorchDispatchMode):
    """While it is on, keep every tensor, of some sizes, that an operation touches."""

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
        seen = [view for tensor in near for view in views(tensor, whole.shape)]
        least = min((distance(view, whole) for view in seen), default=math.inf)
        axes = [axis for axis in range(value.dim() - 2) if value.shape[axis] > 1]
        if least < NEAR or not axes:
            return least
        return min(max(map(self.distance, value.split(1, dim=axis))) for axis in axes)


def views(tensor: torch.Tensor, shape: torch.Size) -> Iterator[torch.Tensor]:
    """Yield a tensor with its axes in every order that gives a shape."""
    forms = [tensor]
    if len(shape) == tensor.dim() + 1 and len(tensor) == shape[0] * shape[1]:
        both = shape[:2], shape[1::-1]  # its first two axes were joined, in some order
        forms = [tensor.unflatten(0, sizes) for sizes in both]
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
    """Run a model; return what was recorded, its logits or None, its error or None."""
    runs, forms = [], [input_ids]
    if len(input_ids) == 1:
        forms += [input_ids[0]]  # where it refuses (1, seq), it may want (seq,)
    for ids in forms:
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
        raise ValueError(f"the model returned {got}, expected {tuple(shape)}: {advice}")
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
        # How much rounding changes a value: float32 beside float64.
        self.noise = {
            (step.layer, step.name): NOISE + MARGIN * distance(step.value, other.value)
            for step, other in zip(self.steps, exact, strict=True)
        }
        best = exact[-1].value
        if distance(right, best) > max(1e-4, self.room(self.steps[-1])):
            gap = (right - best).abs().max()
            text = f"the reference's logits differ by {gap:.1g} from its weights': "
            text += "give it fresh from from_pretrained, float32, eval mode, no hooks"
            raise ValueError(text)
        with torch.random.fork_rng():
            ran = run(model, input_ids, right.shape, sizes)
        self.recording, self.logits, self.error = ran
        if not self.shows(self.steps[2]):
            size = tuple(self.steps[2].value.shape[1:])
            text = f"no operation of the model returned (seq, d_model) = {size}"
            raise ValueError(f"{text}: build it from reference.config")
        self.difference = math.inf
        if self.logits is not None and not self.logits.isnan().any():
            self.difference = (self.logits - right).abs().max().item()

    def replay(self, weights=None, **changes) -> Iterator[Step]:
        """Yield the steps of the reference with something changed in it."""
        return trace(weights or self.weights, self.config, self.given.cpu(), **changes)

    def room(self, step: Step) -> float:
        """Return by how much a value may differ and still count as the same."""
        last = self.config.n_layer - 1  # stands for one too many
        return self.noise.get((step.layer, step.name)) or self.noise[last, step.name]

    def sees(self, step: Step) -> bool:
        """Tell whether the learner's model has a value."""
        return self.recording.distance(step.value) <= self.room(step)

    def shows(self, step: Step) -> bool:
        """Tell whether the learner's model has anything that could be a value."""
        shaped = self.recording.shaped(step.value)
        return bool(self.error) or next(shaped, None) is not None

    def draws(self) -> bool:
        """Run the model with other random numbers: are its logits others?"""
        with torch.random.fork_rng():
            torch.manual_seed(torch.initial_seed() + 1)
            _, again, _ = run(self.model, self.given, self.logits.shape)
        return again is None or not torch.equal(plain(again), plain(self.logits))

    def first_difference(self, steps: list[Step], seen: list[bool]) -> tuple[int, int]:
        """Return the first step that nothing vouches for, and the first not hidden.

        A step is hidden if the model has no tensor of its shape. What the last step is
        not made from needs no voucher, unless the model goes on with such a value.
        """
        vouched, needed = list(seen), [False] * len(steps)
        needed[-1] = True
        for i in reversed(range(len(steps))):
            for k in steps[i].sources:
                vouched[k], needed[k] = vouched[k] or vouched[i], needed[k] or needed[i]
        on = [any(seen[k] and not needed[k] for k in step.sources) for step in steps]
        unseen = [i for i, v in enumerate(vouched) if not v and (needed[i] or on[i])]
        shown = (i for i in unseen if self.shows(steps[i]))
        return min(unseen, default=len(steps)), next(shown, len(steps))
