"""How the pocket GPT-2 was made: ``python -m helpers pretrain`` makes it again.

A byte-level BPE and a small ``GPT2LMHeadModel`` learn three of the worlds: stories,
code and lists (verse is kept for fine-tuning). It reads texts, and after each beginning
every next word as often as its world says it (``targets``); ``batches`` says in which
form, ``optimizers`` what the weights are trained with.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.utils import logging

from helpers.gpt2 import choose_precision
from helpers.models import load_model
from helpers.options import Parser
from helpers.pocket.batches import CHUNK, CONTEXT, RARE, SHARES, batches, chunks
from helpers.pocket.optimizers import learning_rate, optimizers
from helpers.pocket.saves import open_log, save
from helpers.pocket.targets import TARGETS, backward, collate
from helpers.tokens import pretokenise as words
from helpers.worlds import END, FRESH, load_world

POCKET = Path(__file__).resolve().parents[2] / "data" / "pocket-gpt2"
SEEDS = 100  # each has documents of its own, below the measuring seeds
CHUNKS = FRESH // CHUNK // SEEDS  # of a seed


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a run."""

    tokens: int = 16_000_000
    targets: str = "truth"  # or "words", as GPT-2 was trained
    batch: int = 2_000  # tokens, about: small batches make many steps,
    last_batch: int = 8_000  # large ones, to which they grow, steady ones
    packed: float = 0.08  # share of the documents that are packed
    bare: float = 0.1  # share of the documents without an end token before them
    layers: int = 5
    heads: int = 8
    width: int = 256
    vocab: int = 10_000  # at most: what it takes that each word is one token
    embedding: float = 0.5  # spread of the embeddings at the start
    muon: float = 3e-3
    adamw: float = 1e-2
    warmup: float = 0.02
    seed: int = 0


def pretrain(
    output: Path, recipe: Recipe, *, workers=1, compiled=False, report=print
) -> Path:
    """Train the pocket model and its tokenizer into ``output``; return the folder.

    ``training.json`` there keeps the recipe, the loss after every twenty steps (nats
    per token) and how far it lies above the least possible, the tokens read and the
    seconds taken. A run that was stopped goes on from its last weights, with new
    documents and new states of the optimizers, which a few steps of a smaller rate let
    settle. ``workers`` are the processes that prepare documents beside the training;
    ``compiled`` needs a C++ compiler and makes a step a tenth faster. Raises UsageError
    or ModelError, at once, for a folder that cannot be used.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    log = open_log(output, asdict(recipe))
    if log["tokens"] >= recipe.tokens:
        return output
    precision, why = choose_precision(device)
    report(why)
    model, tokenizer = begin(output, recipe, log)
    first = {"first_step": log["steps"] + 1, "first_chunk": log["chunks"]}
    mix = {"shares": SHARES, "rare": RARE, "precision": str(precision)}
    log["runs"].append(first | mix)
    log |= {"recipe": asdict(recipe), "torch": torch.__version__, "device": device}
    model.to(device).train()
    model.set_attn_implementation("eager")  # on short rows faster than the fused one
    for block in model.transformer.h:  # gelu_new in one step: a fifth faster
        block.mlp.act = torch.nn.GELU(approximate="tanh")
    body = model.transformer
    forward = torch.compile(body, dynamic=True) if compiled else body
    casting = torch.autocast(device, torch.bfloat16, precision == torch.bfloat16)
    rates = {"muon": recipe.muon, "adamw": recipe.adamw}
    stepping = optimizers(model, **rates, precision=precision)

    def read() -> Iterator:
        number = recipe.seed * CHUNKS + log["chunks"]
        for new in chunks(tokenizer, recipe.targets, number, workers):
            log["chunks"] += 1
            yield new

    def size() -> float:
        done = log["tokens"] / recipe.tokens
        return recipe.batch + (recipe.last_batch - recipe.batch) * done

    start, begun, recent = time.time() - log["seconds"], log["steps"], []
    form = {"packed": recipe.packed, "bare": recipe.bare, "seed": recipe.seed}
    for step, rows in enumerate(batches(read(), size=size, **form), begun + 1):
        batch = collate(rows, tokenizer.eos_token_id).to(device)
        scale = learning_rate(log["tokens"] / recipe.tokens, recipe.warmup)
        scale *= min(1.0, (step - begun) / 40) if begun else 1.0
        for optimizer, rate in zip(stepping, rates.values(), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * max(scale, 1e-4)
        with casting:
            hidden = forward(batch.input_ids).last_hidden_state
        loss, entropy = backward(hidden, casting(model.lm_head), batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in stepping:
            optimizer.step()
        model.zero_grad()
        recent.append((loss, loss - entropy))
        log["steps"] = step
        log["tokens"] += int(batch.used.sum())
        log["seconds"] = round(time.time() - start)
        if step % 20 == 0:
            mean, above = (round(sum(x) / len(x), 4) for x in zip(*recent, strict=True))
            log["history"].append([step, log["tokens"], mean, above])
            told = f"step {step}  {log['tokens']:,} tokens  loss {mean}"
            report(f"{told}, {above} above the targets' entropy")
            recent = []
        if step % 200 == 0 or log["tokens"] >= recipe.tokens:
            save(model, tokenizer, output, log)
        if log["tokens"] >= recipe.tokens:
            return output


def begin(output: Path, recipe: Recipe, log: dict):
    """Return model and tokenizer: new ones, or those of a run that was stopped."""
    if "recipe" not in log:
        tokenizer = train_tokenizer(recipe.vocab)
        return new_model(recipe, tokenizer), tokenizer
    model, _ = load_model(output.resolve(), "cpu")
    model.generation_config.pad_token_id = None  # as it was saved
    return model, PreTrainedTokenizerFast.from_pretrained(output)


def train_tokenizer(vocab: int, *, documents: int = 20_000) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on the words of the worlds; the end token comes last.

    Each word is given once in each form it takes, and merges go on until all of them
    are single tokens, or ``vocab`` is reached.
    """
    found = {}  # in the order in which they come: a set would differ between runs
    for world in map(load_world, SHARES):
        for seed in range(documents):
            found |= dict.fromkeys(words(world.sample(seed)))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    how = {"vocab_size": vocab - 1, "show_progress": False}
    how |= {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}
    bpe.train_from_iterator(found, trainers.BpeTrainer(**how))
    rest = {"model_max_length": CONTEXT, "clean_up_tokenization_spaces": False}
    rest |= dict.fromkeys(("bos_token", "eos_token", "unk_token"), END)
    return PreTrainedTokenizerFast(tokenizer_object=bpe, **rest)


def new_model(recipe: Recipe, tokenizer) -> GPT2LMHeadModel:
    """Return an untrained GPT-2 of the recipe's size, without dropout.

    Its embeddings start large, so that the blocks' outputs do not drown which token
    stands where: without that the model learns to write long before it learns to copy.
    The last norm starts small in return, or the first logits would be huge.
    """
    torch.manual_seed(recipe.seed)
    size = {"n_embd": recipe.width, "n_layer": recipe.layers, "n_head": recipe.heads}
    size |= {"vocab_size": len(tokenizer), "n_positions": CONTEXT}
    ends = dict.fromkeys(("bos_token_id", "eos_token_id"), tokenizer.eos_token_id)
    dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    model = GPT2LMHeadModel(GPT2Config(**size, **ends, **dropout))
    with torch.no_grad():
        model.transformer.wte.weight.normal_(0, recipe.embedding)
        model.transformer.wpe.weight.normal_(0, recipe.embedding / 3)
        model.transformer.ln_f.weight.fill_(0.06 / recipe.embedding)
    return model


def main(arguments: list[str]) -> int:
    """Run ``python -m helpers pretrain``."""
    parser = Parser(prog="python -m helpers pretrain")
    parser.add_argument("--output", default="runs/pocket-gpt2", help="a new folder")
    parser.add_argument("--tokens", type=int, default=Recipe.tokens)
    parser.add_argument("--targets", choices=[*TARGETS], default=Recipe.targets)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--workers", type=int, default=1, help="prepare documents")
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler")
    options = parser.parse_args(arguments)
    if not options.output:
        parser.error("--output is empty")
    if options.tokens < 1:
        parser.error(f"--tokens must be at least 1, not {options.tokens}")
    if options.workers < 0:
        parser.error(f"--workers must be at least 0, not {options.workers}")
    if not 0 <= options.seed < SEEDS:
        parser.error(f"--seed must lie in 0 … {SEEDS - 1}, not {options.seed}")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    chosen = {name: getattr(options, name) for name in ("tokens", "targets", "seed")}
    how = {"workers": options.workers, "compiled": options.compile}
    pretrain(Path(options.output), Recipe(**chosen), **how)
    return 0
