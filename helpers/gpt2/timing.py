"""Timing: what one more token costs, with and without a cache."""

import time
from collections.abc import Callable, Sequence
from statistics import median

import torch

from helpers.gpt2.cache import Cache


def token_costs(engine, lengths: Sequence[int], *, repeats: int = 25):
    """Time the logits behind so many tokens, without and with a cache.

    With a cache, all tokens but the last were read before. The tokens are random, as
    the time does not depend on them. ``repeats`` is for the runs with a cache; those
    without need fewer. Returns {"without a cache": medians in milliseconds, "with a
    cache": the same}.
    """
    shape = 1, max(lengths)
    ids = torch.randint(engine.config.vocab_size, shape, device=engine.device)
    cache = Cache(engine, *shape)

    def read(length: int):
        return engine(ids[:, :length], logits_to_keep=1).cpu()  # waits for a GPU

    def read_last(length: int):
        cache.length = length - 1  # as if only so many had been read
        last = ids[:, length - 1 : length]
        return engine(last, cache=cache, logits_to_keep=1).cpu()

    with torch.no_grad():
        engine(ids, cache=cache, logits_to_keep=1)
        return {
            "without a cache": [_milliseconds(read, length, 3) for length in lengths],
            "with a cache": [_milliseconds(read_last, n, repeats) for n in lengths],
        }


def _milliseconds(run: Callable, length: int, count: int) -> float:
    """Return the median of so many runs, after one to warm up."""
    times = []
    for _ in range(count + 1):
        begun = time.perf_counter()
        run(length)
        times.append(1000 * (time.perf_counter() - begun))
    return median(times[1:])
