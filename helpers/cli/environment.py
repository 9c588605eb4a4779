"""The course's own Python environment, `.venv`, made by the standard library alone.

A stamp in `.venv`, written when everything is installed, says for which
requirements, Python and folder it was made. Without a stamp that fits, `ensure`
installs again; after an installation that was cut off it starts from nothing.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from helpers.cli.packages import (
    GIGABYTE,
    NEEDED,
    CutOff,
    Report,
    SetupError,
    check_disk,
    clean_variables,
    has_nvidia,
    install_torch,
    last_line,
    pip,
)

ROOT = Path(__file__).resolve().parent.parent.parent


def python_of(venv: Path) -> Path:
    """Return the path of the environment's Python."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def inside(venv: Path) -> bool:
    """Tell whether this very Python is the environment's."""
    return os.path.realpath(sys.prefix) == os.path.realpath(venv)


def version_of(python: Path) -> str | None:
    """Return "3.11" for a Python that runs, None for one that is missing or broken."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(python), "-I", "-S", "-c", code], capture_output=True, text=True
        )
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def fingerprint(root: Path, version: str) -> str:
    """Return a hash of what the environment must hold and of its Python's version."""
    digest = hashlib.sha256(version.encode())
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return digest.hexdigest()


def read_stamp(venv: Path) -> dict:
    """Return the stamp, or an empty dict where there is none to be read."""
    try:
        return dict(json.loads((venv / "course.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def is_complete(root: Path) -> bool:
    """Tell whether `.venv` holds everything, for this folder and these requirements."""
    venv = root / ".venv"
    stamp, version = read_stamp(venv), version_of(python_of(venv))
    return (
        version is not None
        and not (venv / "unfinished").exists()
        and stamp.get("root") == str(root)
        and stamp.get("fingerprint") == fingerprint(root, version)
    )


def ensure(root: Path = ROOT, *, report: Report, gpu: bool = False) -> bool:
    """Make `.venv` complete; return True if something had to be done.

    Args:
        root: The course's folder.
        report: Called with each step, and with `passing=True` for passing news.
        gpu: Install the torch that pip takes by itself, with CUDA where there is one.

    Raises:
        SetupError: With one line that says what is wrong and what to do.
    """
    if is_complete(root):
        return False
    try:
        with locked(root, report=report) as lock:
            if not is_complete(root):  # another start may just have made it
                install(root, report=report, gpu=gpu, keep_open=lock)
    except OSError as error:
        raise SetupError(f"{root / '.venv'} cannot be made: {error}") from None
    return True


def install(
    root: Path, *, report: Report, gpu: bool = False, keep_open: int | None = None
) -> None:
    """Make `.venv` where there is none that works, and install everything into it."""
    venv, unfinished = root / ".venv", root / ".venv" / "unfinished"
    stamp, version = read_stamp(venv), version_of(python_of(venv))
    fresh = version is None or stamp.get("version", version) != version
    fresh = fresh or unfinished.exists()
    gpu = gpu or has_nvidia()
    needed = NEEDED["cuda" if gpu else "cpu"]
    check_disk(root, GIGABYTE // 2 if stamp and not fresh else needed)
    if fresh:
        report(f"Making .venv{why(venv)}: this happens once and takes some minutes")
        version, stamp = make(venv), {}
    elif stamp and stamp.get("root") != str(root):
        report("The course's folder has moved: putting .venv right")
        move_scripts(venv, str(stamp.get("root")), str(root))
    unfinished.touch()
    mark = fingerprint(root, version)
    try:
        if stamp.get("fingerprint") != mark:
            install_requirements(root, gpu=gpu, report=report, keep_open=keep_open)
        report("Installing the course itself")
        course = ["--no-deps", "--no-build-isolation", "-e", str(root)]
        pip(python_of(venv), course, report=report, keep_open=keep_open)
    except CutOff:
        raise
    except SetupError:
        unfinished.unlink()  # pip failed before it changed anything
        raise
    stamp = {"fingerprint": mark, "root": str(root), "version": version}
    (venv / "course.json").write_text(json.dumps(stamp), "utf-8")
    unfinished.unlink()
    report("The environment is complete")


def install_requirements(
    root: Path, *, report: Report, gpu: bool = False, keep_open: int | None = None
) -> None:
    """Install what requirements.txt lists, torch first and by itself."""
    python, wanted = python_of(root / ".venv"), root / "requirements.txt"
    lines = wanted.read_text("utf-8").split()
    torch = [word for word in lines if word.startswith("torch==")]
    if torch:
        report("Installing PyTorch")
        install_torch(python, torch, report=report, gpu=gpu, keep_open=keep_open)
    report("Installing the other packages")
    pip(python, ["-r", str(wanted)], report=report, keep_open=keep_open)


def why(venv: Path) -> str:
    """Return why an environment that is there is made again."""
    if (venv / "unfinished").exists():
        return " again, as its last installation was cut off"
    return " again, as the one that is there does not run" if venv.exists() else ""


def make(venv: Path) -> str:
    """Make the environment from nothing, with pip in it; return its Python's version.

    Raises:
        SetupError: Without the venv module, or where it fails.
    """
    try:
        import ensurepip  # noqa: F401
        import venv as _  # noqa: F401
    except ImportError:
        version = "{}.{}".format(*sys.version_info)
        raise SetupError(
            f"This Python {version} lacks the venv module: on Debian or Ubuntu run "
            f"`sudo apt install python{version}-venv`, then the same command again"
        ) from None
    if venv.is_dir():
        shutil.rmtree(venv)
    venv.mkdir()
    (venv / "unfinished").touch()
    base = getattr(sys, "_base_executable", sys.executable)  # not a .venv just removed
    answer = subprocess.run(
        [base, "-m", "venv", str(venv)],
        capture_output=True,
        text=True,
        env=clean_variables(),
    )
    version = version_of(python_of(venv))
    if answer.returncode or version is None:
        said = last_line((answer.stderr + "\n" + answer.stdout).splitlines())
        raise SetupError(f"`{base} -m venv {venv}` failed: {said}")
    return version


def move_scripts(venv: Path, old: str, new: str) -> None:
    """Write the new place of the environment into its scripts and pyvenv.cfg."""
    for script in [*python_of(venv).parent.iterdir(), venv / "pyvenv.cfg"]:
        if script.is_symlink() or script.suffix in (".exe", ".dll"):
            continue
        text = script.read_bytes() if script.is_file() else b""
        if os.fsencode(old) in text and b"\0" not in text:
            script.write_bytes(text.replace(os.fsencode(old), os.fsencode(new)))


@contextlib.contextmanager
def locked(root: Path, *, report: Report) -> Iterator[int]:
    """Hold the course folder's lock, waiting for whoever holds it; yield its number."""
    with open(root / ".venv.lock", "a+b") as file:
        if not try_lock(file.fileno()):
            report("Another start is installing here: waiting for it")
            while not try_lock(file.fileno()):
                time.sleep(0.5)
        yield file.fileno()


def try_lock(number: int) -> bool:
    """Lock an open file unless another process has; the system frees it at its end."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(number, 0, os.SEEK_SET)
            msvcrt.locking(number, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
