"""Means and their errors, against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from helpers.worlds.mean import mean, ratio


def test_mean_is_that_of_scipy():
    values = [True, False, True, 2.5]
    assert mean(values) == pytest.approx((np.mean(values), stats.sem(values)))
    assert math.isnan(mean([1]).error)


def test_ratio_and_its_error_agree_with_the_bootstrap():
    generator = np.random.default_rng(0)
    sizes = generator.integers(50, 150, 400)
    totals = sizes * 1.5 + generator.normal(size=400) * 10
    value, error = ratio(totals.tolist(), sizes.tolist())
    assert value == pytest.approx(totals.sum() / sizes.sum())
    drawn = stats.bootstrap(
        (totals, sizes), lambda t, s, axis: t.sum(axis) / s.sum(axis), paired=True,
        n_resamples=2000, rng=0,
    )  # fmt: skip
    assert error == pytest.approx(drawn.standard_error, rel=0.1)


@pytest.mark.parametrize(("call", "arguments"), [(mean, [[]]), (ratio, [[], []])])
def test_nothing_has_no_mean(call, arguments):
    with pytest.raises(ValueError, match="^no values to take the"):
        call(*arguments)
