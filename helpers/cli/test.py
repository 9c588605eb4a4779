"""Every test and every notebook, offline: one pytest run for each of two lanes.

What a notebook shows holds to the digit in one arithmetic only. So in the lane "oldest"
notebooks run in the arithmetic of the oldest x86-64, which every other has too, and
their outputs are compared. In the lane "own", all tests run and all notebooks again,
in the machine's own arithmetic: every cell must run and every assertion must hold.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers.cli.environment import ROOT
from helpers.options import UsageError

LANES = ("oldest", "own")
OLDEST = {  # each library chooses its instructions by itself, and with them its digits
    "ATEN_CPU_CAPABILITY": "default",  # torch
    "ONEDNN_MAX_CPU_ISA": "SSE41",  # torch's bfloat16
    "MKL_CBWR": "COMPATIBLE",  # torch's matrix products: the same on Intel and AMD
    "OPENBLAS_CORETYPE": "Nehalem",  # numpy's and scipy's
    "NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4,AVX512_ICL,AVX512_SPR",
    "OMP_NUM_THREADS": "1",  # several threads add in another order
    "CUDA_VISIBLE_DEVICES": "",
}
TAKES_A_WORD = {"-k", "-m", "-p", "-n", "-c", "-o", "-W", "-r"}
BROWSERS = [
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("chrome", "microsoft-edge", "msedge"),
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",  # always there
]
NO_BROWSER = (
    "Chromium is not installed: the browser tests are left out (install it with "
    "`sudo apt install chromium`, or name a Chrome or Edge in COURSE_CHROMIUM)"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `test` takes beside pytest's own options."""
    gpu = "install the PyTorch with CUDA"
    parser.add_argument("--gpu", action="store_true", help=gpu)
    parser.add_argument("--lane", choices=LANES, help="one arithmetic only")


def check_options(options: argparse.Namespace) -> None:
    """Tell `paths` from other `words` of pytest's; raise UsageError for a wrong one."""
    options.paths, options.words, before = [], [], ""
    for word in options.others:
        path = Path(word.split("::")[0])
        is_value = before in TAKES_A_WORD or before[:2] == "--"
        if word[:1] != "-" and not is_value and path.exists():
            options.paths.append(str(path.resolve()) + word[len(str(path)) :])
        elif word[:1] != "-" and not is_value and ("/" in word or path.suffix):
            raise UsageError(f"there is no file or folder {str(path)!r}")
        else:
            options.words.append(word)
        before = word


def run(options: argparse.Namespace) -> int:
    """Run the lanes; return the worst exit status of pytest's."""
    x86 = sys.platform == "linux" and platform.machine().lower() in ("x86_64", "amd64")
    lanes = LANES if x86 and notebooks(options.paths) else ["own"]
    statuses, said = [], []
    for lane in [options.lane] if options.lane else lanes:
        begun = time.monotonic()
        status = pytest(lane, options.paths, options.words)
        word = {0: "passed", 5: "no tests"}.get(status, "FAILED")
        said.append(f"{lane} arithmetic: {word} in {time.monotonic() - begun:.0f} s")
        statuses.append(status)
        if status not in (0, 1, 5):  # interrupted, or misused
            break
    print("; ".join(said), flush=True)
    return max([status for status in statuses if status != 5], default=5)


def notebooks(paths: list[str]) -> list[str]:
    """Return the paths that may hold notebooks; without any, the notebooks' folder."""
    tests = str(ROOT / "tests")
    return [path for path in paths or [str(ROOT / "notebooks")] if tests not in path]


def pytest(lane: str, paths: list[str], words: list[str]) -> int:
    """Run pytest in one lane; conftest.py ends it when this process is gone."""
    if lane == "oldest":
        words = ["--nbval", f"--ignore={ROOT / 'tests'}", *words]
        paths = notebooks(paths)
    command = [sys.executable, "-m", "pytest", *paths, *words]
    env = {**variables(lane), "COURSE_PARENT": str(os.getpid())}
    return subprocess.call(command, cwd=ROOT, env=env)


def variables(lane: str = "own") -> dict:
    """Return the environment variables of a run that repeats itself, offline.

    tests/offline/sitecustomize.py, imported by every Python started under them, blocks
    the network and sets what only the kernels of the notebooks should see.
    """
    offline, paths = str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")
    paths = [path for path in paths.split(os.pathsep) if path not in ("", offline)]
    ipython = ROOT / ".pytest_cache" / "ipython"  # not the user's own start-up files
    try:
        ipython.mkdir(parents=True, exist_ok=True)
    except OSError:  # a checkout that is read only
        ipython = tempfile.mkdtemp(prefix="course-ipython-")
    return {
        "OMP_NUM_THREADS": "1",
        **os.environ,
        "PYTHONPATH": os.pathsep.join([offline, *paths]),
        "PYTHONHASHSEED": "0",
        "COLUMNS": "80",  # of the terminal, which tables and messages may follow
        "COURSE_MODEL": "",  # none but the pocket model
        "COURSE_STRICT": "",
        "MPLBACKEND": "",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "IPYTHONDIR": str(ipython),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **(OLDEST if lane == "oldest" else {}),
    }


def chromium() -> str | None:
    """Return the path of a Chromium, Chrome or Edge; None where there is none.

    COURSE_CHROMIUM names the one to use, whether it is there or not.
    """
    named = os.environ.get("COURSE_CHROMIUM")
    if named:
        return shutil.which(named) or named
    paths = (shutil.which(os.path.expandvars(name)) for name in BROWSERS)
    return next(filter(None, paths), None)
