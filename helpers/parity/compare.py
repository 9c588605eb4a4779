"""A learner's GPT-2 beside the reference: which operation differs first, and why.

Both models run as they are, and the difference of their logits decides. Then the values
of each operation (``helpers.checkpoints``: the reference's weights, its logits checked)
are looked for, in order, among all tensors that the learner's model computed. Behind
the last one that is found lies the mistake; known mistakes are replayed until one gives
the same numbers.
"""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from helpers.gpt2 import check_config
from helpers.parity.checkpoints import BRANCHES, OPTIONAL, WEIGHTS, Step, where
from helpers.parity.recording import NOT_A_NUMBER, allowed, plain, run
from helpers.parity.suspects import (
    Case,
    Verdict,
    judge,
    open_case,
    own_weights,
    suspects,
)

MOST = 128  # tokens; a dozen show every mistake
DROPOUT = "your model draws random numbers: switch dropout off with model.eval()"


class Check(NamedTuple):
    """One operation, and whether the learner's model has the reference's value."""

    operation: str
    status: str  # "agreed", "differs" or "not seen"


@dataclass(repr=False)
class Report:
    """What was found; as text, two to six lines that a learner can act upon.

    ``operation`` is the first that differs, ``layer`` where it is (None outside the
    layers), ``cause`` the known mistake that gives the learner's numbers, or else what
    the numbers look like; ``difference`` the largest one from the reference's logits.
    """

    equal: bool
    operation: str | None
    layer: int | None
    cause: str | None
    difference: float
    checked: list[Check] = field(default_factory=list)
    known: bool = False  # the cause gives the learner's numbers
    alone: bool = False  # and all of the learner's logits

    def __repr__(self) -> str:
        gap = f"the largest difference of the logits is {self.difference:.1g}"
        if self.equal:
            seen = sum(check.status == "agreed" for check in self.checked)
            text = f"{seen} of {len(self.checked)} operations were seen to agree"
            hidden = "; your model has the others inside of larger ones"
            text += hidden if seen < len(self.checked) else ""
            return f"Equal: {gap}.\n{text}."
        lines = [f"First difference: {self.operation}."]
        if last := self._last_agreed():
            lines.append(f"The last that agrees: {last}.")
        lines.append(f"{'Likely cause: ' if self.known else ''}{self.cause}.")
        if self.alone:
            lines.append("With this mistake alone the reference gives your logits.")
        elif self.known:
            lines.append("Mend it and compare again: more may differ after it.")
        if math.isfinite(self.difference):
            lines.append(f"In the end, {gap}.")
        return "\n".join(lines)

    def _last_agreed(self) -> str | None:
        """Return the last operation before the difference that agrees."""
        last = None
        for check in self.checked:
            if check.operation == self.operation:
                break
            last = check.operation if check.status == "agreed" else last
        return last


def compare(model, reference, input_ids: torch.Tensor, *, atol: float = 1e-4) -> Report:
    """Run a learner's GPT-2 beside the reference and name the first difference.

    Nothing is asked of the learner's model but that it maps token ids to logits, or to
    something with ``.logits``. It runs in the mode it is in; the state of the random
    numbers is restored. A model that stops with an error is reported, too.

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
    check_config(reference.config)
    input_ids = _check_ids(input_ids, reference.config)
    case = open_case(model, reference, input_ids)
    difference = case.difference()
    checked = _check(case, difference <= atol)
    if difference <= atol:
        return Report(True, None, None, None, difference, checked)
    at = next(i for i, check in enumerate(checked) if check.status == "differs")
    verdict = _accuse(case, model, input_ids, at)
    return Report(
        equal=False,
        operation=where(case.steps[at].layer, verdict.name),
        layer=case.steps[at].layer,
        cause=verdict.cause,
        difference=difference,
        checked=checked,
        known=verdict.known,
        alone=verdict.alone,
    )


def _check_ids(input_ids: torch.Tensor, config) -> torch.Tensor:
    shape = tuple(input_ids.shape)
    if len(shape) not in (1, 2) or not 1 < input_ids.numel() <= MOST:
        raise ValueError(f"input_ids: (batch, seq), 2 to {MOST} tokens, not {shape}")
    if input_ids.min() < 0 or input_ids.max() >= config.vocab_size:
        raise ValueError(f"input_ids must be from 0 to {config.vocab_size - 1}")
    if shape[-1] > config.n_positions:
        limit = f"the reference reads at most {config.n_positions}"
        raise ValueError(f"{shape[-1]} tokens, but {limit}: give fewer")
    return input_ids.reshape(-1, shape[-1])


def _check(case: Case, equal: bool) -> list[Check]:
    """Return the status of every operation, up to the first that differs.

    A value that is seen vouches for all that it was made from.
    """
    seen = [case.holds(case.run.recording, step) for step in case.steps[:-1]] + [equal]
    status = ["agreed" if one else "not seen" for one in seen]
    if not equal:
        at = _first_difference(case, seen)
        status[at:] = ["differs"] + ["not seen"] * (len(seen) - at - 1)
    words = [where(step.layer, step.name) for step in case.steps]
    return list(map(Check, words, status))


def _first_difference(case: Case, seen: list[bool]) -> int:
    """Return the first operation that must be seen and is not, or one it hides in."""
    names = [step.name for step in case.steps]
    vouched = [i for i, name in enumerate(names) if seen[i] and name not in BRANCHES]
    for i in range(max(vouched, default=-1) + 1, len(seen) - 1):
        if seen[i] or (names[i] == "c_attn" and any(seen[i + 1 : i + 4])):
            continue  # a query vouches for what it was cut from
        shown = case.run.error or case.run.recording.shaped(case.steps[i].value)
        if shown or names[i] not in OPTIONAL:
            return i
    return len(seen) - 1


def _accuse(case: Case, model, input_ids: torch.Tensor, at: int) -> Verdict:
    """Find the cause."""
    step = case.steps[at]
    if case.run.error is not None:
        return Verdict(_stopped(case.run.error, step.name), step.name, known=False)
    if _draws(case, model, input_ids):
        return Verdict(DROPOUT, step.name)
    tried = suspects(case.config) + own_weights(model, case.weights, step)
    verdict = judge(case, tried, at)
    return verdict or Verdict(_describe(case, step), step.name, known=False)


def _stopped(error: Exception, name: str) -> str:
    line = [*str(error).strip().splitlines(), ""][0].rstrip(".")
    text = f"Your model stops here with {type(error).__name__}: {line}"
    if "cannot be multiplied" in line and name in WEIGHTS:
        kept = f"{WEIGHTS[name]}.weight is stored (in, out)"
        text = f"{text}. Is it transposed? {kept}, nn.Linear wants (out, in)"
    return text


def _draws(case: Case, model, input_ids: torch.Tensor) -> bool:
    """Run the model with other random numbers: are its logits others?"""
    logits = case.run.logits
    again = run(model, input_ids, logits.shape, seed=torch.initial_seed() + 1).logits
    return again is None or not torch.equal(plain(again), plain(logits))


def _describe(case: Case, step: Step) -> str:
    """Say what the nearest tensor of the learner's looks like beside the value."""
    wanted = plain(step.value)
    near = [t for t in case.run.recording.shaped(wanted) if not case.known.holds(t)]
    if step.name == "logits":
        near = [plain(case.run.logits)]
    if not near:
        return "Your model has no tensor that could be it; it may be missing"
    found = min(near, key=lambda tensor: (tensor - wanted).abs().mean().item())
    gap, room = (found - wanted).abs(), allowed(wanted)
    size = (
        f"up to {gap.max():.1g}" if gap.max() < NOT_A_NUMBER / 2 else "infinity or NaN"
    )
    text = f"The nearest tensor of yours differs by {size}"
    seq = len(case.input_ids[0])
    rows = gap.le(room).view(-1, seq, step.value.shape[-1]).all(-1).all(0)
    if rows.any():
        return f"{text}; positions that agree: {rows.nonzero().flatten().tolist()}"
    factor = (found * wanted).sum() / wanted.square().sum()
    if (found - factor * wanted).abs().le(room * factor.abs()).all():
        return f"{text}: it is {factor:.3g} times what it should be"
    offset = (found - wanted).view(-1, seq, step.value.shape[-1])
    if (offset - offset[:, :1]).abs().le(2 * room.view_as(offset)).all():
        return f"{text}, by the same vector at every position, as a bias would"
    return f"{text}, and no position agrees"
