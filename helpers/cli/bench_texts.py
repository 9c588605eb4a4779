"""How fast models learn and read texts, beside what is usual.

``finetune`` stands beside the usual recipe, a text in each row of 512 with pads, and
beside a bare loop over its own rows; tokens are those of texts, not of pads.
``perplexity`` stands beside the usual snippet, one window at a time.
"""

import math
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.nn.functional import cross_entropy
from transformers import GPT2Config, GPT2LMHeadModel, TrainerCallback

from helpers.evaluation import perplexity
from helpers.gpt2 import GPT2, choose_precision, pack
from helpers.models import load_model
from helpers.training import ByLength, Rows, collate, finetune
from helpers.worlds import load_world

TEXTS, BATCH = 64, 8
STRIDE, READ = 512, 2_560  # tokens
HOW = {"epochs": 1, "evaluations": 1, "report": None}


def training_rows(take_turns, row, repeats: int):
    """Yield a row for each: what stands in ``library`` is theirs."""
    texts = [load_world("verse").sample(seed) for seed in range(TEXTS)]
    with TemporaryDirectory() as folder:
        _, tokenizer = load_model("pocket", "cpu")
        rows = Rows(Path(folder), tokenizer, texts, 512, "documents")
        tokens = int(rows.ends[-1])
        theirs = {"usual recipe": (usual, None), "bare loop": (bare, "float32")}
        for name, (loop, precision) in theirs.items():
            pair = [partial(loop, rows, tokenizer), partial(ours, texts, precision)]
            yield f"learning, {name}", row(*take_turns(pair, repeats, tokens))


def usual(rows: Rows, tokenizer) -> float:
    """Return the seconds of an epoch with pads up to 512; a quarter of it is read."""
    batches = []
    for start in range(0, TEXTS // 4, BATCH):
        ids = torch.full((BATCH, 512), tokenizer.eos_token_id)
        labels = torch.full((BATCH, 512), -100)
        for i in range(BATCH):
            row = torch.tensor(rows[start + i]["input_ids"])
            ids[i, : len(row)] = labels[i, : len(row)] = row
        mask = (labels != -100).long()
        batches.append({"input_ids": ids, "attention_mask": mask, "labels": labels})
    return 4 * learn(batches)


def bare(rows: Rows, tokenizer) -> float:
    """Return the seconds of an epoch in a loop with nothing around it."""
    order, end = list(ByLength(rows, BATCH, 0)), tokenizer.eos_token_id
    parts = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    return learn([collate([rows[i] for i in part], end) for part in parts])


def learn(batches: list[dict]) -> float:
    """Return the seconds that a new pocket model takes to learn from batches."""
    model = load_model("pocket", "cpu")[0].train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.0)
    begun = time.perf_counter()
    for batch in batches:
        model(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - begun


def reading_rows(take_turns, row, repeats: int):
    """Yield a row: perplexity at gpt2's size, with random weights."""
    torch.manual_seed(0)
    model, found = GPT2LMHeadModel(GPT2Config()).eval(), {}
    ids = torch.randint(model.config.vocab_size, (1, READ))
    engine = pack(GPT2.from_hf(model, choose_precision("cpu")[0]))

    def library() -> None:
        found["library"] = one_window_at_a_time(model, ids, STRIDE)

    def ours() -> None:
        found["ours"] = perplexity(engine, ids, stride=STRIDE, batch_size=1).ppl

    times = take_turns([library, ours], repeats, READ)
    more = 100 * (found["ours"] / found["library"] - 1)
    yield f"reading, stride {STRIDE}", row(*times, note=f"perplexity {more:+.3f} %")


@torch.no_grad()
def one_window_at_a_time(model, ids: torch.Tensor, stride: int) -> float:
    """Return the perplexity as it is usually made: all logits of all places."""
    nats, end, last = 0.0, 0, ids.shape[1] - 1
    while end < last:
        scored = min(stride if end else model.config.n_positions, last - end)
        end += scored
        start = max(0, end - model.config.n_positions)
        labels = ids[:, start + 1 : end + 1].clone()
        labels[:, :-scored] = -100  # read only: scored before
        logits = model(ids[:, start:end]).logits
        nats += cross_entropy(logits[0], labels[0], reduction="sum").item()
    return math.exp(nats / last)


class Stopwatch(TrainerCallback):
    """Measures from the first step's beginning to the last one's end."""

    begun = ended = 0.0

    def on_step_begin(self, args, state, control, **_):
        """Begin once."""
        self.begun = self.begun or time.perf_counter()

    def on_step_end(self, args, state, control, **_):
        """End, for now."""
        self.ended = time.perf_counter()


def ours(texts: list[str], precision: str | None) -> float:
    """Return the seconds of an epoch of ``finetune``, without its evaluations."""
    watch = Stopwatch()
    how = {**HOW, "precision": precision, "callbacks": [watch], "batch_size": BATCH}
    with TemporaryDirectory() as folder:
        finetune(texts, output=Path(folder) / "run", held_out=texts[:1], **how)
    return watch.ended - watch.begun
