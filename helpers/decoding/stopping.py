"""Stopping: what ends a text besides its end token and its length.

A criterion is a function ``(input_ids, next_logits) -> (batch,) bool`` that is asked
after every token, with ``input_ids`` (batch, seq) up to that token. That is the
signature of a ``StoppingCriteria`` of transformers, so it works there, and the
library's work in ``helpers.decoding``.
"""

from collections.abc import Callable
from os.path import commonprefix

import torch

Stop = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def stop_string(tokenizer, text: str) -> Stop:
    """Return a criterion that is met when the last token completes ``text``.

    The text may begin anywhere, in the prompt too, and the token may go on beyond it.
    Raises ValueError for "".
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"the string to stop at is {text!r}, expected some characters")
    enough = len(text.encode())  # tokens, as none is shorter than a byte

    def met(input_ids: torch.Tensor, next_logits=None, **unused) -> torch.Tensor:
        before = tokenizer.batch_decode(input_ids[:, -enough:-1])
        until = tokenizer.batch_decode(input_ids[:, -enough:])
        found = [completes(*pair, text) for pair in zip(before, until, strict=True)]
        return torch.tensor(found, device=input_ids.device)

    return met


def completes(before: str, until: str, text: str) -> bool:
    """Whether ``text`` ends in that part of ``until`` that is new since ``before``."""
    same = len(commonprefix([before, until]))  # less than all after half a character
    return until.find(text, max(0, same - len(text) + 1)) >= 0
