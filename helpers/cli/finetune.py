"""`python -m helpers finetune`: teach a model a corpus, into a folder."""

import argparse
import os
import re
import sys

from helpers.cli.generate import flag
from helpers.options import Parser, UsageError

NUMBERS = {
    "epochs": (float, "times that every document is read (3)"),
    "learning_rate": (float, "at its height (5e-5; a pocket model bears 2e-3)"),
    "warmup": (float, "share of the steps in which the rate rises (0.05)"),
    "weight_decay": (float, "(0)"),
    "batch_size": (int, "rows that one process reads at a time (8)"),
    "accumulation": (int, "batches that make one step (1)"),
    "block_size": (int, "tokens of a row (what the model reads at most)"),
    "patience": (int, "stop after so many evaluations without a better one"),
    "evaluations": (int, "how often it is measured and saved (6)"),
    "seed": (int, "of the order in which documents are read (0)"),
}


def add_options(parser: Parser) -> None:
    """Add what `finetune` takes."""
    add = parser.add_argument
    what = "stories, verse, code, lists; wikitext-2, poems, …; a file or a folder"
    add("--corpus", required=True, help=what)
    add("--field", default="", help="the column of a .csv or key of a .jsonl")
    add("--limit", type=int, metavar="N", help="documents at most")
    add("--model", default="pocket", help="pocket, gpt2, … or a folder (pocket)")
    add("--output", help="a folder (runs/ and the corpus' name)")
    for name, (kind, about) in NUMBERS.items():
        add(flag(name), type=kind, metavar="N" if kind is int else "X", help=about)
    forms = "a row for each document, or all in rows of one length (documents)"
    add("--form", choices=["documents", "packed"], help=forms)
    add("--precision", choices=["float32", "bfloat16"], help="the faster one here")
    less = "needs less memory and a third more time"
    add("--checkpointing", action="store_true", default=None, help=less)
    add("--prompt", default="", help="what the samples on the way begin with")


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for what is empty; name the folder."""
    for name in ("corpus", "model", "output"):
        if getattr(options, name) == "":
            raise UsageError(f"--{name} is empty")
    name = re.sub(r"\W+", "-", os.path.basename(os.path.normpath(options.corpus)))
    options.output = options.output or os.path.join("runs", name)


def run(options: argparse.Namespace) -> int | None:
    """Train, tell how it goes, and how to use what came of it."""
    from helpers.corpora import load_corpus  # here: options are read outside `.venv`
    from helpers.training import finetune, is_finished

    names = [*NUMBERS, "form", "precision", "checkpointing", "model", "prompt"]
    how = {name: getattr(options, name) for name in names}
    how = {name: value for name, value in how.items() if value is not None}
    done = is_finished(options.output)
    try:
        corpus = load_corpus(options.corpus, limit=options.limit, field=options.field)
        output = finetune(corpus, output=options.output, **how)
    except ValueError as error:  # an option out of range, a ModelError, a CorpusError
        raise UsageError(error) from None
    except KeyboardInterrupt:
        kept = "what was saved is kept, the same command goes on from there"
        print(f"\nStopped: {kept}.", file=sys.stderr)
        return 130
    if os.environ.get("RANK", "0") == "0":  # the first process of several
        state = "was finished before: nothing was done" if done else "is finished"
        print(f'{output} {state}. python -m helpers generate --model {output} "…"')
