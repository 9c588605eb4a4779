"""The course's look: one style file, and axes made in it."""

from pathlib import Path

import matplotlib.pyplot as plt

STYLE = str(Path(__file__).with_name("course.mplstyle"))


def new_axes(ax=None, **figure):
    """Return ``ax``, or new axes in the course's style where none are given.

    The style stays on, so that titles and labels written later have it too. (A style
    context around the first figure of a notebook would, on leaving, also undo the
    notebook's switch to showing figures by itself.)
    """
    if ax is not None:
        return ax
    plt.style.use(STYLE)
    return plt.subplots(**figure)[1]
