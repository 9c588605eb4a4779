"""How the pocket GPT-2 was made: ``python -m helpers pretrain`` makes it again.

A byte-level BPE and a small ``GPT2LMHeadModel`` learn three of the worlds: stories,
code and lists (verse is kept for fine-tuning). ``batches`` says in which form,
``optimizers`` what the weights are trained with.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from transformers.utils import logging

from helpers.models import load_model
from helpers.options import Parser
from helpers.pocket.batches import CONTEXT, SHARES, batches, collate
from helpers.pocket.optimizers import learning_rate, optimizers
from helpers.pocket.precision import choose_precision
from helpers.pocket.saves import open_log, save
from helpers.worlds import END, load_world

POCKET = Path(__file__).resolve().parents[2] / "data" / "pocket-gpt2"
SEEDS = 100  # each has ten million documents of its own, below the measuring seeds


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome of a run."""

    tokens: int = 35_000_000
    batch: int = 2_000  # tokens, about: small batches make many steps
    packed: float = 0.08  # share of the steps whose rows are packed
    bare: float = 0.1  # share of the documents without an end token before them
    layers: int = 5
    heads: int = 8
    width: int = 256
    vocab: int = 4096
    embedding: float = 0.5  # spread of the embeddings at the start
    muon: float = 1.5e-3
    adamw: float = 2e-3
    warmup: float = 0.02
    seed: int = 0


def pretrain(output: Path, recipe: Recipe, *, compiled=False, report=print) -> Path:
    """Train the pocket model and its tokenizer into ``output``; return the folder.

    ``training.json`` there keeps the recipe, the loss after every twenty steps (nats
    per token), the tokens seen and the seconds taken. A run that was stopped goes on
    from its last weights, with new documents and new states of the optimizers, which a
    few steps of a smaller rate let settle. ``compiled`` needs a C++ compiler and makes
    a step a tenth faster. Raises UsageError or ModelError, at once, for a folder that
    cannot be used.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    log = open_log(output, asdict(recipe))
    if log["tokens"] >= recipe.tokens:
        return output
    precision, why = choose_precision(device)
    report(why)
    model, tokenizer = begin(output, recipe, log)
    first = log["steps"]
    run = {"first_step": first + 1, "shares": SHARES, "precision": str(precision)}
    log["runs"].append(run)
    log |= {"recipe": asdict(recipe), "torch": torch.__version__, "device": device}
    model.to(device).train()
    model.set_attn_implementation("eager")  # on short rows faster than the fused one
    forward = torch.compile(model, dynamic=True) if compiled else model
    rates = {"muon": recipe.muon, "adamw": recipe.adamw}
    stepping = optimizers(model, **rates, precision=precision)
    start, losses = time.time() - log["seconds"], []
    form = {"size": recipe.batch, "packed": recipe.packed, "bare": recipe.bare}
    rows = batches(tokenizer, **form, seed=recipe.seed, run=len(log["runs"]) - 1)
    for step, batch in enumerate(rows, first + 1):
        ids, labels = collate(batch, tokenizer.eos_token_id)
        scale = learning_rate(log["tokens"] / recipe.tokens, recipe.warmup)
        scale *= min(1.0, (step - first) / 40) if first else 1.0
        for optimizer, rate in zip(stepping, rates.values(), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * max(scale, 1e-4)
        with torch.autocast(device, torch.bfloat16, precision == torch.bfloat16):
            loss = forward(ids.to(device), labels=labels.to(device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in stepping:
            optimizer.step()
        model.zero_grad()
        losses.append(loss.item())
        tokens = log["tokens"] + int((labels[:, 1:] != -100).sum())
        log |= {"steps": step, "tokens": tokens, "seconds": round(time.time() - start)}
        if step % 20 == 0:
            mean = round(sum(losses) / len(losses), 4)
            log["history"].append([step, tokens, mean])
            report(f"step {step}  {tokens:,} tokens  loss {mean}")
            losses = []
        if step % 200 == 0 or tokens >= recipe.tokens:
            save(model, tokenizer, output, log)
        if tokens >= recipe.tokens:
            return output


def begin(output: Path, recipe: Recipe, log: dict):
    """Return model and tokenizer: new ones, or those of a run that was stopped."""
    if "recipe" not in log:
        tokenizer = train_tokenizer(recipe.vocab)
        return new_model(recipe, tokenizer), tokenizer
    model, _ = load_model(output.resolve(), "cpu")
    model.generation_config.pad_token_id = None  # as it was saved
    return model, PreTrainedTokenizerFast.from_pretrained(output)


def train_tokenizer(vocab: int, *, documents: int = 30_000) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on samples of the worlds; the end token comes last."""
    counts = {"stories": documents, "code": documents // 4, "lists": documents // 4}
    texts = (load_world(w).sample(i) for w, n in counts.items() for i in range(n))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    how = {
        "vocab_size": vocab - 1,
        "show_progress": False,
        "initial_alphabet": alphabet,
    }
    bpe.train_from_iterator(texts, trainers.BpeTrainer(**how))
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
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler")
    options = parser.parse_args(arguments)
    if not options.output:
        parser.error("--output is empty")
    if options.tokens < 1:
        parser.error(f"--tokens must be at least 1, not {options.tokens}")
    if not 0 <= options.seed < SEEDS:
        parser.error(f"--seed must lie in 0 … {SEEDS - 1}, not {options.seed}")
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    recipe = Recipe(tokens=options.tokens, seed=options.seed)
    pretrain(Path(options.output), recipe, compiled=options.compile)
    return 0
