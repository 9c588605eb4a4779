"""``python -m helpers address OWNER/NAME``: where the course is published.

The address stands in ``pyproject.toml``; badges, set-up cells, README and the citation
repeat it, because GitHub and Colab cannot look it up. This writes it into all of them.
"""

import argparse
import os
import re
import tomllib
from pathlib import Path

from helpers.cli.environment import ROOT
from helpers.options import UsageError

ADDRESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
# pyproject.toml last: a run that is cut off can be made again from the old address.
FILES = ("*.md", "*.cff", "notebooks/*.ipynb", "notebooks/*/*.ipynb", "pyproject.toml")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the one argument; without it the present address is shown."""
    parser.add_argument("address", nargs="?", metavar="OWNER/NAME")


def run(options: argparse.Namespace) -> None:
    """Show the course's address, or write another one wherever it stands."""
    if options.address is None:
        print(current(ROOT))
        return
    new = options.address.removeprefix("https://github.com/").removesuffix(".git")
    if not ADDRESS.fullmatch(new):
        raise UsageError(f"expected OWNER/NAME as on GitHub, got {options.address!r}")
    print(f"{new}: written into {write(ROOT, new)} files")


def current(root: Path) -> str:
    """Return OWNER/NAME as pyproject.toml has it."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return project["urls"]["Homepage"].removeprefix("https://github.com/")


def write(root: Path, new: str) -> int:
    """Put ``new`` in the place of the present address; return how many files change."""
    old, changed = current(root), 0
    address = rf"(github(?:\.com)?/){re.escape(old)}(?![\w-])"
    folder = rf"(?m)^cd {re.escape(Path(old).name)}$"
    for path in (path for pattern in FILES for path in sorted(root.glob(pattern))):
        text = path.read_text("utf-8")
        moved = re.sub(address, rf"\g<1>{new}", text)
        moved = re.sub(folder, f"cd {Path(new).name}", moved)
        if moved != text:
            beside = path.with_name(f"{path.name}.new")
            beside.write_bytes(moved.encode("utf-8"))
            os.replace(beside, path)
            changed += 1
    return changed
