"""Every figure of the course: a file per day, and ``style``, which all of them share.

Functions take tensors and dicts, draw on ``ax`` (new axes where none are given) under
their message, the ``title``, and return ``ax``, or an array of axes; none of them loads
or runs a model. A day's figures are imported from the day's file: ``from helpers.plots
import day03 as plots``. ``training`` draws the pocket model's loss in ``colours``.
"""
