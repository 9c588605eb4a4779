"""`python -m helpers generate`: continue a text, printed as it is made."""

import argparse
import random
import re
import sys

from helpers.options import (
    NUMBERS,
    SEARCHES,
    SEEDS,
    STRATEGIES,
    Parser,
    UsageError,
    complaint,
    taken,
)

CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]}
CONTROLS |= {ord(kept): kept for kept in "\n\t"}


def add_options(parser: Parser) -> None:
    """Add what `generate` takes."""
    parser.advice = "; put -- before a prompt that begins with -"
    add = parser.add_argument
    add("prompt", help="the text to continue" + parser.advice)
    add("--strategy", choices=list(STRATEGIES), default="top_p", help="default: top_p")
    for name, (kind, _, _, about) in NUMBERS.items():
        users = [strategy for strategy in STRATEGIES if name in STRATEGIES[strategy]]
        if users:
            about += f" (with {', '.join(users)}: {STRATEGIES[users[0]][name]})"
        add(flag(name), type=kind, help=about, metavar="N" if kind is int else "X")
    add("--stop", metavar="TEXT", help="stop when this text appears")
    add("--seed", default="3", help="a number, or `random` (default 3)")
    add("--model", help="pocket, gpt2, gpt2-medium, gpt2-large, gpt2-xl or a folder")


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for what makes no sense, or does nothing."""
    texts = {"--stop": options.stop, "--model": options.model}
    for name, text in {"the prompt": options.prompt.strip(), **texts}.items():
        if text == "":
            raise UsageError(f"{name} is empty")
        if text and re.search("[\ud800-\udfff]", text):  # bytes that are no character
            raise UsageError(f"{name} is not UTF-8: {ascii(text):.60}")
    for name in [*NUMBERS, "stop"]:
        if wrong := complaint(name, getattr(options, name)):
            raise UsageError(f"{flag(name)} {wrong}")
        if getattr(options, name) is not None and name not in taken(options.strategy):
            both = f"{flag(name)} does nothing with --strategy {options.strategy}"
            raise UsageError(f"{both}: leave one out")
    number = re.fullmatch("[0-9]{1,10}", options.seed)
    if options.seed != "random" and not (number and int(options.seed) < SEEDS):
        wanted = f"`random` or a whole number from 0 to {SEEDS - 1}"
        raise UsageError(f"--seed is {options.seed!r:.40}, expected {wanted}")


def flag(name: str) -> str:
    """Return an option as it is typed: --top-k for top_k."""
    return "--" + name.replace("_", "-")


def show(text: str) -> None:
    r"""Print at once, control characters as \x1b: they would steer a terminal."""
    print(text.translate(CONTROLS), end="", flush=True)


def run(options: argparse.Namespace) -> None:
    """Continue the prompt and print the text while it is made."""
    from transformers.utils import logging  # here: options are read outside `.venv`

    from helpers.decoding import generate_text, stream_text

    logging.set_verbosity_error()
    if options.seed == "random":
        options.seed = random.randrange(SEEDS)
        print(f"--seed {options.seed}", file=sys.stderr)
    how = {name: getattr(options, name) for name in taken(options.strategy)}
    how |= {"strategy": options.strategy, "model": options.model}
    try:
        if options.strategy in SEARCHES:  # nothing to be shown before the end
            return show(generate_text(options.prompt, **how) + "\n")
        pieces = stream_text(options.prompt, seed=int(options.seed), **how)
        show(options.prompt + next(pieces, ""))  # most mistakes show at the first step
        for piece in pieces:
            show(piece)
        show("\n")
    except ValueError as error:  # a ModelError, or logits that are not numbers
        raise UsageError(error) from None
