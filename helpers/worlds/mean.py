"""Means and their standard errors: what stands behind every ± of the course."""

import math
from collections.abc import Iterable, Sequence
from statistics import fmean, stdev
from typing import NamedTuple


class Mean(NamedTuple):
    """A mean and its standard error, in the unit of the values."""

    value: float
    error: float  # NaN where there is only one value


def mean(values: Iterable[float]) -> Mean:
    """Return the mean of independent values; truths count as 1 and 0.

    Raises ValueError for no values, as ``ratio`` does.
    """
    values = [float(value) for value in values]
    if not values:
        raise ValueError("no values to take the mean of")
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Mean(fmean(values), error)


def ratio(totals: Sequence[float], sizes: Sequence[float]) -> Mean:
    """Return sum(totals) / sum(sizes), where both belong to independent texts.

    Long texts weigh more, so this is not the mean of the texts' own ratios. The error
    is that of the delta method: residuals ``total - ratio * size``, over the mean size.
    """
    if not totals:
        raise ValueError("no values to take the ratio of")
    value = sum(totals) / sum(sizes)
    residuals = [t - value * s for t, s in zip(totals, sizes, strict=True)]
    return Mean(value, mean(residuals).error / fmean(sizes))
