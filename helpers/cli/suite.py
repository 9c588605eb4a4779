"""Every test and every notebook in one pytest run, with the network blocked."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from helpers.cli.environment import ROOT

TAKES_A_WORD = {"-k", "-m", "-p", "-n", "-c", "-o", "-W", "-r"}
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
BROWSERS += ["chrome", "microsoft-edge", "msedge"]
APPLICATIONS = [  # where they are on macOS and Windows
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"%ProgramFiles%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Google\Chrome\Application\chrome.exe",
    r"%LocalAppData%\Google\Chrome\Application\chrome.exe",
    r"%ProgramFiles(x86)%\Microsoft\Edge\Application\msedge.exe",
]
NO_BROWSER = (
    "Chromium is not installed: the browser tests are left out (install it with "
    "`sudo apt install chromium`, or name a Chrome or Edge in COURSE_CHROMIUM)"
)


def run(options: argparse.Namespace) -> int:
    """Run pytest in the place of this process; `options.pytest` are its arguments."""
    from helpers.cli.command_line import become

    command = [sys.executable, "-m", "pytest", *arguments(options.pytest)]
    os.chdir(ROOT)
    return become(command, variables())


def arguments(wanted: list[str]) -> list[str]:
    """Return pytest's arguments: two workers, a notebook each, outputs compared."""
    notebooks = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=300"]
    notebooks += ["--nbval-sanitize-with", str(ROOT / "tests/nbval_sanitize.cfg")]
    words, chosen = [], False
    for before, word in zip(["", *wanted], wanted, strict=False):
        path = Path(word.split("::")[0])
        if before not in TAKES_A_WORD and word[:1] != "-" and path.exists():
            word, chosen = str(path.resolve()) + word[len(str(path)) :], True
        words.append(word)
    folders = [] if chosen else [str(ROOT / "tests"), str(ROOT / "notebooks")]
    folders = [folder for folder in folders if Path(folder).exists()]
    return ["-n", "2", "--dist", "loadscope", *notebooks, *words, *folders]


def variables() -> dict:
    """Return the environment variables of a run that repeats itself, offline.

    tests/offline/sitecustomize.py, imported by every Python started under them, blocks
    the network and sets what only the kernels of the notebooks should see.
    """
    ipython = ROOT / ".pytest_cache" / "ipython"  # not the user's own start-up files
    ipython.mkdir(parents=True, exist_ok=True)
    places = [str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(place for place in places if place),
        "PYTHONHASHSEED": "0",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "IPYTHONDIR": str(ipython),
        "JUPYTER_PLATFORM_DIRS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def chromium() -> str | None:
    """Return the path of a Chromium, Chrome or Edge; None where there is none.

    COURSE_CHROMIUM names the one to use, whether it is there or not.
    """
    named = os.environ.get("COURSE_CHROMIUM")
    if named:
        return shutil.which(named) or named
    for name in [*BROWSERS, *map(os.path.expandvars, APPLICATIONS)]:
        path = shutil.which(name)
        if path:
            return path
    return None
