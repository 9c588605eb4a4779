"""Explorers: views of a model that answer to sliders.

Each has a static twin among the figures, for those who read without a running kernel.
"""

import html
from io import BytesIO

import ipywidgets
from ipywidgets import FloatSlider, IntSlider
from matplotlib import pyplot as plt

from helpers import decoding
from helpers.inputs import expect, whole
from helpers.plots.day04 import token_choice

WIDE = {"description_width": "90px"}  # or "temperature" is cut


class TokenExplorer(ipywidgets.VBox):
    """One token being chosen, step by step: logits, rules, distribution, choice.

    A slider walks through the text; the others change the rules, and the text with
    them. The model is as in ``generate``, ``input_ids`` (1, seq) the prompt; ``top``
    tokens are drawn. The static twin is ``helpers.plots.day04.token_choice``.
    """

    def __init__(
        self, model, tokenizer, input_ids, *, max_new_tokens: int = 16, top: int = 8
    ):
        expect("max_new_tokens", max_new_tokens, whole(), "a whole number from 1")
        expect("top", top, whole(), "a whole number from 1")
        self.model, self.tokenizer, self.input_ids = model, tokenizer, input_ids
        self.max_new_tokens, self.top = max_new_tokens, top
        most = min(50, model.config.vocab_size)
        self.step = _control(IntSlider, "token", 1, 1, max_new_tokens)
        self.temperature = _control(FloatSlider, "temperature", 1.0, 0.1, 2.0, 0.1)
        self.top_k = _control(IntSlider, "top k", 0, 0, most)
        self.top_p = _control(FloatSlider, "top p", 1.0, 0.05, 1.0, 0.05)
        options = {"options": ["greedy", "sample"], "description": "pick"}
        self.pick = ipywidgets.ToggleButtons(**options, style=WIDE)
        self.seed = _control(ipywidgets.BoundedIntText, "seed", 0, 0, 10**6)
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
        pick = decoding.sample(self.seed.value) if drawn else decoding.greedy
        ends = {"max_new_tokens": self.max_new_tokens}
        ends["eos_token_id"] = self.tokenizer.eos_token_id
        how = {"rules": rules, "pick": pick, **ends}
        self.steps = list(decoding.stream(self.model, self.input_ids, **how))
        self.step.max = len(self.steps)
        self._show()

    def _show(self, change=None) -> None:
        """Show the choice that the slider points at, and the text around it."""
        at = self.step.value - 1
        tokens, chosen = [step.token for step in self.steps], self.steps[at]
        prompt = self.tokenizer.decode(self.input_ids[0])
        parts = (tokens[:at], tokens[at : at + 1], tokens[at + 1 :])
        before, piece, after = (html.escape(self.tokenizer.decode(p)) for p in parts)
        was, became = chosen.logits.softmax(dim=-1)[chosen.token], chosen.prob
        self.text.value = (
            f"<p>{html.escape(prompt)}{before}<b>{piece}</b>"
            f"<span style='opacity:0.5'>{after}</span></p>"
            f"<p>Its probability: {was:.2f} before the rules, {became:.2f} after.</p>"
        )
        options = {"name": self.tokenizer.decode, "top": self.top}
        options |= {"chosen": chosen.token, "title": f"Token {at + 1} of {len(tokens)}"}
        axes = token_choice(chosen.logits, chosen.allowed, **options)
        self.figure.value = _png(axes[0].figure)


def _control(kind, name: str, value, least, most, step=1):
    options = {"description": name, "style": WIDE, "continuous_update": False}
    return kind(value=value, min=least, max=most, step=step, **options)


def _png(figure) -> bytes:
    """Return the figure as a PNG, and close it, so that it is not shown as well."""
    file = BytesIO()
    figure.savefig(file, format="png")
    plt.close(figure)
    return file.getvalue()
