"""Fine-tuning: ``finetune``, a thin layer over ``transformers.Trainer``.

What it adds: rows without waste and with right labels, held-out perplexity that counts
every token once, samples on the way, a history, a card, and saves that a kill cannot
spoil. The same call goes on where a stopped one was. Under ``torchrun`` each process
calls it, and together they do what one would with as many times the batch.
"""

import hashlib
import math
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list
from tqdm import tqdm
from transformers import (
    EarlyStoppingCallback,
    GPT2LMHeadModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from helpers.corpora import Corpus, CorpusError, load_corpus
from helpers.decoding import generate_text
from helpers.evaluation import corpus_perplexity
from helpers.gpt2 import GPT2, choose_precision
from helpers.inputs import between, context_length, expect, whole
from helpers.logs import quiet
from helpers.models import load_model
from helpers.training import folders
from helpers.training.folders import TrainingError
from helpers.training.rows import ByLength, Rows, collate

HELD_OUT = 100  # documents, at most, that perplexity is measured on
PRECISIONS = (None, "float32", "bfloat16")
COUNTS = "batch_size accumulation patience evaluations"
RANGES = [
    ("epochs learning_rate", between(1e-12, 1e6), "a number above 0"),
    ("warmup weight_decay", between(0, 0.999), "a share from 0, less than 1"),
    (COUNTS, whole(), "a whole number from 1"),
    ("seed", whole(2**32 - 1, least=0), "a whole number from 0, less than 2**32"),
]


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a fine-tuning."""

    corpus: str
    model: str = "pocket"
    epochs: float = 3
    learning_rate: float = 5e-5
    warmup: float = 0.05  # share of the steps; then a cosine, down to nothing
    weight_decay: float = 0.0
    batch_size: int = 8  # rows at a time, for each process
    accumulation: int = 1  # batches of one step
    block_size: int | None = None  # ids of a row; by default what the model reads
    form: str = "documents"
    patience: int | None = None  # evaluations without a better one, then stop
    evaluations: int = 6  # each with a save
    seed: int = 0
    checkpointing: bool = False  # less memory, a third more time
    precision: str | None = None  # float32, bfloat16, or by capability

    def __post_init__(self):
        for names, right, wanted in RANGES:
            for name in names.split():
                if (value := getattr(self, name)) is not None:
                    expect(name, value, right, wanted)
        if self.precision not in PRECISIONS:
            wanted = "expected float32, bfloat16 or None"
            raise ValueError(f"precision is {self.precision!r}, {wanted}")


def finetune(
    corpus: str | Corpus | Sequence[str],
    *,
    model: str | Path = "pocket",
    output: str | Path,
    held_out: Iterable[str] | None = None,
    prompt: str = "",
    report: Callable[[str], None] | None = print,
    callbacks: Sequence[TrainerCallback] = (),
    **options,
) -> Path:
    """Train a model further on a corpus; return the folder of the best weights.

    Args:
        corpus: what ``load_corpus`` takes, a Corpus, or a list of documents, such as
            ``[*verse, *stories]`` for a mixture.
        model: what ``load_model`` takes.
        output: a folder; a training that was stopped there goes on.
        held_out: documents that are not learned from; by default the corpus'
            validation split, or every tenth document of a list.
        prompt: what the samples on the way begin with.
        report: is told each evaluation in a line; a terminal shows a bar, too.
        callbacks: further callbacks for the Trainer.
        **options: fields of ``Recipe``.

    The folder has the model, its tokenizer, ``history.json`` (step, epoch, loss,
    learning rate, held-out nats per token and perplexity, a sample), ``curves.png`` and
    a card, README.md. Raises TrainingError, CorpusError or ModelError, one line, for
    what cannot be done, ValueError for a value out of range.
    """
    corpus = load_corpus(corpus) if isinstance(corpus, str) else corpus
    corpus = corpus if isinstance(corpus, Corpus) else list(corpus)
    recipe = Recipe(corpus=name_of(corpus), model=str(model), **options)
    output, work = Path(output), Path(output) / folders.WORK
    args = arguments(recipe, work)
    with args.main_process_first(local=False), folders.writing(output), quiet():
        folders.begin(output, recipe)
        if folders.is_finished(output):
            shutil.rmtree(work, ignore_errors=True)
            return output
        with folders.undone(output):
            network, tokenizer = load_model(model, "cpu")
            documents, held_out = texts_of(corpus, held_out)
            size = recipe.block_size or context_length(network)
            rows = Rows(work / "rows", tokenizer, documents, size, recipe.form)
        save = folders.last_save(work)
    tokenizer.pad_token = None  # as GPT-2's; with one the library warns of our pads
    args.eval_on_start = save is None  # else it has been done
    stopping = [EarlyStoppingCallback(recipe.patience)] if recipe.patience else []
    trainer = Finetuner(
        model=network,
        args=args,
        train_dataset=rows,
        eval_dataset=rows,  # never read: `evaluate` reads the documents
        data_collator=partial(collate, end=tokenizer.eos_token_id),
        processing_class=tokenizer,
        callbacks=[Watch(report), *stopping, *callbacks],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.held_out, trainer.prompt = held_out, prompt
    with folders.writing(output), quiet():
        trainer.train(resume_from_checkpoint=save)
        trainer.save_model(str(output))
        if args.should_save:
            (output / "training_args.bin").unlink()  # a pickle: nobody should load it
            folders.finish(output, recipe, trainer.state.log_history, len(held_out))
    return output


class Finetuner(Trainer):
    """A Trainer with batches of like length, and an evaluation that counts right."""

    def _get_train_sampler(self, _=None) -> ByLength:
        batch = self.args.train_batch_size * self.args.gradient_accumulation_steps
        batch *= self.args.world_size  # all that one step learns from
        return ByLength(self.train_dataset, batch, self.args.seed)

    def evaluate(self, *_, metric_key_prefix="eval", **__) -> dict[str, float]:
        """Return the held-out nats per token, and a sample; log them."""
        network, found = self.whole_network(), [None]
        if self.is_world_process_zero():
            engine = GPT2.from_hf(network)
            result = corpus_perplexity(engine, self.processing_class, self.held_out)
            how = {"max_new_tokens": 60, "strategy": "sample", "temperature": 1.0}
            how["model"] = engine, self.processing_class
            found = [(result.nll, result.ppl, generate_text(self.prompt, **how))]
        names = f"{metric_key_prefix}_loss", "perplexity", "sample"
        metrics = dict(zip(names, broadcast_object_list(found)[0], strict=True))
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def whole_network(self) -> GPT2LMHeadModel:
        """Return the model; where its weights are shared out, the first process'."""
        network = self.accelerator.unwrap_model(self.model)
        if self.is_fsdp_enabled:
            weights = self.accelerator.get_state_dict(self.model)
            network = GPT2LMHeadModel(network.config)
            if self.is_world_process_zero():
                network.load_state_dict(weights)
        return network


class Watch(TrainerCallback):
    """Tells how a training goes, and stops one whose loss is no number."""

    def __init__(self, report: Callable[[str], None] | None):
        self.report, self.bar = report, None

    def on_train_begin(self, args, state, control, **_):
        """Open the bar, at a terminal only."""
        shown = None if state.is_world_process_zero else True  # None: at a terminal
        start = {"total": state.max_steps, "initial": state.global_step}
        self.bar = tqdm(**start, disable=shown, unit=" steps", leave=False)

    def on_step_end(self, args, state, control, **_):
        """Move the bar; log the loss whenever the model is measured."""
        self.bar.update(state.global_step - self.bar.n)
        control.should_log |= control.should_evaluate

    def on_log(self, args, state, control, logs=None, **_):
        """Look at each loss, before anything is saved; tell a measured one."""
        for name in ("loss", "eval_loss"):
            if logs and not math.isfinite(logs.get(name, 0.0)):
                line = f"the loss is {logs[name]} at step {state.global_step}"
                raise TrainingError(f"{line}: lower the learning rate, in a new folder")
        if "perplexity" in logs and self.report and state.is_world_process_zero:
            place = f"step {state.global_step} of {state.max_steps}"
            line = f"{place}: held-out perplexity {logs['perplexity']:.2f}"
            with tqdm.external_write_mode():
                self.report(f"{line}; it writes {logs['sample']!r}")

    def on_train_end(self, args, state, control, **_):
        """Close the bar."""
        self.bar.close()


def name_of(corpus: Corpus | list[str]) -> str:
    """Return what a recipe calls a corpus: others have other names."""
    if isinstance(corpus, Corpus):
        most = "" if corpus.limit is None else f", {corpus.limit} documents at most"
        return f"{corpus.name} ({corpus.split}{most})"
    sign = hashlib.sha256("\0".join(corpus).encode("utf-8", "replace")).hexdigest()
    return f"{len(corpus)} documents ({sign[:8]})"


def texts_of(corpus: Corpus | list[str], held_out) -> tuple[Iterable[str], list[str]]:
    """Return the documents to learn from, and those to measure on."""
    if held_out is not None:
        return corpus, list(held_out)
    if not isinstance(corpus, Corpus):
        return hold_out(corpus)
    if corpus.split == "validation":
        what = f"{name_of(corpus)} is also what would be measured on"
        raise TrainingError(f"{what}: take the split train, or give held_out")
    if corpus.split != "all":
        held_out = replace(corpus, split="validation", limit=HELD_OUT)
        try:
            return corpus, list(held_out)
        except CorpusError:
            if corpus.source.splits:
                raise  # else it is small
    return hold_out(list(replace(corpus, split="all")))


def hold_out(documents: list[str]) -> tuple[list[str], list[str]]:
    """Part every tenth document from the others, of a single one its last tenth."""
    n = len(documents)
    if n == 1:
        (text,) = documents
        cut = 1 + max(text.rfind(white, 0, len(text) * 9 // 10) for white in " \n")
        documents = [text[cut:], text[:cut]]
    held = documents[::10][:HELD_OUT]
    known = set(held)
    rest = [document for document in documents if document not in known]
    if not any(map(str.strip, rest)):
        what = f"{n} documents, of which one must be held out"
        raise TrainingError(f"{what}: give two or more, or held_out")
    return rest, held


def arguments(recipe: Recipe, folder: Path) -> TrainingArguments:
    """Return a recipe as the library's arguments."""
    device = torch.accelerator.current_accelerator(check_available=True)
    device = "cpu" if device is None else device.type
    precision = recipe.precision or str(choose_precision(device)[0])
    every = 1 / recipe.evaluations - 1e-9  # a share of the steps, which is rounded up
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup,
        weight_decay=recipe.weight_decay,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        activation_checkpointing=recipe.checkpointing,
        bf16="bfloat16" in precision,
        use_cpu=device == "cpu",
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        logging_steps=every / 5,
        logging_nan_inf_filter=False,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=recipe.patience is not None,
        seed=recipe.seed,
        remove_unused_columns=False,
        disable_tqdm=True,  # `Watch` has a bar
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=device == "cuda",
    )
