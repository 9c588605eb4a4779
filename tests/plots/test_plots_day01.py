"""The figures of day 1 show the numbers they are given."""

import matplotlib
import pytest
import torch

from helpers.plots.day01 import parameter_parts, short_number, weight_histogram

matplotlib.use("Agg")


def test_parts_fill_each_bar_and_totals_are_written():
    counts = {"small": {"words": 75, "blocks": 25}, "big": {"words": 1, "blocks": 3}}
    ax = parameter_parts(counts)
    assert [bar.get_width() for bar in ax.patches] == [75, 25, 25, 75]
    written = [text.get_text() for text in ax.texts]
    assert {"75 %", "100", "4", "■ words"} <= set(written)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["small", "big"]


def test_histogram_shares_sum_to_nearly_all():
    noise = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    ax = weight_histogram({"narrow": noise * 0.1, "wide": noise.view(100, 100)})
    narrow, wide = (line.get_ydata().sum() for line in ax.lines)
    assert narrow == pytest.approx(100) and 99.8 < wide < 100
    assert [text.get_text() for text in ax.texts] == ["narrow", "wide"]


@pytest.mark.parametrize(
    ("number", "said"),
    [(124_439_808, "124 M"), (1_557_611_200, "1.56 B"), (4_480_000, "4.48 M")],
)
def test_numbers_are_written_as_people_say_them(number, said):
    assert short_number(number) == said
