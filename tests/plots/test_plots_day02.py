"""The figures of day 2 show what they are given."""

import matplotlib

from helpers.plots.day02 import compression_curves, language_bars

matplotlib.use("Agg")


def test_compression_curves_label_every_line():
    ax = compression_curves({"near": {0: 4.0, 10: 2.0}, "far": {0: 5.0, 10: 4.5}})
    assert [text.get_text() for text in ax.texts] == ["near", "far"]
    assert list(ax.lines[0].get_ydata()) == [4.0, 2.0]


def test_language_bars_put_the_cheapest_on_top_and_name_both_ends():
    ax = language_bars({"Greek": 30, "English": 9, "Thai": 40})
    assert [bar.get_width() for bar in ax.patches] == [40, 30, 9]
    title = ax.get_title() or ax.get_title(loc="left")
    assert "9 tokens in English, 40 in Thai" in title
