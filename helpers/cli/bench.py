"""`python -m helpers bench`: the engine's speed beside the library's, in one table.

Both have the same weights and threads and take turns: library, ours, library, ours …;
tokens/s are those of the median turn and, in brackets, of the fastest, which other
programs disturbed least. The limit is the memory's: every step reads each weight once.
"""

import argparse
import math
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

from helpers.cli.peers import CTranslate2, installed
from helpers.decoding import Reader, beam_search, generate
from helpers.evaluation import document_losses
from helpers.gpt2 import GPT2, pack, quantize
from helpers.models import count_parameters, load_model
from helpers.options import Parser, UsageError
from helpers.pocket import instructions
from helpers.worlds import FRESH, load_world

PROMPT = 8  # tokens
PLACES = (50, 500)  # tokens read before the ones that are timed
AFTER = 8  # tokens timed there
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}  # the engine's kinds of weights


class Times(NamedTuple):
    """Seconds of one step, over all turns."""

    median: float
    least: float


class Row(NamedTuple):
    """One line of the table."""

    what: str
    theirs: Times  # the library's
    ours: Times
    tokens: int  # that a step makes
    limit: float | None = None  # seconds to read the weights once
    note: str = ""


def take_turns(runs: list[Callable], repeats: int, steps: int) -> list[Times]:
    """Return each function's seconds per step, in turns, after one to warm up.

    A function may return its own seconds; else its whole call is timed.
    """
    seconds = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, found in zip(runs, seconds, strict=True):
            begun = time.perf_counter()
            own = run()
            passed = own if isinstance(own, float) else time.perf_counter() - begun
            if turn:
                found.append(passed / steps)
    return [Times(statistics.median(found), min(found)) for found in seconds]


def engines(model) -> dict[str, GPT2]:
    """Return the engine for each kind of weights."""
    engine = GPT2.from_hf(model)
    half = GPT2.from_hf(model, dtype=torch.bfloat16)
    return dict(zip(BYTES, (pack(engine), pack(half), quantize(engine)), strict=True))


def matrix_weights(config) -> int:
    """Return how many weights each step reads: all but the positions'."""
    return count_parameters(config) - config.n_positions * config.n_embd


def mean_loss(engine: GPT2, tokenizer, texts: list[str]) -> float:
    """Return the loss per token, in nats, of whole documents."""
    losses, tokens = document_losses(engine, tokenizer, texts)
    return sum(losses) / sum(tokens)


def notes(kinds: dict[str, GPT2], tokenizer, texts: int) -> dict[str, str]:
    """Return by how much each kind's perplexity differs from float32's."""
    others = [kind for kind in kinds if kind != "float32"]
    if tokenizer is None:
        return dict.fromkeys(others, "random weights")
    stories = [load_world("stories").sample(FRESH + i) for i in range(texts)]
    loss = {kind: mean_loss(kinds[kind], tokenizer, stories) for kind in kinds}
    more = {kind: math.expm1(loss[kind] - loss["float32"]) for kind in others}
    return {kind: f"perplexity {100 * more[kind]:+.2f} %" for kind in others}


def library(model, input_ids: torch.Tensor, tokens: int, beams: int = 1) -> None:
    """Let the library write so many tokens, whatever they are."""
    how = {"num_beams": beams, "do_sample": False, "pad_token_id": 0}
    config = GenerationConfig(max_new_tokens=tokens, **how)
    mask = torch.ones_like(input_ids)
    model.generate(input_ids, attention_mask=mask, generation_config=config)


def greedy_rows(model, kinds, notes, peer, options) -> list[Row]:
    """Return a row for each batch and kind."""
    rows, tokens = [], options.tokens
    for batch in (1, 8):
        ids = random_ids(model, batch, PROMPT)
        write = partial(generate, input_ids=ids, max_new_tokens=tokens)
        runs = {kind: partial(write, engine) for kind, engine in kinds.items()}
        runs |= peer.runs(ids, tokens) if peer else {}
        for kind, run in runs.items():
            pair = [partial(library, model, ids, tokens), run]
            times = take_turns(pair, options.repeats, tokens)
            size = matrix_weights(model.config) * BYTES.get(kind, 0)
            reading = [torch.ones(size // 4).sum]  # all that memory once, all threads
            limit = take_turns(reading, options.repeats, 1)[0].least if size else None
            row = Row(
                f"batch {batch}, {kind}", *times, batch, limit, notes.get(kind, "")
            )
            rows.append(row)
    return rows


def beam_rows(model, engine: GPT2, options) -> list[Row]:
    """Return a row for each number of beams; a step makes one token for each beam."""
    rows, ids, tokens = [], random_ids(model, 1, PROMPT), options.tokens
    for beams in (4, 8):
        ours = partial(beam_search, engine, ids, num_beams=beams)
        ours = partial(ours, max_new_tokens=tokens)
        pair = [partial(library, model, ids, tokens, beams), ours]
        rows.append(
            Row(f"{beams} beams", *take_turns(pair, options.repeats, tokens), 1)
        )
    return rows


def length_rows(model, engine: GPT2, options) -> list[Row]:
    """Return a row for each place: the next tokens after so many were read."""
    rows, ids = [], random_ids(model, 1, model.config.n_positions)
    for place in PLACES:
        if place + 1 + AFTER <= model.config.n_positions:
            pair = [
                partial(seconds_after, reads, ids, place) for reads in (model, engine)
            ]
            times = take_turns(pair, options.repeats, AFTER)
            more = times[1].least / rows[0].ours.least - 1 if rows else 0
            note = f"cost {100 * more:+.0f} %" if rows else ""
            rows.append(Row(f"after {place} tokens", *times, 1, None, note))
    return rows


@torch.inference_mode()
def seconds_after(model, ids: torch.Tensor, place: int) -> float:
    """Return the seconds for ``AFTER`` more tokens after so many were read."""
    reader = Reader(model, 1, place + 1 + AFTER)
    reader.read(ids[:, :place])
    reader.read(ids[:, place, None])  # not timed: the first is slow
    begun = time.perf_counter()
    for i in range(place + 1, place + 1 + AFTER):
        reader.read(ids[:, i, None])
    return time.perf_counter() - begun


def random_ids(model, batch: int, seq: int) -> torch.Tensor:
    """Return random tokens (batch, seq), the same at every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(model.config.vocab_size, (batch, seq), generator=generator)


def table(title: str, rows: list[Row]) -> str:
    """Return the rows as text: tokens/s, ratio, share of the limit, note."""
    head = f"{'tokens/s':<22}{'library':>15}{'ours':>15}{'ratio':>8}{'of limit':>10}"
    lines = [title, head]
    for row in rows:
        speeds = [f"{row.tokens / t:.0f}" for t in (*row.theirs, *row.ours)]
        shown = f"{speeds[0]} ({speeds[1]})", f"{speeds[2]} ({speeds[3]})"
        ratio = row.theirs.median / row.ours.median
        share = f"{100 * row.limit / row.ours.least:.0f} %" if row.limit else ""
        line = f"{row.what:<22}{shown[0]:>15}{shown[1]:>15}{ratio:>7.2f}x{share:>10}"
        lines.append(f"{line}  {row.note}".rstrip())
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
    models = {"pocket": load_model("pocket", "cpu")}
    if options.model:
        models[options.model] = load_model(options.model, "cpu")
    if not (options.quick or options.model):
        random_model = GPT2LMHeadModel(GPT2Config()).eval()
        models["size of gpt2, random weights"] = random_model, None
    most = min(model.config.n_positions for model, _ in models.values()) - PROMPT
    if options.tokens > most:
        raise UsageError(f"--tokens must be at most {most}, not {options.tokens}")
    units = ", ".join(f"{kind} {instructions(kind) or 'none'}" for kind in BYTES)
    print(f"threads: {torch.get_num_threads()}; the processor's instructions: {units}")
    print(f"turns: {options.repeats}; tokens/s: median (fastest)", flush=True)
    for title, (model, tokenizer) in models.items():
        print("\n" + measure(title, model, tokenizer, options), flush=True)
    return 0


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; raise UsageError for what makes no sense."""
    about = "the engine's speed beside the library's, in one table"
    parser = Parser(prog="python -m helpers bench", description=about)
    add = parser.add_argument
    add("--quick", action="store_true", help="the pocket model only")
    add("--model", help="beside pocket; default: $COURSE_MODEL, or gpt2's size, random")
    add(
        "--peers", action="store_true", help="CTranslate2, too: pip install ctranslate2"
    )
    add("--repeats", type=int, default=5, help="turns (5)")
    add("--tokens", type=int, default=40, help="written in a turn (40)")
    add("--texts", type=int, default=40, help="for the perplexity (40)")
    options = parser.parse_args(arguments)
    for name, most in {"repeats": 1000, "tokens": 10**6, "texts": 10**4}.items():
        if not 1 <= getattr(options, name) <= most:
            value = getattr(options, name)
            parser.error(f"--{name} must lie in 1 … {most}, not {value}")
    if options.quick and options.model:
        parser.error("--quick is for the pocket model: leave out --quick or --model")
    if options.peers and not installed():
        parser.error("ctranslate2 is not installed: pip install ctranslate2")
    named = options.model or (not options.quick and os.environ.get("COURSE_MODEL"))
    options.model = None if named == "pocket" else named
    return options
