"""CTranslate2, the fastest peer, to be timed beside us: ``pip install ctranslate2``."""

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging


def ctranslate2(model, folder: Path, kinds=("float32", "int8")) -> dict[str, Callable]:
    """Return a writer for each kind of weights; their files lie in the folder.

    CTranslate2 wants the model's files, and a tokenizer, for its tokens are strings.
    """
    library = importlib.import_module("ctranslate2")  # not a requirement
    logging.disable_progress_bar()
    names = {str(i): i for i in range(model.config.vocab_size)}
    tokenizer = Tokenizer(WordLevel(names, unk_token="0"))
    marks = {name: "0" for name in ("unk_token", "bos_token", "eos_token")}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
    for part in (tokenizer, model):
        part.save_pretrained(folder / "library")
    converter = library.converters.TransformersConverter(str(folder / "library"))
    for kind in kinds:
        converter.convert(str(folder / kind), quantization=kind, force=True)
    load = partial(library.Generator, intra_threads=torch.get_num_threads())
    loaded = {f"CTranslate2 {kind}": load(str(folder / kind)) for kind in kinds}
    return {name: partial(write, generator) for name, generator in loaded.items()}


def write(generator, input_ids: torch.Tensor, max_new_tokens: int) -> None:
    """Continue the rows (batch, seq) by so many tokens."""
    how = {"max_length": max_new_tokens, "min_length": max_new_tokens}
    how |= {"sampling_topk": 1, "include_prompt_in_result": False}
    prompts = [[str(i) for i in row] for row in input_ids.tolist()]
    generator.generate_batch(prompts, **how)
