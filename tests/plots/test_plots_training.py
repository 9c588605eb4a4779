"""The loss curve draws what it is given."""

from helpers.plots.training import loss_curve


def test_loss_curve_draws_the_history_and_the_floor():
    ax = loss_curve([[20, 1_000_000, 3.0], [40, 2_000_000, 2.0]], floor=1.1)
    curve, floor = ax.get_lines()
    assert curve.get_xdata().tolist() == [1.0, 2.0]
    assert curve.get_ydata().tolist() == [3.0, 2.0]
    assert set(floor.get_ydata()) == {1.1}
    assert "nats per token" in ax.get_ylabel()
