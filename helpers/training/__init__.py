"""Training: a model goes on learning, from texts of one's choice.

Read ``rows`` (documents as what a model learns from: pads, labels, ends), then
``finetuning`` (``python -m helpers finetune``, a thin layer over transformers.Trainer).
"""

from helpers.training.finetuning import finetune
from helpers.training.rows import Rows, collate

__all__ = ["Rows", "collate", "finetune"]
