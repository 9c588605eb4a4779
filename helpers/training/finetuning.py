"""Fine-tuning: ``finetune``, a thin layer over ``transformers.Trainer``.

What it adds: rows without waste and with right labels, held-out perplexity that counts
every token once, samples on the way, a history, a card, and saves that a kill cannot
spoil. The same call goes on where a stopped one was.
"""

import json
import math
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import (
    EarlyStoppingCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from helpers.corpora import Corpus, load_corpus
from helpers.decoding import generate_text
from helpers.evaluation import corpus_perplexity
from helpers.gpt2 import GPT2, choose_precision
from helpers.inputs import context_length
from helpers.models import load_model
from helpers.options import UsageError
from helpers.training.rows import Rows, collate

WORK, HISTORY, RECIPE = "work", "history.json", "recipe.json"
HELD_OUT = 200  # documents, at most, that perplexity is measured on


class TrainingError(UsageError, RuntimeError):
    """A training that cannot go on; the message is one line that says what to do."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a fine-tuning."""

    corpus: str
    model: str = "pocket"
    epochs: float = 3
    learning_rate: float = 5e-5
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 0.0
    batch_size: int = 8  # rows at a time, for each process
    accumulation: int = 1  # batches of one step
    block_size: int | None = None  # ids of a row; by default what the model reads
    form: str = "documents"
    patience: int | None = None  # evaluations without a better one, then stop
    evaluations: int = 6
    seed: int = 0
    checkpointing: bool = False  # less memory, a third more time
    precision: str | None = None  # float32, bfloat16, or by capability


def finetune(
    corpus,
    *,
    model="pocket",
    output,
    held_out=None,
    prompt: str = "",
    callbacks=(),
    progress: bool = True,
    **options,
) -> Path:
    """Train a model further on a corpus; return the folder of the best weights.

    Args:
        corpus: what ``load_corpus`` takes, a Corpus, or a list of documents.
        model: what ``load_model`` takes.
        output: a folder; a training that was stopped there goes on.
        held_out: documents that are not learned from; by default the corpus'
            validation split, or every tenth document of a list.
        prompt: what the samples on the way begin with.
        callbacks: further callbacks for the Trainer.
        progress: show a bar.
        **options: fields of ``Recipe``.

    The folder has the model, its tokenizer, ``history.json`` (step, epoch, loss,
    learning rate, held-out nats per token and perplexity, a sample) and README.md.
    Raises TrainingError, CorpusError or ModelError, one line, for what cannot be done.
    """
    documents, held_out, name = texts_of(corpus, held_out)
    recipe = Recipe(corpus=name, model=str(model), **options)
    output = Path(output)
    begin(output, recipe)
    network, tokenizer = load_model(model)
    size = recipe.block_size or context_length(network)
    try:
        rows = Rows(output / WORK / "rows", tokenizer, documents, size, recipe.form)
    except ValueError as error:
        shutil.rmtree(output / WORK, ignore_errors=True)
        (output / RECIPE).unlink()  # nothing was begun
        raise TrainingError(f"{name}: {error}") from None
    save = last_save(output / WORK)
    args = arguments(recipe, output, len(rows), network.device, progress)
    args.eval_on_start = save is None  # else it has been done
    trainer = Finetuner(
        model=network,
        args=args,
        train_dataset=rows,
        eval_dataset=rows,  # never read: `evaluate` reads the documents
        data_collator=partial(collate, end=tokenizer.eos_token_id),
        processing_class=tokenizer,
        callbacks=[Watch(), *stopping(recipe), *callbacks],
    )
    trainer.held_out, trainer.prompt = held_out, prompt
    try:
        trainer.train(resume_from_checkpoint=save)
    except OSError as error:
        line = f"{output} cannot be written ({error}), the earlier saves are kept"
        raise TrainingError(f"{line}: make room, then run the same") from None
    return finish(trainer, tokenizer, recipe, output)


class Finetuner(Trainer):
    """A Trainer whose evaluation counts every held-out token once."""

    def evaluate(self, *_, metric_key_prefix="eval", **__) -> dict[str, float]:
        """Return the held-out nats per token, and a sample; log them."""
        network = self.accelerator.unwrap_model(self.model)
        training = network.training
        with torch.random.fork_rng():
            network.eval()
            tokenizer = self.processing_class
            engine = GPT2.from_hf(network)
            result = corpus_perplexity(engine, tokenizer, self.held_out)
            pair = network, tokenizer
            options = {"max_new_tokens": 60, "strategy": "sample", "temperature": 1.0}
            sample = generate_text(self.prompt, model=pair, **options)
        network.train(training)
        metrics = {f"{metric_key_prefix}_loss": result.nll, "perplexity": result.ppl}
        metrics |= {"sample": sample}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


class Watch(TrainerCallback):
    """Stops a training whose loss is no number, before it is saved."""

    def on_log(self, args, state, control, logs=None, **_):
        """Look at each loss."""
        for name in ("loss", "eval_loss"):
            if logs and not math.isfinite(logs.get(name, 0.0)):
                line = f"the loss is {logs[name]} at step {state.global_step}"
                raise TrainingError(f"{line}: lower the learning rate, in a new folder")


def texts_of(corpus, held_out) -> tuple[Iterable[str], list[str], str]:
    """Return the documents to learn from, those to measure on, and a name."""
    if isinstance(corpus, str):
        corpus = load_corpus(corpus)
    if isinstance(corpus, Corpus):
        if held_out is None:
            other = load_corpus(corpus.name, split="validation", limit=HELD_OUT)
            held_out = list(other)
        return corpus, list(held_out), corpus.name
    documents = list(corpus)
    if held_out is None:
        if len(documents) < 2:
            what = f"{len(documents)} documents, of which one must be held out"
            raise TrainingError(f"{what}: give two or more, or held_out")
        held_out = documents[::10][:HELD_OUT]
        documents = [d for i, d in enumerate(documents) if i % 10]
    return documents, list(held_out), f"{len(documents)} documents"


def begin(output: Path, recipe: Recipe) -> None:
    """Write down the recipe; TrainingError where another training was begun."""
    path, mine = output / RECIPE, asdict(recipe)
    try:
        if path.exists():
            theirs = json.loads(path.read_text("utf-8"))
            other = [f"{k} {theirs.get(k)}" for k in mine if theirs.get(k) != mine[k]]
            if other:
                raise ValueError(f"it was begun with {', '.join(other)}")
        elif (output / "config.json").exists():
            raise ValueError("it has a model of another making")
        else:
            output.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(mine, indent=1) + "\n", "utf-8")
    except (OSError, ValueError) as error:
        line = f"the folder {str(output)!r} cannot be used ({error})"
        raise TrainingError(f"{line}: choose another") from None


def arguments(recipe, output, rows, device, progress) -> TrainingArguments:
    """Return a recipe as the library's arguments."""
    precision = recipe.precision or str(choose_precision(device.type)[0])
    world = max(1, torch.distributed.get_world_size()) if distributed() else 1
    batch = recipe.batch_size * recipe.accumulation * world
    steps = math.ceil(math.ceil(rows / batch) * recipe.epochs)
    every = max(1, math.ceil(steps / recipe.evaluations))
    return TrainingArguments(
        output_dir=str(output / WORK),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        gradient_checkpointing=recipe.checkpointing,
        train_sampling_strategy="random",
        bf16="bfloat16" in precision,
        use_cpu=device.type == "cpu",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        logging_steps=max(1, every // 5),
        logging_nan_inf_filter=False,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        seed=recipe.seed,
        remove_unused_columns=False,
        disable_tqdm=not progress,
        dataloader_pin_memory=device.type == "cuda",
    )


def distributed() -> bool:
    """Tell whether several processes train together (torchrun)."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def stopping(recipe: Recipe) -> list[TrainerCallback]:
    """Return the callback that stops early, if it is asked for."""
    return [EarlyStoppingCallback(recipe.patience)] if recipe.patience else []


def last_save(folder: Path) -> str | None:
    """Return the newest complete save of the Trainer's; delete what is incomplete."""
    saves = {int(path.name.split("-")[1]): path for path in folder.glob("checkpoint-*")}
    for step in sorted(saves, reverse=True):
        try:  # the library writes this file last
            json.loads((saves[step] / "trainer_state.json").read_text("utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(saves[step])
        else:
            return str(saves[step])
    return None


def finish(trainer, tokenizer, recipe: Recipe, output: Path) -> Path:
    """Keep the best weights, the history and a card; remove the saves."""
    history = rows_of(trainer.state.log_history)
    if trainer.is_world_process_zero():
        network = trainer.accelerator.unwrap_model(trainer.model)
        network.save_pretrained(output)
        tokenizer.save_pretrained(output)
        (output / HISTORY).write_text(json.dumps(history, indent=1) + "\n", "utf-8")
        (output / "README.md").write_text(card(recipe, history), "utf-8")
        shutil.rmtree(output / WORK)
    return output


def rows_of(log: list[dict]) -> list[dict]:
    """Return the library's log as rows of our names, one for each entry."""
    names = {"step": "step", "epoch": "epoch", "loss": "loss", "eval_loss": "nll"}
    names |= {"learning_rate": "learning_rate", "perplexity": "perplexity"}
    names |= {"sample": "sample"}
    rows = [{names[k]: row[k] for k in names if k in row} for row in log]
    return [row for row in rows if {"loss", "nll"} & row.keys()]


def card(recipe: Recipe, history: list[dict]) -> str:
    """Return a model card of measured figures only."""
    held = [row for row in history if "nll" in row]
    best = min(held, key=lambda row: row["nll"])
    lines = [f"# {recipe.model}, trained further on {recipe.corpus}", ""]
    lines += [
        f"Held-out perplexity {held[0]['perplexity']:.2f} before, "
        f"{best['perplexity']:.2f} at step {best['step']}, whose weights these are.",
        "",
        "| option | value |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in asdict(recipe).items()),
    ]
    return "\n".join(lines) + "\n"
