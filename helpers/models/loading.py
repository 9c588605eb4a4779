"""Load a GPT-2: the course's pocket model, one from the hub, or a folder of yours."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from helpers.models.hub import (
    CONFIG,
    HUB_NAMES,
    TOKENIZER,
    WEIGHTS,
    ModelError,
    find_folder,
    unusable,
)

# Layers, heads, d_model of the four published models (Radford et al. 2019, table 2).
SHAPES = dict(
    zip(
        HUB_NAMES,
        [(12, 12, 768), (24, 16, 1024), (36, 20, 1280), (48, 25, 1600)],
        strict=True,
    )
)
# Not a weight; models saved before 2022 carry it, and the library forgot to ignore it.
OLD_CONSTANT = "attn.masked_bias"


@dataclass(frozen=True)
class Size:
    """One published GPT-2: its shape, its parameters, its memory in MiB (2**20 B)."""

    name: str
    layers: int
    heads: int
    d_model: int
    n_positions: int
    vocab_size: int
    parameters: int
    float32_mib: float
    bfloat16_mib: float


def load_model(
    name: str | Path | None = None, device: str | torch.device | None = None
) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerBase]:
    """Load a GPT-2 and its tokenizer: float32, in eval mode, with a pad token.

    `name` is "pocket", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", another GPT-2
    of the hub ("owner/name"), or a folder; left out, it is $COURSE_MODEL, else
    "pocket". What the cache holds is taken from there, without asking the hub.
    `device` left out is CUDA or MPS where there is one, else the CPU. GPT-2 has no pad
    token, so its end-of-text token serves. Padding stays on the library's side, the
    right; batches for generation need the left (day 4).

    Raises ModelError, one line, for whatever goes wrong: no other model is ever loaded
    in place of the one that was asked for.
    """
    name = str(name or os.environ.get("COURSE_MODEL") or "pocket")
    target = pick_device(device)
    model, tokenizer = _read(name, find_folder(name))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.loss_type = "ForCausalLM"  # or the library warns at the first loss
    model.name_or_path = tokenizer.name_or_path = name  # not where it lies on this disk
    return model.to(target), tokenizer


def sizes() -> list[Size]:
    """The four published GPT-2s, computed from their configurations alone."""
    return [_size(name, *shape) for name, shape in SHAPES.items()]


def count_parameters(config: GPT2Config) -> int:
    """Number of parameters of the GPT-2 that `config` describes, by formula.

    A head tied to the token embedding is counted once.
    """
    d, inner = config.n_embd, config.n_inner or 4 * config.n_embd
    attention = (d + 1) * 3 * d + (d + 1) * d  # query, key and value; then the output
    feed_forward = (d + 1) * inner + (inner + 1) * d  # up, then down
    layer_norm = 2 * d
    block = attention + feed_forward + 2 * layer_norm
    embeddings = (config.vocab_size + config.n_positions) * d
    head = 0 if config.tie_word_embeddings else config.vocab_size * d
    return embeddings + config.n_layer * block + layer_norm + head


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device asked for, or the best one there is: CUDA, MPS, CPU.

    Raises ModelError for a device that this computer does not have.
    """
    if device is None:
        cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
        device = "cuda" if cuda else "mps" if mps else "cpu"
    try:
        torch.ones(1, device=device).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        line = f"device {str(device)!r} cannot be used here: leave it out, or use 'cpu'"
        raise ModelError(line) from error
    return torch.device(device)


def _size(name: str, layers: int, heads: int, d_model: int) -> Size:
    config = GPT2Config(n_layer=layers, n_head=heads, n_embd=d_model)
    parameters = count_parameters(config)
    shape = (layers, heads, d_model, config.n_positions, config.vocab_size)
    mib = (parameters * 4 / 2**20, parameters * 2 / 2**20)
    return Size(name, *shape, parameters, *mib)


def _read(name: str, folder: Path) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerBase]:
    with _quiet():
        config = _read_config(name, folder)
        tokenizer = _read_tokenizer(name, folder, config)
        model, report = _read_weights(name, folder, config)
    if misfit := _misfit(report):
        raise unusable(name, folder, WEIGHTS, misfit)
    if not all(weight.sum().isfinite() for weight in model.parameters()):
        raise unusable(name, folder, WEIGHTS, "some weights are not finite numbers")
    if len(tokenizer) > model.config.vocab_size:
        reason = f"{len(tokenizer)} tokens, the model knows {model.config.vocab_size}"
        raise unusable(name, folder, TOKENIZER, reason)
    return model, tokenizer


def _read_config(name: str, folder: Path) -> GPT2Config:
    try:
        return GPT2Config.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # one library checks it with another's exceptions
        raise unusable(name, folder, CONFIG, error) from error


def _read_tokenizer(
    name: str, folder: Path, config: GPT2Config
) -> PreTrainedTokenizerBase:
    options = {"config": config, "local_files_only": True}
    try:
        return AutoTokenizer.from_pretrained(folder, **options)
    except Exception as error:  # tokenizers raises bare Exceptions
        raise unusable(name, folder, TOKENIZER, error) from error


def _read_weights(
    name: str, folder: Path, config: GPT2Config
) -> tuple[GPT2LMHeadModel, dict]:
    options = {"config": config, "local_files_only": True, "use_safetensors": True}
    options |= {"dtype": torch.float32, "output_loading_info": True}
    options |= {"ignore_mismatched_sizes": True}  # they are reported, see _misfit
    try:
        return GPT2LMHeadModel.from_pretrained(folder, **options)
    except SafetensorError as error:
        reason = f"cut short, or no safetensors file; {error}"
        raise unusable(name, folder, WEIGHTS, reason) from error
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise unusable(name, folder, WEIGHTS, error) from error


def _misfit(report: dict) -> str | None:
    """What the library only warns of: weights missing, left over or misshapen."""
    misshapen = {key for key, *_ in report["mismatched_keys"]}
    kinds = {"missing": report["missing_keys"] - misshapen, "misshapen": misshapen}
    kinds |= {"unexpected": report["unexpected_keys"]}
    for kind, keys in kinds.items():
        if keys := [key for key in keys if not key.endswith(OLD_CONSTANT)]:
            return f"{len(keys)} weights {kind}, first {min(keys)}"
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no warning while files are read; what counts is raised."""
    bar, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    if bar:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
