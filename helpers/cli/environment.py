"""The course's own Python environment, `.venv`, made by the standard library alone.

`.venv/course.json` says that the course made it, with which Python, and which
requirements are in it. Nothing is ever deleted: an installation that was cut off goes
on where it stopped, a `.venv` whose Python is gone is put aside under another name, and
one that the course did not make stays as it is.
"""

import contextlib
import errno
import hashlib
import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.cli.pip import is_reachable, last_line, pip, report
from helpers.options import UsageError

if os.name == "nt":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent.parent.parent
LEARNERS, TESTS = "requirements.txt", "requirements-test.txt"
BARE = "requirements-bare.txt"  # without what these packages would bring along
GPU = "install the PyTorch with CUDA"  # --gpu's help
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
NEEDED = {"cpu": 2.5, "cuda": 9, "more": 1}  # GB free, to install
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ENOEXEC)


def ensure(names: Sequence[str], *, gpu: bool = False, root: Path = ROOT) -> bool:
    """Put these files of requirements into `.venv`; return whether there was need to.

    `gpu` takes the torch that pip takes by itself, with CUDA where there is one. Raises
    UsageError, one line that says what is wrong and what to do.
    """
    if is_complete(root, names):
        return False
    try:
        with locked(root):
            if not is_complete(root, names):  # another start may just have made it
                install(root, names, gpu=gpu)
    except OSError as error:
        raise UsageError(f"{root / '.venv'} cannot be made: {error}") from None
    return True


def is_complete(root: Path, names: Sequence[str]) -> bool:
    """Tell whether `.venv` holds these requirements, and its Python is there."""
    venv, stamp = root / ".venv", read_stamp(root / ".venv")
    done = all(stamp.get(name) == fingerprint(root / name) for name in names)
    return done and version_of(python_of(venv)) == stamp.get("version")


def install(root: Path, names: Sequence[str], *, gpu: bool) -> None:
    """Make `.venv` where there is none that works; install what is not in it."""
    venv, stamp = root / ".venv", read_stamp(root / ".venv")
    gpu = gpu or shutil.which("nvidia-smi") is not None
    if not (venv / "course.json").exists() and venv.is_dir() and any(venv.iterdir()):
        raise UsageError(
            f"{venv} was not made by this course and stays as it is: give it another "
            "name, or activate it and set COURSE_NO_VENV=1; then the same command again"
        )
    if "version" in stamp and version_of(python_of(venv)) != stamp["version"]:
        places = (root / f".venv-old-{number}" for number in itertools.count(1))
        old = venv.rename(next(place for place in places if not place.exists()))
        report(f"The Python of .venv is gone: what was there is now in {old.name}")
        stamp = {}
    needed = NEEDED["more" if LEARNERS in stamp else "cuda" if gpu else "cpu"]
    free = shutil.disk_usage(root).free / 1e9
    if free < needed:
        disk = f"{free:.1f} GB of disk are free, {needed:.1f} GB needed"
        raise UsageError(f"{root}: {disk}: make room")
    if "version" not in stamp:
        report("Making .venv: this happens once and takes some minutes")
        stamp = make(venv)
    for name in names:
        if stamp.get(name) != fingerprint(root / name):
            stamp.pop(name, None)  # not marked as done until all of it is there
            write_stamp(venv, stamp)
            install_file(python_of(venv), root / name, gpu=gpu)
            stamp[name] = fingerprint(root / name)
            write_stamp(venv, stamp)
    report("The environment is complete")


def install_file(python: Path, path: Path, *, gpu: bool) -> None:
    """Install what a file of requirements lists, torch first and by itself.

    On Linux without a GPU that is the smaller build without CUDA, from PyTorch's own
    index or wherever pip is set to look; where neither has it, PyPI's, with CUDA.
    """
    torch = [word for word in path.read_text("utf-8").split() if word[:7] == "torch=="]
    if torch:
        report("Installing PyTorch")
        if not gpu and sys.platform == "linux" and is_reachable(CPU_WHEELS + "/"):
            torch += ["--extra-index-url", CPU_WHEELS]
        pip(python, *torch)
    report(f"Installing the packages of {path.name}")
    pip(python, *(["--no-deps"] if path.name == BARE else []), "-r", str(path))


def make(venv: Path) -> dict:
    """Make the environment, or go on with one that was cut off; return its stamp."""
    version = "{}.{}".format(*sys.version_info)
    if importlib.util.find_spec("ensurepip") is None:
        raise UsageError(
            f"This Python {version} lacks the venv module: on Debian or Ubuntu run "
            f"`sudo apt install python{version}-venv`, then the same command again"
        )
    venv.mkdir(exist_ok=True)
    write_stamp(venv, {})  # from now on it is ours
    base = getattr(sys, "_base_executable", sys.executable)  # not one in `.venv`
    command = [base, "-I", "-m", "venv", str(venv)]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode or version_of(python_of(venv)) != version:
        said = last_line((answer.stderr + "\n" + answer.stdout).splitlines())
        raise UsageError(f"`{base} -m venv {venv}` failed: {said}")
    # The .pth file lets this Python import the course from its folder, wherever that
    # may be moved: its paths begin where it lies.
    library = "Lib" if os.name == "nt" else f"lib/python{version}"
    place = venv / library / "site-packages"
    (place / "course.pth").write_text(os.path.relpath(venv.parent, place), "ascii")
    return {"version": version}


def version_of(python: Path, *, seconds: float = 20) -> str | None:
    """Return "3.11"; None only for a Python that is gone or broken for good.

    Raises UsageError where it cannot be told now: that must not cost an environment.
    """
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    command = [str(python), "-I", "-S", "-c", code]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        if getattr(error, "errno", None) in GONE:
            return None
        raise UsageError(f"{python} cannot be started now: {error}") from None
    if answer.returncode < 0:
        raise UsageError(f"{python} was ended by signal {-answer.returncode}")
    return answer.stdout.decode().strip() if answer.returncode == 0 else None


def python_of(venv: Path) -> Path:
    """Return the path of the environment's Python."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_own() -> bool:
    """Tell whether COURSE_NO_VENV says to use this very Python as it is."""
    said = os.environ.get("COURSE_NO_VENV", "").lower()
    return said not in ("", "0", "false", "no", "off")


def fingerprint(path: Path) -> str:
    """Return a hash of a file's lines, however they end."""
    return hashlib.sha256(path.read_text("utf-8").encode()).hexdigest()


def read_stamp(venv: Path) -> dict:
    """Return the stamp, or an empty dict where there is none to be read."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return dict(json.loads((venv / "course.json").read_text("utf-8")))
    return {}


def write_stamp(venv: Path, stamp: dict) -> None:
    """Write the stamp beside, then rename it, so that it is never half there."""
    (venv / "course.json.new").write_text(json.dumps(stamp), "utf-8")
    (venv / "course.json.new").replace(venv / "course.json")


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the course folder's lock, waiting for whoever holds it."""
    with open(root / ".venv.lock", "a+b") as file:
        if not try_lock(file.fileno()):
            report("Another start is installing here: waiting for it")
            while not try_lock(file.fileno()):
                time.sleep(0.5)
        yield


def try_lock(number: int) -> bool:
    """Lock an open file unless another process has; the system frees it at its end."""
    with contextlib.suppress(OSError):
        if os.name == "nt":
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
