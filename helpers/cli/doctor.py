"""What the course needs: what is there, what is missing, what to do about it."""

import argparse
import hashlib
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.cli import environment, packages, suite

HUB = "https://huggingface.co"
START = "run `python -m helpers start`"


class Finding(NamedTuple):
    """One thing looked at: `good` is None for what is only worth knowing."""

    good: bool | None
    what: str
    detail: str


def run(options: argparse.Namespace) -> int:
    """Print every finding; return 0 when nothing is wrong, else 1."""
    wrong = 0
    for finding in findings(environment.ROOT):
        word = {True: "ok", False: "WRONG", None: "note"}[finding.good]
        wrong += finding.good is False
        print(f"{word:<6} {finding.what:<12} {finding.detail}", flush=True)
    print(f"{wrong} to mend." if wrong else "All is well.")
    return 1 if wrong else 0


def findings(root: Path) -> Iterator[Finding]:
    """Look at one thing after the other."""
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(True, "Python", f"{version}, {sys.executable}")
    yield from environment_findings(root)
    yield pocket_finding(root / "data" / "pocket-gpt2")
    yield worlds_finding(root / "data" / "worlds")
    yield from machine_findings(root)
    browser = suite.chromium()
    yield Finding(None, "browser", browser or suite.NO_BROWSER)
    yield hub_finding()
    yield cache_finding()


def environment_findings(root: Path) -> Iterator[Finding]:
    """Look at `.venv`, or at this Python where COURSE_NO_VENV says so."""
    if os.environ.get("COURSE_NO_VENV") == "1":
        yield Finding(None, "environment", "this Python's, as COURSE_NO_VENV=1 says")
        yield packages_finding(root, sys.path)
        return
    venv = root / ".venv"
    if not venv.exists():
        yield Finding(False, ".venv", f"is not there yet: {START}")
        return
    if environment.is_complete(root):
        yield Finding(True, ".venv", f"complete, {venv}")
    elif (venv / "unfinished").exists():
        yield Finding(False, ".venv", f"its installation was cut off: {START}")
    elif environment.version_of(environment.python_of(venv)) is None:
        yield Finding(False, ".venv", f"its Python does not run: {START}")
    else:
        text = f"made for another folder or other requirements: {START}"
        yield Finding(False, ".venv", text)
    places = [*venv.glob("lib/python3*/site-packages"), venv / "Lib" / "site-packages"]
    yield packages_finding(root, [str(place) for place in places])


def packages_finding(root: Path, places: list[str]) -> Finding:
    """Compare what is installed with requirements.txt."""
    there = {
        canonical(found.name): found.version
        for found in importlib.metadata.distributions(path=places)
        if found.name
    }
    lines = (root / "requirements.txt").read_text("utf-8").splitlines()
    pins = [line.split("#")[0].strip().split("==") for line in lines if "==" in line]
    wrong = []
    for name, pin in pins:
        version = there.get(canonical(name))
        if version is None:
            wrong.append(f"{name} is missing")
        elif version.split("+")[0] != pin:
            wrong.append(f"{name} is {version}, tested with {pin}")
    if wrong:
        shown = "; ".join(wrong[:3]) + (f"; {len(wrong) - 3} more" * (len(wrong) > 3))
        mend = "pip install -r requirements.txt"
        if os.environ.get("COURSE_NO_VENV") != "1":
            mend = "remove .venv, then " + START
        return Finding(False, "packages", f"{shown}: {mend}")
    torch = there.get("torch", "")
    return Finding(True, "packages", f"{len(pins)} as tested, torch {torch}")


def canonical(name: str) -> str:
    """Return a package's name as pip compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pocket_finding(folder: Path) -> Finding:
    """Compare the pocket model's files with their checksums."""
    mend = "bring it back with `git restore data`"
    try:
        lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    except OSError:
        text = f"{folder} has no SHA256SUMS: {mend}"
        return Finding(False, "pocket model", text)
    for line in lines:
        checksum, name = line.split(maxsplit=1)
        path = folder / name.lstrip("*")
        if not path.exists():
            return Finding(False, "pocket model", f"{path} is missing: {mend}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            return Finding(False, "pocket model", f"{path} is damaged: {mend}")
    return Finding(True, "pocket model", f"{len(lines)} files as their checksums say")


def worlds_finding(folder: Path) -> Finding:
    """Look for the worlds' words and plots."""
    names = sorted(path.stem for path in folder.glob("*.toml"))
    if not names:
        return Finding(False, "worlds", f"{folder} is empty: `git restore data`")
    return Finding(True, "worlds", ", ".join(names))


def machine_findings(root: Path) -> Iterator[Finding]:
    """Look at memory, disk and processors."""
    memory = memory_bytes()
    if memory is not None:
        text = f"{memory / 1e9:.0f} GB; the course takes 2 GB"
        yield Finding(memory > 2e9, "memory", text)
    free = shutil.disk_usage(root).free
    needed = packages.NEEDED["cpu"]
    if environment.is_complete(root):
        needed = packages.GIGABYTE // 2
    text = f"{free / 1e9:.1f} GB free; {needed / 1e9:.1f} GB are needed"
    yield Finding(free > needed, "disk", text)
    yield Finding(True, "processors", f"{os.cpu_count()}")


def memory_bytes() -> int | None:
    """Return the computer's memory, or None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def hub_finding() -> Finding:
    """Ask the hub for an answer within 3 s."""
    hub = os.environ.get("HF_ENDPOINT", HUB).rstrip("/")
    if packages.is_reachable(hub + "/gpt2/resolve/main/config.json"):
        return Finding(None, "hub", f"{hub} answers: COURSE_MODEL=gpt2 can be fetched")
    text = f"{hub} does not answer: the pocket model works without it"
    return Finding(None, "hub", text)


def cache_finding() -> Finding:
    """Look for the hub's gpt2 in the local cache."""
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
        "huggingface",
    )
    hub = Path(os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub"))
    found = [path.name.split("--")[-1] for path in hub.glob("models--*gpt2*")]
    text = f"has {', '.join(sorted(set(found)))}" if found else "has no GPT-2"
    return Finding(None, "hub cache", text)
