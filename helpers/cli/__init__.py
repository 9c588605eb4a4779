"""The command line: `python -m helpers COMMAND`, a file per command.

Read ``command_line`` first. Behind the commands (``start``, ``test``, ``generate``,
``doctor``, ``address``, ``perplexity``, ``finetune``, ``bench`` with ``bench_texts``):
``environment`` and ``pip`` (the course's own `.venv`). Nothing is imported here: it
runs before anything is installed.
"""
