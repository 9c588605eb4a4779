"""What the course needs: what is there, what is missing, what to do about it."""

import argparse
import hashlib
import importlib.metadata
import sys
import tomllib
from pathlib import Path

from helpers.cli.environment import LEARNERS, ROOT, is_complete, is_own
from helpers.options import UsageError

START = "run `python -m helpers start`"
RESTORE = "bring it back with `git restore data`"


def run(options: argparse.Namespace) -> int:
    """Print every finding; return 0 when nothing is wrong, else 1."""
    renew = f"rename .venv, then {START}" if (ROOT / ".venv").exists() else START
    renew = f"pip install -r {LEARNERS}" if is_own() else renew
    looks = {  # each returns what is good, or raises what is wrong; and what mends it
        ".venv": (look_at_environment, START),
        "packages": (look_at_packages, renew),
        "pocket model": (look_at_pocket, RESTORE),
        "worlds": (look_at_worlds, RESTORE),
    }
    wrong = 0
    print(f"{'ok':<6} {'Python':<12} {sys.version.split()[0]}, {sys.executable}")
    for name, (look, mend) in looks.items():
        try:
            word, detail = "ok", look(ROOT)
        except (OSError, ValueError, UsageError) as error:
            word, detail = "WRONG", f"{error}: {mend}"
            wrong += 1
        print(f"{word:<6} {name:<12} {detail}", flush=True)
    print(f"{wrong} to mend." if wrong else "All is well.")
    return 1 if wrong else 0


def look_at_environment(root: Path) -> str:
    """Look at `.venv`, or at this Python where COURSE_NO_VENV says so."""
    venv = root / ".venv"
    if is_own():
        return "this Python's own packages are used, as COURSE_NO_VENV says"
    if not venv.exists():
        raise UsageError("is not there yet")
    if not (venv / "course.json").exists():
        raise UsageError("was not made by this course: first give it another name")
    if not is_complete(root, [LEARNERS]):
        raise UsageError("was cut off, or is for another Python or requirements")
    return f"complete, {venv}"


def look_at_packages(root: Path) -> str:
    """Compare what is installed with requirements.txt, file by file."""
    venv, places = root / ".venv", sys.path
    if not is_own():
        places = [*venv.glob("lib/python3*/site-packages"), venv / "Lib/site-packages"]
    places = [str(place) for place in places]
    lines = (root / LEARNERS).read_text("utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    if wrong := [text for pin in pins if (text := trouble(*pin, places))]:
        raise UsageError(f"{'; '.join(wrong[:3])} ({len(wrong)} in all)")
    return f"{len(pins)} as tested, with all their files"


def trouble(name: str, pin: str, places: list[str]) -> str | None:
    """Return what is wrong with a package that should be installed in these places."""
    found = importlib.metadata.distributions(name=name, path=places)
    package = next(iter(found), None)
    if package is None:
        return f"{name} is missing"
    if package.version.split("+")[0] != pin:
        return f"{name} is {package.version}, tested with {pin}"
    files = [file for file in package.files or () if file.suffix == ".py"]
    gone = [file for file in files if not file.locate().exists()]
    return f"{name} lacks {len(gone)} of its files" if gone else None


def look_at_pocket(root: Path) -> str:
    """Compare the pocket model's files with their checksums."""
    folder = root / "data" / "pocket-gpt2"
    sums = (folder / "SHA256SUMS").read_text("utf-8").split()
    if not sums:
        raise UsageError(f"{folder / 'SHA256SUMS'} is empty")
    for checksum, name in zip(sums[::2], sums[1::2], strict=True):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != checksum:
            raise UsageError(f"{folder / name} is damaged")
    return f"{len(sums) // 2} files as their checksums say"


def look_at_worlds(root: Path) -> str:
    """Read the worlds' words and plots."""
    paths = sorted((root / "data" / "worlds").glob("*.toml"))
    for path in paths:
        try:
            tomllib.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise UsageError(f"{path} is damaged ({error})") from None
    if not paths:
        raise UsageError("there are none")
    return ", ".join(path.stem for path in paths)
