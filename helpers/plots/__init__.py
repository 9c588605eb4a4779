"""Every figure of the course, a module per subject.

Functions take tensors and dicts, draw on ``ax`` (new axes where none are given) and
return it; none of them loads a model.
"""
