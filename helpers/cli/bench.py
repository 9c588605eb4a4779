"""`python -m helpers bench`: the engine's speed beside the library's, in one table.

Both have the same weights and the same threads and take turns, A B A B …; a figure is
the median of the turns. The memory's limit is the time to read each weight once, which
every step must: for one row at a time nothing can be faster.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

from helpers.cli.command_line import Parser, UsageError
from helpers.cli.peers import CTranslate2, installed
from helpers.decoding import Reader, beam_search, generate
from helpers.evaluation import document_losses
from helpers.gpt2 import GPT2, pack, quantize
from helpers.models import ModelError, count_parameters, load_model
from helpers.worlds import FRESH, load_world

PROMPT = 8  # tokens
PLACES = (50, 500)  # tokens read before the ones that are timed
KINDS = ("float32", "bfloat16", "int8")
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}


class Row(NamedTuple):
    """One line of the table; seconds for each step."""

    what: str
    theirs: float  # the library's
    ours: float
    rows: int  # tokens that a step makes
    limit: float | None = None  # to read the weights once
    note: str = ""


def interleave(runs: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Return the median seconds of each function, timed in turns after a warm-up."""
    seconds = {name: [] for name in runs}
    for turn in range(repeats + 1):
        for name, run in runs.items():
            begun = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in seconds.items()}


def read_seconds(size: int, repeats: int) -> float:
    """Return how long it takes to read so many bytes of memory, all threads at it."""
    memory = torch.ones(size // 4)
    return interleave({"read": memory.sum}, repeats)["read"]


def engines(model) -> dict[str, GPT2]:
    """Return the engine for each of ``KINDS``."""
    engine = GPT2.from_hf(model)
    half = GPT2.from_hf(model, dtype=torch.bfloat16)
    return dict(zip(KINDS, (pack(engine), pack(half), quantize(engine)), strict=True))


def matrix_weights(config) -> int:
    """Return how many weights each step reads: all but the positions'."""
    return count_parameters(config) - config.n_positions * config.n_embd


def mean_loss(engine: GPT2, tokenizer, texts: list[str]) -> float:
    """Return the loss per token, in nats, of whole documents."""
    losses, tokens = document_losses(engine, tokenizer, texts)
    return sum(losses) / sum(tokens)


def notes(kinds: dict[str, GPT2], tokenizer, texts: int) -> dict[str, str]:
    """Return by how much each kind's perplexity differs from float32's."""
    if tokenizer is None:
        return {kind: "random weights" for kind in KINDS[1:]}
    world = load_world("stories")
    stories = [world.sample(FRESH + i) for i in range(texts)]
    loss = {kind: mean_loss(kinds[kind], tokenizer, stories) for kind in kinds}
    changes = {kind: loss[kind] - loss["float32"] for kind in KINDS[1:]}
    return {
        kind: f"perplexity {100 * (torch.tensor(change).exp().item() - 1):+.2f} %"
        for kind, change in changes.items()
    }


def library(model, input_ids: torch.Tensor, tokens: int, beams: int = 1) -> None:
    """Let the library write so many tokens, whatever they are."""
    config = GenerationConfig(
        max_new_tokens=tokens, num_beams=beams, do_sample=False, pad_token_id=0
    )
    mask = torch.ones_like(input_ids)
    model.generate(input_ids, attention_mask=mask, generation_config=config)


def greedy_rows(model, kinds, notes, peer, options) -> list[Row]:
    """Return a row for each batch and kind."""
    rows = []
    for batch in (1, 8):
        ids = random_ids(model, batch, PROMPT)
        tokens = options.tokens
        runs = {"library": partial(library, model, ids, tokens)}
        for kind, engine in kinds.items():
            runs[kind] = partial(generate, engine, ids, max_new_tokens=tokens)
        runs |= peer.runs(ids, tokens) if peer else {}
        seconds = interleave(runs, options.repeats)
        steps = {name: time / tokens for name, time in seconds.items()}
        for name in list(runs)[1:]:
            limit = None
            if name in KINDS:
                size = matrix_weights(model.config) * BYTES[name]
                limit = read_seconds(size, options.repeats)
            note = notes.get(name, "")
            what = f"batch {batch}, {name}"
            rows.append(Row(what, steps["library"], steps[name], batch, limit, note))
    return rows


def beam_rows(model, engine: GPT2, options) -> list[Row]:
    """Return a row for each number of beams; a step makes one token for each beam."""
    rows, ids, tokens = [], random_ids(model, 1, PROMPT), options.tokens
    for beams in (4, 8):
        how = {"num_beams": beams, "max_new_tokens": tokens}
        runs = {
            "library": partial(library, model, ids, tokens, beams),
            "ours": partial(beam_search, engine, ids, **how),
        }
        seconds = interleave(runs, options.repeats)
        steps = [seconds[name] / tokens for name in runs]
        rows.append(Row(f"{beams} beams", *steps, 1))
    return rows


def length_rows(model, engine: GPT2, options) -> list[Row]:
    """Return a row for each place: the next tokens after so many were read."""
    ids, few = random_ids(model, 1, model.config.n_positions), 8
    runs, times = {"library": model, "ours": engine}, {}
    for _ in range(options.repeats):
        for name, reads in runs.items():
            for place in PLACES:
                reader = Reader(reads, 1, place + 1 + few)
                with torch.inference_mode():
                    reader.read(ids[:, :place])
                    reader.read(ids[:, place, None])  # not timed: the first is slow
                    begun = time.perf_counter()
                    for i in range(place + 1, place + 1 + few):
                        reader.read(ids[:, i, None])
                seconds = (time.perf_counter() - begun) / few
                times.setdefault((name, place), []).append(seconds)
    steps = {key: statistics.median(found) for key, found in times.items()}
    rows = []
    for place in PLACES:
        theirs, ours = steps["library", place], steps["ours", place]
        more = ours / steps["ours", PLACES[0]] - 1
        note = "" if place == PLACES[0] else f"cost {100 * more:+.0f} %"
        rows.append(Row(f"after {place} tokens", theirs, ours, 1, None, note))
    return rows


def random_ids(model, batch: int, seq: int) -> torch.Tensor:
    """Return random tokens (batch, seq), the same at every call."""
    luck = torch.Generator().manual_seed(0)
    return torch.randint(model.config.vocab_size, (batch, seq), generator=luck)


def table(title: str, rows: list[Row]) -> str:
    """Return the rows as text: steps in tokens/s, ratio, share of the limit, note."""
    head = f"{'tokens/s':<30}{'library':>9}{'ours':>9}{'ratio':>8}{'of limit':>10}"
    lines = [title, head]
    for row in rows:
        theirs, ours = row.rows / row.theirs, row.rows / row.ours
        share = f"{100 * row.limit / row.ours:.0f} %" if row.limit else ""
        line = f"{row.what:<30}{theirs:>9.0f}{ours:>9.0f}{ours / theirs:>7.2f}x"
        lines.append(f"{line}{share:>10}  {row.note}".rstrip())
    return "\n".join(lines)


def measure(title: str, model, tokenizer, options) -> str:
    """Return the table of one model; without a tokenizer its weights are random."""
    kinds = engines(model)
    with tempfile.TemporaryDirectory() as folder:
        peer = CTranslate2(model, Path(folder)) if options.peers else None
        said = notes(kinds, tokenizer, options.texts)
        rows = greedy_rows(model, kinds, said, peer, options)
        del peer  # its files go with the folder
    rows += beam_rows(model, kinds["float32"], options)
    rows += length_rows(model, kinds["float32"], options)
    return table(f"{title}, {model.num_parameters() / 1e6:.0f} M parameters", rows)


def main(arguments: list[str]) -> int:
    """Run ``python -m helpers bench``."""
    options = read_options(arguments)
    threads, cpu = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
    print(f"threads: {threads}, {cpu}; medians, turns: {options.repeats}", flush=True)
    try:
        print("\n" + measure("pocket", *load_model("pocket", "cpu"), options))
        if options.model and not options.quick:
            title, pair = options.model, load_model(options.model, "cpu")
    except ModelError as error:
        raise UsageError(str(error)) from error
    if options.quick:
        return 0
    if not options.model:
        title = "size of gpt2, random weights"
        pair = GPT2LMHeadModel(GPT2Config()).eval(), None
    print("\n" + measure(title, *pair, options))
    return 0


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; raise UsageError for what makes no sense."""
    about = "the engine's speed beside the library's, in one table"
    parser = Parser(prog="python -m helpers bench", description=about)
    parser.add_argument("--quick", action="store_true", help="the pocket model only")
    parser.add_argument(
        "--model", help="beside pocket; default: $COURSE_MODEL, or gpt2's size, random"
    )
    parser.add_argument(
        "--peers",
        action="store_true",
        help="CTranslate2 too, once installed: pip install ctranslate2",
    )
    parser.add_argument("--repeats", type=int, default=5, help="turns (5)")
    parser.add_argument("--tokens", type=int, default=40, help="written in a turn (40)")
    parser.add_argument("--texts", type=int, default=40, help="for the perplexity (40)")
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if type(value) is int and value < 1:
            parser.error(f"--{name} must be at least 1, not {value}")
    if options.peers and not installed():
        parser.error("ctranslate2 is not installed: pip install ctranslate2")
    named = options.model or os.environ.get("COURSE_MODEL")
    options.model = None if named == "pocket" else named
    return options
