"""Widths: what wider and wider beams do to stories, beside stories that were drawn."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from helpers.decoding import generate_text, greedy, sample, top_p
from helpers.evaluation.frontier import MOST, beginnings
from helpers.evaluation.losses import document_losses
from helpers.evaluation.samples import sample_texts
from helpers.tokens import END
from helpers.worlds import load_plots, load_world, words

STORED = Path(__file__).parents[2] / "data" / "measurements" / "widths.json"
GIVEN, SEED = 12, 5
WAYS = {  # what beam search is told, or the rules by which words are drawn
    "greedy": None,
    **{f"{k} beams": {"num_beams": k} for k in (2, 4, 8, 16)},
    "4 beams, by the sum": {"num_beams": 4, "length_penalty": 0.0},
    "drawn, T = 1": (),
    "drawn, p = 0.9": (top_p(0.9),),
}


class Story(NamedTuple):
    """What is kept of a story that was finished in one of the ways."""

    plot: str  # the one that it kept to for longest
    wrong: str | None  # the first word that its world could not have written
    favourite: bool | None  # whether the model held that word for the likeliest
    log_prob: float  # of the whole story, by the model, in nats


def stored(path: Path = STORED) -> dict[str, list[Story]]:
    """Return what ``python -m helpers measure widths`` found, for each of WAYS.

    The stories with the same number go on from the same beginning.
    """
    ways = json.loads(path.read_text("utf-8"))["widths"]["ways"]
    return {way: [Story(*row) for row in rows] for way, rows in ways.items()}


def compare_widths(
    model, tokenizer, n: int, *, ways: Sequence[str] = tuple(WAYS)
) -> dict[str, list[Story]]:
    """Let a model finish the beginnings of ``n`` fresh stories in each of the ways."""
    prompts = beginnings(load_world("stories"), n, given=GIVEN)
    return {
        way: [
            judge(model, tokenizer, text)
            for text in finish(model, tokenizer, prompts, WAYS[way])
        ]
        for way in ways
    }


def finish(model, tokenizer, prompts: list[str], how) -> list[str]:
    """Finish every beginning; ``how`` is a value of WAYS."""
    if isinstance(how, dict):
        how = how | {"model": (model, tokenizer), "max_new_tokens": MOST}
        return [generate_text(prompt, strategy="beam", **how) for prompt in prompts]
    pick = greedy if how is None else sample(SEED)
    options = {"rules": how or (), "pick": pick, "max_new_tokens": MOST}
    return sample_texts(model, tokenizer, len(prompts), prompts=prompts, **options)


@torch.inference_mode()
def judge(model, tokenizer, text: str) -> Story:
    """Return what is kept of a story."""
    slips = {name: plot.first_error(text) for name, plot in load_plots().items()}
    reach = {name: slip.position if slip else math.inf for name, slip in slips.items()}
    plot = max(reach, key=reach.get)
    nats = -round(document_losses(model, tokenizer, [text])[0][0], 3)
    if slips[plot] is None:
        return Story(plot, None, None, nats)
    before = tokenizer.encode(tokenizer.eos_token + text[: reach[plot]])
    wrong = [*words(text[reach[plot] :]), END][0]
    best = model(torch.tensor([before], device=model.device))[0, -1].argmax().item()
    return Story(plot, wrong, best == tokenizer.encode(wrong)[0], nats)
