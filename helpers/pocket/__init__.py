"""The workshop: how the pocket GPT-2 was made and measured.

``training`` is ``python -m helpers pretrain``, ``measure`` and ``card`` are ``python
-m helpers measure``; behind the training: ``batches`` and their ``targets``,
``optimizers``, ``precision`` (bfloat16 where it is fast) and ``saves`` (which a kill
cannot spoil).
"""

from helpers.pocket.precision import instructions
from helpers.pocket.training import POCKET

__all__ = ["POCKET", "instructions"]
