"""The workshop: how the pocket GPT-2 was made and measured.

``training`` is ``python -m helpers pretrain``, ``measure`` and ``card`` are ``python
-m helpers measure``; behind the training: ``batches`` and their ``targets``,
``optimizers`` and ``saves`` (which a kill cannot spoil).
"""

from helpers.pocket.training import POCKET

__all__ = ["POCKET"]
