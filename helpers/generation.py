"""`python -m helpers generate`: continue a text, printed as it is made."""

import argparse
import random
import sys

from helpers.command_line import Parser, UsageError


def add_options(parser: Parser) -> None:
    """Add what `generate` takes."""
    add = parser.add_argument
    add("prompt", help="the text to continue")
    strategies = ["greedy", "top_k", "top_p", "sample"]
    add("--strategy", choices=strategies, default="top_p")
    add("--top-k", type=int, help="with top_k: keep the k likeliest tokens (50)")
    add("--top-p", type=float, help="with top_p: keep this much probability (0.9)")
    add("--temperature", type=float, help="divides the logits (0.8)")
    add("--max-new-tokens", type=int, help="stop after so many tokens (250)")
    add("--seed", default="13", help="a number, or `random` (default 13)")
    add("--model", help="pocket, gpt2, gpt2-medium, gpt2-large, gpt2-xl or a folder")


def check_options(options: argparse.Namespace) -> None:
    """Fill in the defaults; raise UsageError for what makes no sense."""
    top_p, top_k, heat = options.top_p, options.top_k, options.temperature
    new, strategy, seed = options.max_new_tokens, options.strategy, options.seed
    wrong = {
        "the prompt is empty: give the text to continue": not options.prompt.strip(),
        f"--top-p must lie in (0, 1], not {top_p}": (
            top_p is not None and not 0 < top_p <= 1
        ),
        f"--top-k must be at least 1, not {top_k}": top_k is not None and top_k < 1,
        f"--temperature must be above 0, not {heat}; for 0 use --strategy greedy": (
            heat is not None and not 0 < heat < float("inf")
        ),
        f"--max-new-tokens must be at least 1, not {new}": new is not None and new < 1,
        "--temperature does nothing with --strategy greedy: leave one out": (
            heat is not None and strategy == "greedy"
        ),
        f"--top-p does nothing with --strategy {strategy}: leave one out": (
            top_p is not None and strategy != "top_p"
        ),
        f"--top-k does nothing with --strategy {strategy}: leave one out": (
            top_k is not None and strategy != "top_k"
        ),
        f"--seed must be a number from 0 or `random`, not {seed!r}": (
            seed != "random" and not (seed.isascii() and seed.isdigit())
        ),
    }
    for message, applies in wrong.items():
        if applies:
            raise UsageError(message)


def run(options: argparse.Namespace) -> None:
    """Continue the prompt and print the text while it is made."""
    import torch  # here, because the options are read outside `.venv`
    from transformers import TextStreamer
    from transformers.utils import logging

    from helpers.models import ModelError, load_model

    logging.set_verbosity_error()
    try:
        model, tokenizer = load_model(options.model)
    except ModelError as error:
        raise UsageError(error) from None
    # Documents begin after <|endoftext|>: so GPT-2 has seen them, the pocket one too.
    ids = [tokenizer.eos_token_id, *tokenizer(options.prompt)["input_ids"]]
    new = room(len(ids), model.config.n_positions, options.max_new_tokens)
    seed = random.randrange(2**32) if options.seed == "random" else int(options.seed)
    if options.seed == "random":
        print(f"--seed {seed}", file=sys.stderr)
    torch.manual_seed(seed)
    print(options.prompt, end="", flush=True)
    input_ids = torch.tensor([ids], device=model.device)
    model.generate(
        input_ids,
        attention_mask=torch.ones_like(input_ids),
        max_new_tokens=new,
        streamer=TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True),
        **strategy_options(options),
    )


def room(prompt_tokens: int, context: int, wanted: int | None) -> int:
    """Return how many tokens to make; raise UsageError when they do not fit."""
    left = context - prompt_tokens
    if left < max(wanted or 1, 1):
        raise UsageError(
            f"the prompt takes {prompt_tokens} of the model's {context} positions, so "
            f"{max(left, 0)} new tokens fit: shorten it or lower --max-new-tokens"
        )
    return wanted or min(250, left)


def strategy_options(options: argparse.Namespace) -> dict:
    """Return the strategy in the words of transformers' `generate`."""
    if options.strategy == "greedy":
        return {"do_sample": False}
    sampling = {"do_sample": True, "temperature": options.temperature or 0.8}
    sampling["top_k"] = (options.top_k or 50) if options.strategy == "top_k" else 0
    sampling["top_p"] = (options.top_p or 0.9) if options.strategy == "top_p" else 1.0
    return sampling
