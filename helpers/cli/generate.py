"""`python -m helpers generate`: continue a text, printed as it is made."""

import argparse
import random
import sys
from math import inf, isfinite

from helpers.cli.command_line import Parser, UsageError

# What each strategy takes. `helpers.strategies` has the defaults, but needs torch, and
# the options are read before there is one.
TAKES = {
    "greedy": (),
    "sample": ("temperature",),
    "top_k": ("temperature", "top_k"),
    "top_p": ("temperature", "top_p"),
    "min_p": ("temperature", "min_p"),
    "typical": ("temperature", "typical_p"),
    "beam": ("num_beams", "length_penalty"),
    "contrastive": ("k", "alpha"),
}
REPETITION = ("repetition_penalty", "no_repeat_ngram")
SEARCHES = ("beam", "contrastive")
# Each number: its type, what it does, what is right, what is said when it is not.
NUMBERS = {
    "temperature": (
        float,
        "divides the logits (0.8)",
        lambda t: 0 < t < inf,
        "must be above 0, not {}; for 0 use --strategy greedy",
    ),
    "top_k": (
        int,
        "with top_k: keep the k likeliest tokens (50)",
        lambda k: k >= 1,
        "must be at least 1, not {}",
    ),
    "top_p": (
        float,
        "with top_p: keep this much probability (0.9)",
        lambda p: 0 < p <= 1,
        "must lie in (0, 1], not {}",
    ),
    "min_p": (
        float,
        "with min_p: keep this share of the largest probability (0.1)",
        lambda p: 0 < p <= 1,
        "must lie in (0, 1], not {}",
    ),
    "typical_p": (
        float,
        "with typical: keep this much probability (0.9)",
        lambda p: 0 < p < 1,
        "must lie in (0, 1), not {}",
    ),
    "num_beams": (
        int,
        "with beam: beginnings kept at each step (4)",
        lambda n: n >= 1,
        "must be at least 1, not {}",
    ),
    "length_penalty": (
        float,
        "with beam: above 0 favours longer texts (1.0)",
        isfinite,
        "must be a finite number, not {}",
    ),
    "k": (
        int,
        "with contrastive: candidates (4)",
        lambda k: k >= 1,
        "must be at least 1, not {}",
    ),
    "alpha": (
        float,
        "with contrastive: weight of novelty, 0 is greedy (0.6)",
        lambda a: 0 <= a <= 1,
        "must lie in [0, 1], not {}",
    ),
    "repetition_penalty": (
        float,
        "above 1 makes tokens that were there less likely",
        lambda r: 0 < r < inf,
        "must be above 0, not {}",
    ),
    "no_repeat_ngram": (
        int,
        "never write the same n tokens twice",
        lambda n: n >= 1,
        "must be at least 1, not {}",
    ),
    "max_new_tokens": (
        int,
        "stop after so many tokens (250)",
        lambda n: n >= 1,
        "must be at least 1, not {}",
    ),
}


def add_options(parser: Parser) -> None:
    """Add what `generate` takes."""
    add = parser.add_argument
    add("prompt", help="the text to continue")
    add("--strategy", choices=list(TAKES), default="top_p", help="default: top_p")
    for name, (kind, about, *_) in NUMBERS.items():
        add(flag(name), type=kind, help=about, metavar="N" if kind is int else "X")
    add("--stop", metavar="TEXT", help="stop when this text appears")
    add("--seed", default="3", help="a number, or `random` (default 3)")
    add("--model", help="pocket, gpt2, gpt2-medium, gpt2-large, gpt2-xl or a folder")


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for what makes no sense, or does nothing."""
    if not options.prompt.strip():
        raise UsageError("the prompt is empty: give the text to continue")
    for name, (_, _, right, complaint) in NUMBERS.items():
        value = getattr(options, name)
        if value is not None and not right(value):
            raise UsageError(f"{flag(name)} {complaint.format(value)}")
    if options.stop == "":
        raise UsageError("--stop is empty: give the text to stop at")
    for name in [*NUMBERS, "stop"]:
        given = getattr(options, name) is not None
        if given and name not in taken(options.strategy):
            both = f"{flag(name)} does nothing with --strategy {options.strategy}"
            raise UsageError(f"{both}: leave one out")
    seed = options.seed
    if seed != "random" and not (seed.isascii() and seed.isdigit() and len(seed) < 20):
        raise UsageError(f"--seed must be a number from 0 or `random`, not {seed!r}")


def taken(strategy: str) -> list[str]:
    """Return the names of the options that a strategy takes."""
    names = [*TAKES[strategy], "max_new_tokens"]
    if strategy != "contrastive":
        names += REPETITION
    return names if strategy in SEARCHES else [*names, "stop"]


def flag(name: str) -> str:
    """Return an option as it is typed: --top-k for top_k."""
    return "--" + name.replace("_", "-")


def run(options: argparse.Namespace) -> None:
    """Continue the prompt and print the text while it is made."""
    from transformers.utils import logging  # here: options are read outside `.venv`

    from helpers.decoding import engine
    from helpers.models import ModelError

    logging.set_verbosity_error()
    try:
        model, tokenizer = engine(options.model)
    except ModelError as error:
        raise UsageError(error) from None
    check_vocabulary(options, model.config.vocab_size)
    # The end-of-text token stands in front of the prompt.
    tokens = 1 + len(tokenizer(options.prompt)["input_ids"])
    given = {name: getattr(options, name) for name in taken(options.strategy)}
    given["max_new_tokens"] = room(
        tokens, model.config.n_positions, options.max_new_tokens
    )
    seed = random.randrange(2**32) if options.seed == "random" else int(options.seed)
    if options.seed == "random":
        print(f"--seed {seed}", file=sys.stderr)
    given |= {"model": (model, tokenizer), "strategy": options.strategy, "seed": seed}
    print(options.prompt, end="", flush=True)
    for piece in pieces(options.prompt, given):
        print(piece, end="", flush=True)
    print()


def pieces(prompt: str, given: dict):
    """Yield the continuation: bit by bit, or at once where a search makes it."""
    from helpers.decoding import generate_text, stream_text

    if given["strategy"] not in SEARCHES:
        return stream_text(prompt, **given)
    return [generate_text(prompt, **given).removeprefix(prompt)]


def check_vocabulary(options: argparse.Namespace, vocab: int) -> None:
    """Raise UsageError for more candidates than the model has tokens."""
    for name, most in {"top_k": vocab, "k": vocab, "num_beams": vocab // 2}.items():
        value = getattr(options, name)
        if value is not None and value > most:
            raise UsageError(f"{flag(name)} must be at most {most}, not {value}")


def room(prompt_tokens: int, context: int, wanted: int | None) -> int:
    """Return how many tokens to make; raise UsageError when they do not fit."""
    left = context - prompt_tokens
    if left < max(wanted or 1, 1):
        raise UsageError(
            f"the prompt takes {prompt_tokens} of the model's {context} positions, so "
            f"{max(left, 0)} new tokens fit: shorten it or lower --max-new-tokens"
        )
    return wanted or min(250, left)
