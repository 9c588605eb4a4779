"""Load a GPT-2: the course's pocket model, one from the hub, or a folder of yours."""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import (
    AutoTokenizer,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from helpers.gpt2 import parameters
from helpers.models import hub
from helpers.models.hub import ModelError, find_folder

# Layers, heads, d_model of the four published models (Radford et al. 2019, table 2).
SHAPES = [(12, 12, 768), (24, 16, 1024), (36, 20, 1280), (48, 25, 1600)]
FLOATS = ("F64", "F32", "F16", "BF16")
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
    of the hub ("owner/name"), or a folder; left out, $COURSE_MODEL, else "pocket".
    `device` left out is CUDA or MPS where there is one, else the CPU. GPT-2 has no pad
    token, so its end-of-text token serves; padding stays on the right, as the library
    has it (batches for generation need the left: day 4).

    Raises ModelError, one line, for whatever goes wrong: no other model is ever loaded
    in place of the one that was asked for.
    """
    name = str(name or os.environ.get("COURSE_MODEL") or "pocket")
    if device is None:
        device = torch.accelerator.current_accelerator(check_available=True) or "cpu"
    try:
        torch.ones(1, device=device).sum().item()
    except (RuntimeError, AssertionError, NotImplementedError):
        line = f"device {str(device)!r} cannot be used here: leave it out, or use 'cpu'"
        raise ModelError(line) from None
    model, tokenizer = _read(name, find_folder(name))
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.loss_type = "ForCausalLM"  # or the library warns at the first loss
    model.name_or_path = tokenizer.name_or_path = name  # not where it lies on this disk
    return model.to(device), tokenizer


def sizes() -> list[Size]:
    """The four published GPT-2s, computed from their configurations alone."""
    found = []
    for name, (layers, heads, d_model) in zip(hub.HUB_NAMES, SHAPES, strict=True):
        config = GPT2Config(n_layer=layers, n_head=heads, n_embd=d_model)
        count = count_parameters(config)
        shape = (layers, heads, d_model, config.n_positions, config.vocab_size)
        found.append(Size(name, *shape, count, count * 4 / 2**20, count * 2 / 2**20))
    return found


def count_parameters(config: GPT2Config) -> int:
    """Number of parameters of the GPT-2 that `config` describes, a tied head once."""
    return sum(parameters(config).values())


def _read(name: str, folder: Path) -> tuple[GPT2LMHeadModel, PreTrainedTokenizerBase]:
    local = {"local_files_only": True}
    with _reading(name, folder, hub.CONFIG):
        config = GPT2Config.from_pretrained(folder, **local)
    with _reading(name, folder, hub.TOKENIZER):
        tokenizer = AutoTokenizer.from_pretrained(folder, config=config, **local)
        if tokenizer.eos_token_id is None:
            raise ValueError("it has no end-of-text token")
        if (tokens := len(tokenizer)) > config.vocab_size:
            raise ValueError(f"{tokens} tokens, the model knows {config.vocab_size}")
    with _reading(name, folder, hub.WEIGHTS):
        files = [folder / file for file in hub.weight_files(name, folder)]
        stored = sum(map(_count_floats, files))
        if count_parameters(config) > 2 * stored:  # to build it might take all memory
            raise ValueError(f"{stored:,} numbers, far too few for {hub.CONFIG}")
        options = {"config": config, "dtype": torch.float32, "use_safetensors": True}
        options |= {"output_loading_info": True, "ignore_mismatched_sizes": True}
        model, report = GPT2LMHeadModel.from_pretrained(folder, **options, **local)
        _check_fit(report)
        ends = [torch.stack(weight.aminmax()) for weight in model.parameters()]
        if not torch.stack(ends).isfinite().all():
            raise ValueError("some weights are not finite numbers")
    return model, tokenizer


def _count_floats(file: Path) -> int:
    """Count a file's numbers; raise ValueError for integers, of quantised models."""
    file.open("rb").close()  # of what may not be read safetensors says "no such file"
    with safe_open(file, "pt") as weights:
        parts = [weights.get_slice(key) for key in weights.keys()]
        for part in parts:
            if len(part.get_shape()) == 2 and part.get_dtype() not in FLOATS:
                raise ValueError(f"weights are {part.get_dtype()}, expected floats")
        return sum(math.prod(part.get_shape()) for part in parts)


def _check_fit(report: dict) -> None:
    """Raise ValueError for weights missing, left over or misshapen: it only warns."""
    misshapen = {key for key, *_ in report["mismatched_keys"]}
    kinds = {"missing": report["missing_keys"] - misshapen, "misshapen": misshapen}
    kinds |= {"unexpected": report["unexpected_keys"]}
    for kind, keys in kinds.items():
        if keys := [key for key in keys if not key.endswith(OLD_CONSTANT)]:
            raise ValueError(f"{len(keys)} weights {kind}, first {min(keys)}")


@contextmanager
def _reading(name: str, folder: Path, file: str) -> Iterator[None]:
    """Read without progress bars and warnings; whatever goes wrong becomes one line."""
    bar, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # the libraries raise each other's, and bare ones
        raise hub.unusable(name, folder, file, error) from None
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()
