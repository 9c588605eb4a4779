"""Measure the pocket GPT-2: ``python -m helpers measure`` prints its model card.

Every figure comes from texts with seeds never trained on. ``--write`` keeps the card
as the model's README.md and the figures, for machines, in measurements.json.
"""

import argparse
import json
import math
from collections import Counter
from pathlib import Path

from helpers import tasks
from helpers.evaluation import accepted, gap_to_floor, sample_texts
from helpers.execution import check_many
from helpers.models import load_model
from helpers.plots.training import loss_curve
from helpers.pocket import POCKET, SHARES
from helpers.worlds import FRESH, load_world

PARTS = ("floor", "stories", "code", "lists")
STRATEGIES = {
    "pure sampling": {"do_sample": True, "top_k": 0},
    "top-p 0.9": {"do_sample": True, "top_k": 0, "top_p": 0.9},
    "greedy": {"do_sample": False},
}


def measure_floor(model, tokenizer, n: int) -> dict:
    """Return perplexity beside the entropy floor, per world, with standard errors."""
    rows = {}
    for name in SHARES:
        gap = gap_to_floor(model, tokenizer, load_world(name), n, seed=FRESH)
        rows[name] = {
            "perplexity": math.exp(gap.loss),
            "perplexity_error": math.exp(gap.loss) * gap.loss_error,
            "floor": math.exp(gap.floor),
            "floor_error": math.exp(gap.floor) * gap.floor_error,
            "ratio": math.exp(gap.excess),
            "ratio_error": math.exp(gap.excess) * gap.excess_error,
        }
    return {"texts": n, "worlds": rows}


def measure_stories(model, tokenizer, n: int) -> dict:
    """Return the share of stories the world accepts whole, and the first errors.

    Greedy decoding of an empty prompt gives one story only, so each greedy story
    goes on from the opening (twelve tokens) of a fresh story.
    """
    world, rows = load_world("stories"), {}
    fresh = [tokenizer(world.sample(FRESH + i))["input_ids"][:12] for i in range(n)]
    openings = tokenizer.batch_decode(fresh)
    for name, options in STRATEGIES.items():
        prompts = openings if name == "greedy" else ("",)
        texts = sample_texts(model, tokenizer, n, prompts=prompts, **options)
        share, slips = accepted(texts, world.first_error)
        kinds = Counter(slip.kind for slip in slips).most_common()
        examples = [slip.reason for slip in slips[:3]]
        rows[name] = {"accepted": share, "first_errors": kinds, "examples": examples}
    return {"texts": n, "strategies": rows}


def measure_code(model, tokenizer, n: int) -> dict:
    """Return the shares of functions that parse and that pass their doctests."""
    options = {"do_sample": True, "top_k": 0, "temperature": 0.7}
    texts = sample_texts(model, tokenizer, n, prompts=("def",), **options)
    errors = check_many(texts)
    syntax = sum(e is not None and e[1].startswith("syntax") for e in errors)
    right = sum(error is None for error in errors)
    return {"texts": n, "parses": 1 - syntax / n, "passes": right / n}


def measure_lists(model, tokenizer, n: int) -> dict:
    """Return the share of right answers for each number of shots, over all tasks."""
    rows = {}
    for shots in range(9):
        asked = [t for t in tasks.TASKS if shots >= tasks.FEWEST.get(t, 0)]
        prompts = [
            tasks.list_prompt(asked[i % len(asked)], shots, FRESH + i) for i in range(n)
        ]
        asked_first = [prompt for prompt, _ in prompts]
        options = {"do_sample": False, "max_new_tokens": 6}
        texts = sample_texts(model, tokenizer, n, prompts=asked_first, **options)
        right = sum(
            text[len(prompt) :].partition(",")[0] == answer
            for text, (prompt, answer) in zip(texts, prompts, strict=True)
        )
        rows[shots] = right / n
    return {"prompts": n, "accuracy": rows}


def percent(share: float, n: int) -> str:
    """Write a share with its standard error (Wilson's for 0 and 1 would be wider)."""
    return f"{share:.1%} ± {math.sqrt(share * (1 - share) / n):.1%}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def write_card(figures: dict, log: dict) -> str:
    """Return the model card: measured figures only, each with its command."""
    floor, stories = figures["floor"], figures["stories"]
    code, lists, recipe = figures["code"], figures["lists"], log["recipe"]
    worlds = [
        [
            name,
            f"{row['perplexity']:.3f} ± {row['perplexity_error']:.3f}",
            f"{row['floor']:.3f} ± {row['floor_error']:.3f}",
            f"{row['ratio']:.4f} ± {row['ratio_error']:.4f}",
        ]
        for name, row in floor["worlds"].items()
    ]
    shares = [
        [
            name,
            percent(row["accepted"], stories["texts"]),
            ", ".join(f"{kind} {count}" for kind, count in row["first_errors"]) or "–",
        ]
        for name, row in stories["strategies"].items()
    ]
    curve = [
        [shots, percent(share, lists["prompts"])]
        for shots, share in lists["accuracy"].items()
    ]
    return CARD.format(
        **recipe,
        parameters=figures["parameters"],
        megabytes=figures["megabytes"],
        seen=log["tokens"],
        steps=log["steps"],
        minutes=log["seconds"] / 60,
        last=log["history"][-1][2],
        device=log["device"],
        torch=log["torch"],
        texts=floor["texts"],
        stories=stories["texts"],
        code=code["texts"],
        lists=lists["prompts"],
        worlds=table(
            ["world", "perplexity", "entropy floor", "perplexity / floor"], worlds
        ),
        shares=table(
            ["decoding", "accepted whole", "first errors by kind, stories"], shares
        ),
        parses=percent(code["parses"], code["texts"]),
        passes=percent(code["passes"], code["texts"]),
        curve=table(["shots", "right answers"], curve),
    )


CARD = """# The pocket GPT-2

A `GPT2LMHeadModel` of {parameters:,} parameters ({layers} layers, {heads} heads, width
{width}, context 512) with a byte-level BPE of {vocab:,} tokens. This project trained
both from nothing, on the worlds `stories`, `code` and `lists` of `data/worlds`; no text
by anybody else was used. It is for teaching: it knows nothing but these worlds, so it
is of no use, and no danger, outside the course. Its weights are stored as float16
safetensors ({megabytes:.1f} MB) and loaded as float32. Licence: MIT.

The figures below come from `python -m helpers measure --write`, on texts whose seeds
(from {{fresh}} on) were never trained on; ± is one standard error.

## Perplexity beside the best possible

`python -m helpers measure floor`, {texts} texts per world, nats averaged per token with
the end token; the floor is the worlds' exact -log p of the same texts, and the error of
the ratio is that of the paired difference.

{worlds}

## Stories the world accepts whole

`python -m helpers measure stories`, {stories} stories per row, judged by
`load_world("stories").first_error`. Sampled stories start from nothing; greedy ones
from the first twelve tokens of as many fresh stories, since greedy decoding has only
one answer to the empty prompt.

{shares}

## Code

`python -m helpers measure code`, {code} functions sampled at temperature 0.7 after
`def`: {parses} parse, {passes} pass their own doctests.

## Lists

`python -m helpers measure lists`, {lists} prompts per row over all tasks of
`helpers/tasks.py`, answered greedily. (With fewer than two shots most tasks cannot be
told apart.)

{curve}

## Training

`python -m helpers pretrain` (seed {seed}): {seen:,} tokens in {steps:,} steps and
{minutes:.0f} minutes on {device}, torch {torch}; the last twenty steps' mean loss was
{last:.3f} nats per token. The recipe and the loss after every twenty steps are in
`training.json`.

![Training loss against tokens seen falls steeply, then slowly.](loss.png)
"""


def main(arguments: list[str]) -> int:
    """Run ``python -m helpers measure``."""
    parser = argparse.ArgumentParser(prog="python -m helpers measure")
    parser.add_argument("part", nargs="?", choices=PARTS, help="one part only")
    parser.add_argument("--model", default="pocket", help="name or folder")
    parser.add_argument("--texts", type=int, default=500, help="texts per figure")
    parser.add_argument("--write", action="store_true", help="keep the card")
    options = parser.parse_args(arguments)
    model, tokenizer = load_model(options.model)
    measures = {
        "floor": measure_floor,
        "stories": measure_stories,
        "code": measure_code,
        "lists": measure_lists,
    }
    parts = [options.part] if options.part else PARTS
    figures = {part: measures[part](model, tokenizer, options.texts) for part in parts}
    if options.part:
        print(json.dumps(figures, indent=2))
        return 0
    folder = POCKET if options.model == "pocket" else Path(options.model)
    log = json.loads((folder / "training.json").read_text())
    figures["parameters"] = model.num_parameters()
    figures["megabytes"] = (folder / "model.safetensors").stat().st_size / 1e6
    card = write_card(figures, log).replace("{fresh}", f"{FRESH:,}")
    print(card)
    if options.write:
        (folder / "README.md").write_text(card)
        (folder / "measurements.json").write_text(json.dumps(figures, indent=2) + "\n")
        floor = math.log(figures["floor"]["worlds"]["stories"]["floor"])
        axes = loss_curve(log["history"], floor=floor)
        axes.figure.savefig(folder / "loss.png")
    return 0
