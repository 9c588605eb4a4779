"""How the pocket GPT-2 was made: ``python -m helpers pretrain`` makes it again.

A byte-level BPE and a small ``GPT2LMHeadModel`` learn three of the worlds: stories,
code and lists (verse is kept for fine-tuning). ``helpers.batches`` says in which form,
``helpers.optimizers`` what the weights are trained with.
"""

import argparse
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from helpers.pocket.batches import CONTEXT, SHARES, batches, collate
from helpers.pocket.optimizers import block_matrices, learning_rate, optimizers
from helpers.worlds import END, load_world

POCKET = Path(__file__).resolve().parent.parent.parent / "data" / "pocket-gpt2"


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


def train_tokenizer(vocab: int, *, documents: int = 30_000) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on samples of the worlds; the end token comes last."""
    counts = {"stories": documents, "code": documents // 4, "lists": documents // 4}
    texts = (load_world(w).sample(i) for w, n in counts.items() for i in range(n))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab - 1, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )


def new_model(recipe: Recipe, tokenizer) -> GPT2LMHeadModel:
    """Return an untrained GPT-2 of the recipe's size, without dropout.

    Its embeddings start large, so that the blocks' outputs do not drown which token
    stands where: without that the model learns to write long before it learns to copy.
    The last norm starts small in return, or the first logits would be huge.
    """
    torch.manual_seed(recipe.seed)
    config = GPT2Config(
        vocab_size=len(tokenizer),
        n_positions=CONTEXT,
        n_embd=recipe.width,
        n_layer=recipe.layers,
        n_head=recipe.heads,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )
    model = GPT2LMHeadModel(config)
    with torch.no_grad():
        model.transformer.wte.weight.normal_(0, recipe.embedding)
        model.transformer.wpe.weight.normal_(0, recipe.embedding / 3)
        model.transformer.ln_f.weight.fill_(0.06 / recipe.embedding)
    return model


def pretrain(
    output: Path, recipe: Recipe, *, compiled: bool = False, report=print
) -> Path:
    """Train the pocket model and its tokenizer into ``output``; return the folder.

    ``training.json`` beside the weights keeps the recipe, the seed, the loss after
    every twenty steps (nats per token), the tokens seen and the seconds taken. A run
    that was stopped goes on from its last weights, with new documents and with new
    states of the optimizers, which a few steps of a smaller rate let settle.
    ``compiled`` needs a C++ compiler and makes each step about a tenth faster.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    log, model, tokenizer = _begin(output, recipe)
    if log["tokens"] >= recipe.tokens:
        return output
    model.to(device).train()
    model.set_attn_implementation("eager")  # on short rows faster than the fused one
    forward = torch.compile(model, dynamic=True) if compiled else model
    matrices, rates = block_matrices(model), (recipe.muon, recipe.adamw)
    stepping = optimizers(model, matrices, muon=recipe.muon, adamw=recipe.adamw)
    start, first, losses = time.time() - log["seconds"], log["steps"], []
    form = {"size": recipe.batch, "packed": recipe.packed, "bare": recipe.bare}
    rows = batches(tokenizer, **form, seed=recipe.seed, run=len(log["runs"]) - 1)
    for step, batch in enumerate(rows, first + 1):
        _use_all_cores()
        ids, labels = collate(batch, tokenizer.eos_token_id)
        scale = learning_rate(log["tokens"] / recipe.tokens, recipe.warmup)
        scale *= min(1.0, (step - first) / 40) if first else 1.0
        for optimizer, rate in zip(stepping, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * max(scale, 1e-4)
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = forward(ids.to(device), labels=labels.to(device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for matrix in matrices:
            matrix.take_gradient()
        for optimizer in stepping:
            optimizer.step()
        model.zero_grad()
        losses.append(loss.item())
        log["steps"] = step
        log["tokens"] += int((labels[:, 1:] != -100).sum())
        log["seconds"] = round(time.time() - start)
        if step % 20 == 0:
            mean = round(sum(losses) / len(losses), 4)
            log["history"].append([step, log["tokens"], mean])
            report(f"step {step}  {log['tokens']:,} tokens  loss {mean}")
            losses = []
        if step % 200 == 0 or log["tokens"] >= recipe.tokens:
            save(model, tokenizer, output, log)
        if log["tokens"] >= recipe.tokens:
            return output


def _use_all_cores() -> None:
    """Run as many threads as there are cores for us: they may come and go."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
        if cores != torch.get_num_threads():
            torch.set_num_threads(cores)


def _begin(output: Path, recipe: Recipe) -> tuple[dict, GPT2LMHeadModel, object]:
    """Return log, model and tokenizer: new ones, or those of a run that was stopped."""
    if (output / "training.json").exists():
        log = json.loads((output / "training.json").read_text())
        model = GPT2LMHeadModel.from_pretrained(output, dtype=torch.float32)
        tokenizer = PreTrainedTokenizerFast.from_pretrained(output)
    else:
        log = {"tokens": 0, "steps": 0, "seconds": 0, "runs": [], "history": []}
        tokenizer = train_tokenizer(recipe.vocab)
        model = new_model(recipe, tokenizer)
    log["runs"].append({"first_step": log["steps"] + 1, "shares": SHARES})
    log |= {"recipe": asdict(recipe), "torch": torch.__version__}
    log |= {"device": "cuda" if torch.cuda.is_available() else "cpu"}
    return log, model, tokenizer


def save(model, tokenizer, output: Path, log: dict) -> None:
    """Write weights (float16, to halve the file), tokenizer and log."""
    output.mkdir(parents=True, exist_ok=True)
    copy = GPT2LMHeadModel(model.config)
    copy.load_state_dict(model.state_dict())
    copy.half().save_pretrained(output)
    tokenizer.save_pretrained(output)
    (output / "training.json").write_text(json.dumps(log) + "\n")
    names = ("config", "generation_config", "tokenizer", "tokenizer_config", "training")
    kept = [*(output / f"{n}.json" for n in names), output / "model.safetensors"]
    for path in kept:
        path.chmod(0o644)  # the library writes weights for their owner alone
    sums = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(kept)}
    lines = [f"{checksum}  {name}\n" for name, checksum in sums.items()]
    (output / "SHA256SUMS").write_text("".join(lines))


def main(arguments: list[str]) -> int:
    """Run ``python -m helpers pretrain``."""
    parser = argparse.ArgumentParser(prog="python -m helpers pretrain")
    parser.add_argument("--output", type=Path, default=Path("runs/pocket-gpt2"))
    parser.add_argument("--tokens", type=int, default=Recipe.tokens)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--compile", action="store_true", help="needs a C++ compiler")
    options = parser.parse_args(arguments)
    recipe = Recipe(tokens=options.tokens, seed=options.seed)
    pretrain(options.output, recipe, compiled=options.compile)
    return 0
