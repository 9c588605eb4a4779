"""What is known of a learner's model and the reference: both were run."""

import math
from typing import NamedTuple

import torch

from helpers.parity.checkpoints import EMBEDDING, LAYER, Step, forms, trace
from helpers.parity.recording import Recorder, Recording, Run, allowed, run


@torch.no_grad()
def open_case(model, reference, input_ids: torch.Tensor) -> "Case":
    """Run a learner's model and a GPT2LMHeadModel on (batch, seq) ids.

    Raises:
        ValueError: for a model of another size than the reference, and for a reference
            whose own logits are not those of its weights.
    """
    config, batch, on_cpu = reference.config, len(input_ids), input_ids.cpu()
    state = reference.transformer.state_dict()
    weights = {name: weight.to("cpu", torch.float32) for name, weight in state.items()}
    steps = list(trace(weights, config, on_cpu))
    wanted = _own_logits(reference, input_ids, steps[-1].value)
    sizes = {step.value.numel() for step in steps} | {input_ids.numel() * config.n_embd}
    parts = (1, batch, config.n_head, batch * config.n_head)
    known = Recording({size // part for size in sizes for part in parts})
    with Recorder(known):  # with all that is computed on the way
        for step in trace(weights, config, on_cpu):
            for form in forms(step, config.n_head, batch):
                known.add(form)
    ran = run(model, input_ids, steps[-1].value.shape, sizes=known.sizes)
    embedded = next(step.value for step in steps if step.name == "embedded")
    if ran.error is None and not ran.recording.shaped(embedded):
        size = f"(seq, d_model) = {tuple(embedded.shape[1:])}"
        advice = "build it from reference.config"
        raise ValueError(f"no operation of the model returned {size}: {advice}")
    return Case(weights, config, on_cpu, steps, known, wanted, ran)


def _own_logits(reference, input_ids, rebuilt: torch.Tensor) -> torch.Tensor:
    """Run the library's model itself; the checkpoints must have its logits, too."""
    place = next(reference.parameters()).device
    with torch.random.fork_rng():
        output = reference(input_ids.to(place), use_cache=False)
    logits = output.logits.to("cpu", torch.float32)
    gap = (logits - rebuilt).abs()
    if bool((gap <= 3 * allowed(logits)).all()):
        return logits
    advice = "give it fresh from from_pretrained, in float32, in eval mode, no hooks"
    found = f"the reference's logits differ by {gap.max():.1g} from what its weights"
    raise ValueError(f"{found} give: {advice}")


class Case(NamedTuple):
    """The reference with its values, and what the learner's model did."""

    weights: dict[str, torch.Tensor]
    config: object
    input_ids: torch.Tensor
    steps: list[Step]
    known: Recording  # the values of the steps
    logits: torch.Tensor  # the library's own
    run: Run

    def holds(self, recording: Recording, step: Step) -> bool:
        """Tell whether a recording has a value, in any of its forms."""
        found = forms(step, self.config.n_head, len(self.input_ids))
        return any(map(recording.holds, found))

    def begin(self, layer: int, swaps: dict) -> dict[str, torch.Tensor]:
        """Return the reference's values in a layer, before the first of the swaps.

        As many layers as there are stand for what is behind them.
        """
        at = len(EMBEDDING) + layer * len(LAYER)
        values = {"stream": self.steps[at - 1].value}
        for step in self.steps[at:]:
            if step.name in swaps:
                break
            values[step.name] = step.value
        return values

    def difference(self) -> float:
        """Return the largest difference from the library's logits; infinite without."""
        if self.run.logits is None:
            return math.inf
        largest = (self.run.logits - self.logits).abs().max().item()
        return math.inf if math.isnan(largest) else largest
