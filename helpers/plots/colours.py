"""Okabe and Ito's colours, told apart by all eyes; the light ones are darkened."""

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, OCHRE, SKY = "#A6508A", "#B07800", "#3A8FC0"
GREY, PALE, BLACK = "#555555", "#BBBBBB", "#222222"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, OCHRE, SKY)
PARTS = (BLUE, SKY, ORANGE, GREEN, BLACK, GREY)  # of a whole: each bears white letters


def ink(value: float) -> str:
    """Return the colour of letters that can be read on a heatmap's colour."""
    return "black" if value > 0.6 else "white"
