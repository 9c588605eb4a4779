"""Parity: a model beside the reference, and the first operation that differs."""

from helpers.parity.compare import compare

__all__ = ["compare"]
