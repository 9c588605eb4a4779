"""Training: a model goes on learning, from texts of one's choice.

Read ``rows`` (documents as what a model learns from: pads, labels, ends), then
``finetuning`` (``python -m helpers finetune``, a thin layer over transformers.Trainer).
Behind them: ``folders`` (what is on the disk, while it runs and when it is done),
``lora`` (fine-tuning of a few weights beside the frozen others), ``sweep`` (rates and
epochs, and numbers of texts) and ``ways`` (which weights), as day 10 shows them.
"""

from helpers.training.finetuning import Recipe, finetune
from helpers.training.folders import TrainingError, is_finished
from helpers.training.lora import LoRA, add_lora, merge_lora
from helpers.training.rows import ByLength, Rows, collate

__all__ = [
    "ByLength",
    "LoRA",
    "Recipe",
    "Rows",
    "TrainingError",
    "add_lora",
    "collate",
    "finetune",
    "is_finished",
    "merge_lora",
]
