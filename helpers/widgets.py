"""Explorers: views of a model that answer to sliders.

Each has a static twin among the figures, for those who read without a running kernel.
"""

import html
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

import ipywidgets
import torch
from matplotlib import pyplot as plt

from helpers import decoding
from helpers.inputs import expect, whole
from helpers.plots.day04 import token_choice

WIDE = {"description_width": "90px"}  # or "temperature" is cut


class Choice(NamedTuple):
    """One token being chosen: the logits (vocab,), the same after rules, the token."""

    logits: torch.Tensor
    allowed: torch.Tensor
    token: int


def choices(model, input_ids: torch.Tensor, *, rules=(), **options) -> Iterator[Choice]:
    """Yield the choices that ``helpers.decoding.stream`` makes, with their logits.

    Args:
        model: the engine, or a causal language model of transformers.
        input_ids: (1, seq).
        rules: change the logits, in this order.
        options: ``pick``, ``max_new_tokens``, ``eos_token_id`` and ``stop``.
    """
    seen = []

    def watch(input_ids, next_logits):
        seen.append(next_logits[0])
        return next_logits

    watched = [watch, *rules, watch]
    for step in decoding.stream(model, input_ids, rules=watched, **options):
        yield Choice(seen[-2], seen[-1], step.token)


class TokenExplorer(ipywidgets.VBox):
    """One token being chosen, step by step: logits, rules, distribution, choice.

    A slider walks through the text; the others change the rules, and the text with
    them. The static twin is ``helpers.plots.day04.token_choice``.

    Args:
        model: the engine, or a causal language model of transformers.
        tokenizer: the model's.
        input_ids: (1, seq), the prompt.
        max_new_tokens: how long a text to walk through; it may end earlier.
        top: how many tokens are drawn.
    """

    def __init__(
        self, model, tokenizer, input_ids, *, max_new_tokens: int = 16, top: int = 8
    ):
        expect("max_new_tokens", max_new_tokens, whole(), "a whole number from 1")
        expect("top", top, whole(), "a whole number from 1")
        self.model, self.tokenizer, self.input_ids = model, tokenizer, input_ids
        self.max_new_tokens, self.top = max_new_tokens, top
        self.step = _slider("token", 1, 1, max_new_tokens)
        self.temperature = _slider("temperature", 1.0, 0.1, 2.0, step=0.1)
        self.top_k = _slider("top k", 0, 0, min(50, model.config.vocab_size))
        self.top_p = _slider("top p", 1.0, 0.05, 1.0, step=0.05)
        self.pick = ipywidgets.ToggleButtons(
            options=["greedy", "sample"], description="pick", style=WIDE
        )
        self.seed = ipywidgets.BoundedIntText(
            description="seed", min=0, max=10**6, continuous_update=False, style=WIDE
        )
        self.text, self.figure = ipywidgets.HTML(), ipywidgets.Image(format="png")
        self.settings = (self.temperature, self.top_k, self.top_p, self.pick, self.seed)
        for control in self.settings:
            control.observe(self._write, "value")
        self.step.observe(self._show, "value")
        self._write()
        left = ipywidgets.VBox([self.pick, self.seed, self.step])
        right = ipywidgets.VBox(list(self.settings[:3]))
        controls = ipywidgets.HBox([left, right])
        super().__init__([controls, self.text, self.figure])

    def _write(self, change=None) -> None:
        """Write the text anew under the rules as they are set, and show it."""
        rules = [decoding.temperature(self.temperature.value)]
        if self.top_k.value:  # 0: all tokens
            rules.append(decoding.top_k(self.top_k.value))
        rules.append(decoding.top_p(self.top_p.value))
        drawn = self.pick.value == "sample"
        self.choices = list(
            choices(
                self.model,
                self.input_ids,
                rules=rules,
                pick=decoding.sample(self.seed.value) if drawn else decoding.greedy,
                max_new_tokens=self.max_new_tokens,
                eos_token_id=self.tokenizer.eos_token_id,
            )
        )
        self.step.max = len(self.choices)
        self._show()

    def _show(self, change=None) -> None:
        """Show the choice that the slider points at, and the text around it."""
        at = self.step.value - 1
        tokens = [choice.token for choice in self.choices]
        prompt = self.tokenizer.decode(self.input_ids[0])
        before, after = (
            html.escape(self.tokenizer.decode(part))
            for part in (tokens[:at], tokens[at + 1 :])
        )
        piece = html.escape(self._name(tokens[at]))
        was, became = (
            scores.softmax(-1)[tokens[at]] for scores in self.choices[at][:2]
        )
        self.text.value = (
            f"<p>{html.escape(prompt)}{before}<b>{piece}</b>"
            f"<span style='opacity:0.5'>{after}</span></p>"
            f"<p>Its probability: {was:.2f} before the rules, {became:.2f} after.</p>"
        )
        axes = token_choice(
            *self.choices[at][:2],
            chosen=tokens[at],
            name=self._name,
            top=self.top,
            title=f"Token {at + 1} of {len(tokens)}",
        )
        self.figure.value = _png(axes[0].figure)

    def _name(self, token: int) -> str:
        return self.tokenizer.decode([token])


def _slider(name: str, value, least, most, *, step=1):
    kind = ipywidgets.IntSlider if isinstance(value, int) else ipywidgets.FloatSlider
    return kind(
        description=name,
        value=value,
        min=least,
        max=most,
        step=step,
        continuous_update=False,
        style=WIDE,
    )


def _png(figure) -> bytes:
    """Return the figure as a PNG, and close it, so that it is not shown as well."""
    file = BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    return file.getvalue()
