"""Parity: a model beside the reference, and the first operation that differs.

Read ``compare`` (where they part), ``mistakes`` (GPT-2 as a table), then ``judge``.
"""

from helpers.parity.compare import compare
