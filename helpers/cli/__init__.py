"""The command line: `python -m helpers COMMAND`, a file per command.

Nothing heavy is imported here: it runs before anything is installed.
"""


class UsageError(Exception):
    """Something that the user can mend, told in one line."""
