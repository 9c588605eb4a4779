"""Parity: a model beside the reference, and the first operation that differs.

Read in this order: ``compare`` (both models run, and where they part), ``mistakes``
(GPT-2 as a table, right and wrong), ``judge`` (which mistake gives these numbers).
"""

from helpers.parity.compare import compare

__all__ = ["compare"]
