"""The pocket GPT-2's model card: measured figures only, each with its command."""

import math

from helpers.worlds import FRESH


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
        fresh=FRESH,
        parameters=figures["parameters"],
        megabytes=figures["megabytes"],
        seen=log["tokens"],
        steps=log["steps"],
        minutes=log["seconds"] / 60,
        last=log["history"][-1][2],
        runs=len(log["runs"]),
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
(from {fresh:,} on) were never trained on; ± is one standard error.

## Perplexity beside the best possible

`python -m helpers measure floor`, {texts} texts per world, nats averaged per token with
the end token; the floor is the worlds' exact -log p of the same texts, and the error of
the ratio is that of the paired difference.

{worlds}

## Stories the world accepts whole

`python -m helpers measure stories`, {stories} stories per row, judged by
`load_world("stories").first_error`. Each goes on from the first word of a fresh story,
since after nothing the model may also begin with code or a list; greedy ones go on from
twelve words, since greedy decoding has only one answer to each beginning.

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
{minutes:.0f} minutes on {device} with torch {torch}, in {runs} run(s). The mean loss of
the last twenty steps was {last:.3f} nats per token. The recipe, each run's mix of
documents and the loss after every twenty steps are in `training.json`.

![Training loss against tokens seen falls steeply, then slowly.](loss.png)
"""
