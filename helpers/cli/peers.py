"""CTranslate2, the fastest peer, to be timed beside us: ``pip install ctranslate2``."""

import importlib
import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast
from transformers.utils import logging


def installed() -> bool:
    """Whether CTranslate2 can be imported."""
    return importlib.util.find_spec("ctranslate2") is not None


class CTranslate2:
    """A GPT-2 converted for CTranslate2, which wants a folder and string tokens."""

    def __init__(self, model, folder: Path, kinds=("float32", "int8")):
        ctranslate2 = importlib.import_module("ctranslate2")  # not a requirement
        logging.disable_progress_bar()
        names = {str(i): i for i in range(model.config.vocab_size)}
        tokenizer = Tokenizer(WordLevel(names, unk_token="0"))
        marks = {name: "0" for name in ("unk_token", "bos_token", "eos_token")}
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)
        tokenizer.save_pretrained(folder / "library")
        model.save_pretrained(folder / "library")
        convert = ctranslate2.converters.TransformersConverter
        converter = convert(str(folder / "library"))
        self.generators = {}
        for kind in kinds:
            place = str(folder / kind)
            converter.convert(place, quantization=kind, force=True)
            threads = torch.get_num_threads()
            self.generators[kind] = ctranslate2.Generator(place, intra_threads=threads)

    def runs(self, input_ids: torch.Tensor, tokens: int) -> dict[str, Callable]:
        """Return, for each kind of weights, a function that writes so many tokens."""
        prompts = [[str(i) for i in row] for row in input_ids.tolist()]
        options = {"max_length": tokens, "min_length": tokens, "sampling_topk": 1}
        options |= {"include_prompt_in_result": False}
        return {
            f"CTranslate2 {kind}": partial(generator.generate_batch, prompts, **options)
            for kind, generator in self.generators.items()
        }
