"""`python -m helpers perplexity`: how surprised a model is by a corpus, as a table."""

import argparse
import math
import os
import sys
import time
from collections.abc import Iterator
from itertools import chain

from helpers.options import Parser, UsageError

SPLITS = ("train", "validation", "test", "all")
DTYPES = ("float32", "bfloat16", "auto")
PUBLISHED = {"gpt2": 29.41, "gpt2-medium": 22.76, "gpt2-large": 19.93, "gpt2-xl": 18.34}
ON = {
    "published": "a de-tokenised text, over the number of its original tokens",
    "measured again": "the raw text, in windows of 1024 tokens without overlap",
}


def add_options(parser: Parser) -> None:
    """Add what `perplexity` takes."""
    add = parser.add_argument
    add("--corpus", required=True, help="a world, a data set of the hub, a file")
    add("--model", help="pocket, gpt2, gpt2-medium, gpt2-large, gpt2-xl or a folder")
    text = "tokens that a window scores; half of what the model reads by default"
    add("--stride", type=int, help=text)
    text = "by default all of a file, else test (validation where there is no test)"
    add("--split", choices=SPLITS, help=text)
    add("--limit", type=int, help="at most so many documents")
    add("--field", default="", help="the column or key of a .csv or .jsonl")
    add("--batch-size", type=int, default=8, help="windows read at a time (8)")
    text = "float32 (default), bfloat16, or auto: bfloat16 where it is faster"
    add("--dtype", choices=DTYPES, default="float32", help=text)


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError for what makes no sense."""
    for name in ("corpus", "model"):
        if getattr(options, name) == "":
            raise UsageError(f"--{name} is empty")
    for name in ("stride", "limit", "batch_size"):
        value = getattr(options, name)
        if value is not None and value < 1:
            flag = "--" + name.replace("_", "-")
            raise UsageError(f"{flag} is {value}, expected a whole number from 1")


def run(options: argparse.Namespace) -> int:
    """Measure, and print the table; Ctrl-C prints the figures so far."""
    from helpers.corpora import load_corpus
    from helpers.evaluation import running_perplexity
    from helpers.gpt2 import GPT2
    from helpers.models import load_model

    split = options.split or default_split(options.corpus)
    how = {"split": split, "limit": options.limit, "field": options.field}
    corpus = load_corpus(options.corpus, **how)
    documents = iter(corpus)
    first = next(documents)  # or its mistakes would show only behind a large model
    name = options.model or os.environ.get("COURSE_MODEL") or "pocket"
    model, tokenizer = load_model(name)
    device, context = model.device.type, model.config.n_positions
    stride, dtype = options.stride or context // 2, read_dtype(options.dtype, device)
    how = {"stride": stride, "batch_size": options.batch_size, "joined": corpus.joined}
    try:
        model = GPT2.from_hf(model, dtype)
        begun, documents = time.monotonic(), chain([first], documents)
        result, whole = newest(running_perplexity(model, tokenizer, documents, **how))
    except ValueError as error:  # a CorpusError, ids that the model cannot read
        raise UsageError(error) from None
    read = "as one text" if corpus.joined else "each from its beginning"
    precision = str(dtype).removeprefix("torch.")
    print("" if whole else "Stopped: these are the figures so far.\n", end="")
    print(f"{name} on {corpus.name}, split {split}, documents read {read}")
    print(f"stride {stride} of {context} tokens, {precision} on {device}\n")
    print(figures(result))
    print("\n" + counts(result, corpus, time.monotonic() - begun))
    if corpus.name == "wikitext-2" and split == "test" and name in PUBLISHED:
        part = not whole or corpus.limit is not None
        print("\n" + published(name, result, stride, part=part))
    return 0 if whole else 130


def newest(results: Iterator) -> tuple:
    """Return the last result, and whether there were no more: Ctrl-C ends it too."""
    found = None
    try:
        for result in watched(results):
            found = result
    except KeyboardInterrupt:
        if found is None:
            raise
        return found, False
    if found is None:
        raise ValueError("no document has a token to score")
    return found, True


def default_split(corpus: str) -> str:
    """Return the split to be measured where none is named."""
    from helpers.corpora import HUB, WORLDS

    own = HUB[corpus].splits if corpus in HUB else ()
    if own and "test" not in own:
        return "validation"
    return "test" if corpus in (*WORLDS, *HUB) else "all"


def read_dtype(name: str, device: str):
    """Return the precision that an option names."""
    import torch

    from helpers.gpt2 import choose_precision

    return choose_precision(device)[0] if name == "auto" else getattr(torch, name)


def watched(results: Iterator) -> Iterator:
    """Yield results; at a terminal a bar shows tokens, their speed and perplexity."""
    from tqdm import tqdm

    hidden = not (sys.stderr and sys.stderr.isatty())
    with tqdm(unit=" tokens", disable=hidden, leave=False) as bar:
        for result in results:
            yield result
            bar.set_postfix_str(f"perplexity {shown(result.ppl, 3)}", refresh=False)
            bar.update(result.tokens - bar.n)


def figures(result) -> str:
    """Return the measures, a line each, with their standard errors."""
    nats, share = result.nll, result.error / result.nll  # of all in proportion to nll
    words = result.tokens / result.words if result.words else math.nan
    per_token, per_word = result.ppl, result.ppl_per_word
    rows = {
        "nats per token": (nats, nats * share, 4),
        "bits per token": (result.bits_per_token, result.bits_per_token * share, 4),
        "bits per byte": (result.bits_per_byte, result.bits_per_byte * share, 4),
        "perplexity per token": (per_token, per_token * result.error, 3),
        "perplexity per word": (per_word, per_word * result.error * words, 3),
    }
    lines = [f"{'':22}{'value':>12}{'± error':>12}"]
    for name, (value, error, places) in rows.items():
        lines.append(f"{name:22}{shown(value, places):>12}{shown(error, places):>12}")
    return "\n".join(lines)


def shown(value: float, places: int) -> str:
    """Return a number with so many places; a dash for what is unknown."""
    if math.isnan(value):
        return "–"
    return f"{value:.3g}" if value >= 1e6 else f"{value:,.{places}f}"


def counts(result, corpus, seconds: float) -> str:
    """Return in a few lines what was read, what was left out, and the time."""
    scored = f"{result.tokens:,} tokens, {result.bytes:,} bytes, {result.words:,} words"
    out = f"left out: {corpus.duplicates:,} repeated, {corpus.empty:,} without text"
    speed = f"{seconds:.1f} seconds, {result.tokens / seconds:,.0f} tokens a second"
    lines = f"scored: {scored}", f"documents: {corpus.documents:,}; {out}"
    return "\n".join([*lines, f"time: {speed}"])


def published(name: str, result, stride: int, *, part: bool) -> str:
    """Return the figures of WikiText-2 that are known, beside the learner's own."""
    rows = [("published", PUBLISHED[name], ON["published"])]
    if name == "gpt2":
        rows += [("measured again", 29.94, ON["measured again"])]
    own = f"the raw text{', a part of it' if part else ''}, stride {stride}"
    rows += [("yours", result.ppl, own)]
    lines = [f"{label:22}{shown(ppl, 2):>12}  {on}" for label, ppl, on in rows]
    head = "perplexity on WikiText-2 (published: Radford et al. 2019, table 3)"
    return "\n".join([head, *lines])
