"""Python packages put into an environment by pip, its troubles told in one line."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

CPU_WHEELS = "https://download.pytorch.org/whl/cpu"
RETRIES = "2"
GIGABYTE = 10**9
NEEDED = {"cpu": 3 * GIGABYTE, "cuda": 9 * GIGABYTE}  # installed: 2.1 and 5.9
UNREACHABLE = re.compile(
    "NewConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|ProxyError"
    "|Failed to establish a new connection|Connection(Reset|Refused|Aborted)Error"
    "|getaddrinfo failed|Network is unreachable|name resolution|timed out|SSLError"
)
Report = Callable[..., None]  # report(text): a step; report(text, passing=True): news


class SetupError(Exception):
    """Something the user can mend, told in one line."""


class CutOff(SetupError):
    """The same, and packages may have been left half installed."""


def has_nvidia() -> bool:
    """Tell whether an NVIDIA GPU is there."""
    return Path("/proc/driver/nvidia/version").exists() or (
        shutil.which("nvidia-smi") is not None
    )


def is_reachable(url: str, *, seconds: float = 3) -> bool:
    """Tell whether the host answers in time, whatever its names or proxies do."""
    answers = []

    def ask() -> None:
        with contextlib.suppress(OSError, ValueError):
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                answers.append(answer.status == 200)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    return answers == [True]


def check_disk(folder: Path, needed: int) -> None:
    """Raise SetupError when the folder's disk has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"{free / GIGABYTE:.1f} GB are free on the disk of {folder}, and "
            f"{needed / GIGABYTE:.1f} GB are needed: make room, then try again"
        )


def install_torch(
    python: Path,
    torch: Sequence[str],
    *,
    report: Report,
    gpu: bool = False,
    keep_open: int | None = None,
) -> None:
    """Install torch, on Linux without a GPU the smaller build without CUDA.

    That build comes from PyTorch's own index, or from where pip is set to look. Where
    there is neither, PyPI's build with CUDA does the same, but takes gigabytes more.
    """
    if gpu or sys.platform != "linux":
        pip(python, torch, report=report, keep_open=keep_open)
        return
    if is_reachable(CPU_WHEELS + "/"):
        with contextlib.suppress(SetupError):
            wanted = [*torch, "--extra-index-url", CPU_WHEELS]
            pip(python, wanted, report=report, keep_open=keep_open)
            return
    warned = []

    def watch(text: str, *, passing: bool = False) -> None:
        if "nvidia" in text and not warned:
            warned.append(text)
            check_disk(python.parent, NEEDED["cuda"])
            report("No PyTorch without CUDA can be reached: some gigabytes more")
        report(text, passing=passing)

    pip(python, torch, report=watch, keep_open=keep_open)


def pip(
    python: Path, wanted: Sequence[str], *, report: Report, keep_open: int | None = None
) -> None:
    """Run `pip install`, and raise SetupError or CutOff where it fails.

    Args:
        python: The environment's Python.
        wanted: What to install: pip's own arguments.
        report: Called with passing news.
        keep_open: A lock's file descriptor; pip holds it too, so that the lock lasts
            when this process is killed and pip is not.
    """
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--no-input", "--retries", RETRIES, *wanted]
    lines = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=clean_variables(),
        pass_fds=() if keep_open is None or os.name == "nt" else (keep_open,),
    ) as process:
        try:
            for line in process.stdout:
                lines.append(line.strip())
                news = pip_news(line)
                if news:
                    report(news, passing=True)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        begun = any(line.startswith("Installing collected") for line in lines)
        if process.returncode < 0:
            lines.append(f"ERROR: pip was ended by signal {-process.returncode}")
        raise (CutOff if begun else SetupError)(pip_problem(lines))


def clean_variables() -> dict:
    """Return the environment variables without those that lead pip elsewhere."""
    astray = {"PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"}
    kept = {key: value for key, value in os.environ.items() if key not in astray}
    return {**kept, "PYTHONIOENCODING": "utf-8", "PIP_USER": "0"}


def pip_news(line: str) -> str | None:
    """Return what a line of pip's says about its progress, in a few words."""
    if line.startswith("Installing collected packages:") and "," in line:
        return f"installing {line.count(',') + 1} packages, a minute or two"
    found = re.match(r"\s*(Collecting|Downloading) (\S+)( \(.*B\))?", line)
    if found is None:
        return None
    name = found[2].rsplit("/", 1)[-1]
    return f"{found[1].lower()} {name}{found[3] or ''}"


def pip_problem(lines: Sequence[str]) -> str:
    """Return in one line why pip failed, and what to do."""
    text, said = "\n".join(lines), last_line(lines).removeprefix("ERROR: ")
    if "No space left on device" in text:
        return "the disk is full: make room (where TMPDIR is, too), then try again"
    if UNREACHABLE.search(text):
        return (
            "the package index cannot be reached: check the network, or pip's proxy "
            f"and index settings, then try again; pip says: {said}"
        )
    return f"pip failed: {said}; the same command tries again"


def last_line(lines: Sequence[str]) -> str:
    """Return the last line that names an error, else the last one with words."""
    spoken = [line.strip() for line in lines if line.strip()]
    errors = [line for line in spoken if line.lower().startswith("error")]
    return (errors or spoken or ["nothing"])[-1]
