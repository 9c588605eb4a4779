"""The workshop: how the pocket GPT-2 was made and measured.

``training`` is ``python -m helpers pretrain``, ``measure`` and ``card`` are ``python
-m helpers measure``; ``batches`` and ``optimizers`` stand behind the training.
"""

from helpers.pocket.training import POCKET

__all__ = ["POCKET"]
