"""``python -m helpers``: check the Python version, then run the command line.

Everything in this file runs on any Python since 2.7, so that a Python that is too
old gets one clear line and no syntax error. The commands are in command_line.py.
"""

import os
import subprocess
import sys


def too_old():
    """Say in one line what is wrong and which Python to use."""
    line = "Python %d.%d is too old: 3.11 or newer is needed; " % sys.version_info[:2]
    for name in ("python3.13", "python3.12", "python3.11"):
        try:  # to run it: what stands on the path may be a pyenv shim of nothing
            subprocess.check_output([name, "-c", ""], stderr=subprocess.STDOUT)
            return line + "try %s -m helpers" % name
        except (OSError, subprocess.CalledProcessError):
            pass
    return line + "get it from https://www.python.org/downloads/"


if sys.version_info < (3, 11):
    sys.stderr.write(too_old() + "\n")
    sys.exit(2)

# `python /path/to/helpers` puts the folder itself on the path instead of its parent.
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [place for place in sys.path if os.path.abspath(place or ".") != here]
if not __package__:
    sys.path.insert(0, os.path.dirname(here))

if __name__ == "__main__":
    from helpers.cli.command_line import main

    sys.exit(main(sys.argv[1:]))
