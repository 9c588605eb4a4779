"""`python -m helpers bench`: the engine's speed beside the library's, in one table.

Both have the same weights and threads and take turns: library, ours, library, ours …;
tokens/s are those of the median turn and, in brackets, of the fastest, which other
programs disturbed least. The limit is the memory's: every step reads each weight once.
"""

import argparse
import math
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

import torch
from pandas import DataFrame
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

from helpers.cli.bench_texts import reading_rows, training_rows
from helpers.decoding import Reader, beam_search, generate
from helpers.evaluation import document_losses
from helpers.gpt2 import GPT2, instructions, pack, quantize
from helpers.models import count_parameters, load_model
from helpers.options import Parser, UsageError
from helpers.worlds import FRESH, load_world

PROMPT = 8  # tokens
PLACES = (50, 500)  # tokens read before the ones that are timed
AFTER = 8  # tokens timed there
PARTS = ["writing", "learning", "reading"]
BYTES = {"float32": 4, "bfloat16": 2, "int8": 1}  # the engine's kinds of weights
Row = dict[str, str]  # one line of the table, by column
Rows = Iterator[tuple[str, Row]]


def take_turns(runs: list[Callable], repeats: int, steps: int) -> list[list[float]]:
    """Return each one's seconds per step, its own or as timed; one turn warms up."""
    seconds = [[] for _ in runs]
    for turn in range(repeats + 1):
        for run, found in zip(runs, seconds, strict=True):
            begun = time.perf_counter()
            own = run()
            passed = own if isinstance(own, float) else time.perf_counter() - begun
            if turn:
                found.append(passed / steps)
    return seconds


def row(theirs: list, ours: list, tokens: int = 1, limit="", note="") -> Row:
    """Return a line of the table from seconds; a step makes so many tokens."""
    speeds = [
        f"{tokens / median(s):.0f} ({tokens / min(s):.0f})" for s in (theirs, ours)
    ]
    ratio = f"{median(theirs) / median(ours):.2f}x"
    columns = ("library", "ours", "ratio", "of limit", "")
    return dict(zip(columns, (*speeds, ratio, limit, note), strict=True))


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


def beside_library(model, ids, run: Callable, options, beams: int = 1) -> list[list]:
    """Time the library and another that writes as many tokens, whatever they are."""
    how = {"num_beams": beams, "do_sample": False, "pad_token_id": 0}
    config = GenerationConfig(max_new_tokens=options.tokens, **how)
    given = {"attention_mask": torch.ones_like(ids), "generation_config": config}
    library = partial(model.generate, ids, **given)
    return take_turns([library, run], options.repeats, options.tokens)


def greedy_rows(model, kinds: dict, notes: dict, options) -> Rows:
    """Yield a row for each batch and kind."""
    config = model.config
    # Each step reads all weights but the positions'.
    weights = count_parameters(config) - config.n_positions * config.n_embd
    for batch in (1, 8):
        ids = random_ids(model, batch, PROMPT)
        for kind, engine in kinds.items():
            run = partial(generate, engine, ids, max_new_tokens=options.tokens)
            times = beside_library(model, ids, run, options)
            memory = torch.ones(weights * BYTES[kind] // 4)  # read by all threads
            least = min(take_turns([memory.sum], options.repeats, 1)[0])
            limit = f"{100 * least / min(times[1]):.0f} %"
            said = row(*times, batch, limit, notes.get(kind, ""))
            yield f"batch {batch}, {kind}", said


def beam_rows(model, engine: GPT2, options) -> Rows:
    """Yield a row for each number of beams; a step makes one token for each beam."""
    ids = random_ids(model, 1, PROMPT)
    for beams in (4, 8):
        how = {"num_beams": beams, "max_new_tokens": options.tokens}
        run = partial(beam_search, engine, ids, **how)
        times = beside_library(model, ids, run, options, beams)
        yield f"{beams} beams", row(*times)


def length_rows(model, engine: GPT2, options) -> Rows:
    """Yield a row for each place: the next tokens after so many were read."""
    first, ids = None, random_ids(model, 1, model.config.n_positions)
    for place in PLACES:
        if place + 1 + AFTER <= model.config.n_positions:
            pair = [partial(seconds_after, one, ids, place) for one in (model, engine)]
            theirs, ours = take_turns(pair, options.repeats, AFTER)
            note = f"cost {100 * (min(ours) / first - 1):+.0f} %" if first else ""
            first = first or min(ours)
            yield f"after {place} tokens", row(theirs, ours, note=note)


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


def measure(title: str, model, tokenizer, options) -> str:
    """Return the table of one model; without a tokenizer its weights are random."""
    engine, half = GPT2.from_hf(model), GPT2.from_hf(model, dtype=torch.bfloat16)
    engines = pack(engine), pack(half), quantize(engine)
    kinds = dict(zip(BYTES, engines, strict=True))
    said = notes(kinds, tokenizer, options.texts)
    rows = dict(greedy_rows(model, kinds, said, options))
    for more in (beam_rows, length_rows):
        rows |= more(model, kinds["float32"], options)
    return table_of(rows, f"{title}, {model.num_parameters() / 1e6:.0f} M parameters")


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
    if "writing" in options.part:
        for title, (model, tokenizer) in models.items():
            print("\n" + measure(title, model, tokenizer, options), flush=True)
    how = take_turns, row, options.repeats
    if "learning" in options.part:
        rows = dict(training_rows(*how))
        print("\n" + table_of(rows, "pocket, fine-tuned on verse"), flush=True)
    if "reading" in options.part:
        rows = dict(reading_rows(*how))
        print("\n" + table_of(rows, "size of gpt2, perplexity"), flush=True)
    return 0


def table_of(rows: dict[str, Row], title: str) -> str:
    """Return a table under its title."""
    table = DataFrame.from_dict(rows, orient="index").rename_axis(columns="tokens/s")
    return f"{title}\n{table.to_string()}"


def read_options(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; raise UsageError for what makes no sense."""
    about = "the engine's speed beside the library's, in one table"
    parser = Parser(prog="python -m helpers bench", description=about)
    add = parser.add_argument
    add("--quick", action="store_true", help="the pocket model only")
    add("--model", help="beside pocket; default: $COURSE_MODEL, or gpt2's size, random")
    add("--repeats", type=int, default=5, help="turns (5)")
    add("--tokens", type=int, default=40, help="written in a turn (40)")
    add("--texts", type=int, default=40, help="for the perplexity (40)")
    add("--part", action="append", choices=PARTS, help="all, with --quick writing")
    options = parser.parse_args(arguments)
    if min(options.repeats, options.tokens, options.texts) < 1:
        parser.error("expected --repeats, --tokens and --texts from 1")
    if options.quick and options.model:
        parser.error("--quick is for the pocket model: leave out --quick or --model")
    options.part = options.part or (PARTS[:1] if options.quick else PARTS)
    named = options.model or (not options.quick and os.environ.get("COURSE_MODEL"))
    options.model = None if named == "pocket" else named
    return options
