"""Parity: a model beside the reference, and the first operation that differs.

Read ``compare`` (where they part), ``mistakes`` (GPT-2 as a table), then ``judge``.
``parts`` is what a learner writes: GPT-2 as seven functions, any of them exchanged.
"""

from helpers.parity import parts
from helpers.parity.compare import compare
from helpers.parity.parts import assembled, or_ours
