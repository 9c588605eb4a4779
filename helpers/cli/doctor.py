"""What the course needs: what is there, what is missing, what to do about it."""

import argparse
import hashlib
import importlib.metadata
import sys
import tomllib
from pathlib import Path

from helpers.cli.environment import LEARNERS, ROOT, is_complete, is_own, read_stamp
from helpers.options import UsageError

START = "run `python -m helpers start`"
RESTORE = "bring it back with `git restore data`"
Finding = tuple[bool | None, str]  # whether it is good, None for a mere note; and what


def run(options: argparse.Namespace) -> int:
    """Print every finding; return 0 when nothing is wrong, else 1."""
    looks = {
        ".venv": look_at_environment,
        "packages": look_at_packages,
        "pocket model": look_at_pocket,
        "worlds": look_at_worlds,
    }
    wrong = 0
    print(f"{'ok':<6} {'Python':<12} {sys.version.split()[0]}, {sys.executable}")
    for name, look in looks.items():
        try:
            good, detail = look(ROOT)
        except (OSError, ValueError, UsageError) as error:
            good, detail = False, f"cannot be read: {error}"
        word = {True: "ok", False: "WRONG", None: "note"}[good]
        wrong += word == "WRONG"
        print(f"{word:<6} {name:<12} {detail}", flush=True)
    print(f"{wrong} to mend." if wrong else "All is well.")
    return 1 if wrong else 0


def look_at_environment(root: Path) -> Finding:
    """Look at `.venv`, or at this Python where COURSE_NO_VENV says so."""
    venv, stamp = root / ".venv", read_stamp(root / ".venv")
    if is_own():
        return None, "this Python's own packages are used, as COURSE_NO_VENV says"
    if not venv.exists():
        return False, f"is not there yet: {START}"
    if is_complete(root, [LEARNERS]):
        return True, f"complete, {venv}"
    if not stamp:
        return False, f"was not made by this course: give it another name, then {START}"
    if LEARNERS not in stamp:
        return False, f"its installation was cut off: {START}"
    return False, f"is for another folder, Python or requirements: {START}"


def look_at_packages(root: Path) -> Finding:
    """Compare what is installed with requirements.txt, file by file."""
    venv, mend = root / ".venv", f"rename .venv, then {START}"
    places = [*venv.glob("lib/python3*/site-packages"), venv / "Lib" / "site-packages"]
    if is_own():
        places, mend = sys.path, "pip install -r requirements.txt"
    places = [str(place) for place in places]
    lines = (root / LEARNERS).read_text("utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    wrong = [trouble(name, pin, places) for name, pin in pins]
    wrong = [text for text in wrong if text]
    if wrong:
        return False, f"{'; '.join(wrong[:3])} ({len(wrong)} in all): {mend}"
    return True, f"{len(pins)} as tested, with all their files"


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


def look_at_pocket(root: Path) -> Finding:
    """Compare the pocket model's files with their checksums."""
    folder = root / "data" / "pocket-gpt2"
    sums = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
    sums = [line.split(maxsplit=1) for line in sums if line.strip()]
    for checksum, name in sums:
        path = folder / name.lstrip("*")
        if not path.exists():
            return False, f"{path} is missing: {RESTORE}"
        if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            return False, f"{path} is damaged: {RESTORE}"
    if not sums:
        return False, f"{folder / 'SHA256SUMS'} is empty: {RESTORE}"
    return True, f"{len(sums)} files as their checksums say"


def look_at_worlds(root: Path) -> Finding:
    """Read the worlds' words and plots."""
    paths = sorted((root / "data" / "worlds").glob("*.toml"))
    for path in paths:
        try:
            tomllib.loads(path.read_text("utf-8"))
        except ValueError as error:
            return False, f"{path} is damaged ({error}): {RESTORE}"
    return bool(paths), ", ".join(path.stem for path in paths) or f"none: {RESTORE}"
