"""Every test and every notebook, offline: one pytest run for each of two lanes.

In the lane "oldest" notebooks run in the arithmetic of the oldest x86-64, and what they
show is compared. In the lane "own" all tests run, and all notebooks again, in the
machine's own arithmetic. conftest.py prepares each run; see tests/lanes.py.
"""

import argparse
import os
import platform
import subprocess
import sys
import time

from helpers.cli.environment import GPU, ROOT
from helpers.options import UsageError

LANES = ("oldest", "own")
TAKES_A_WORD = {"-k", "-m", "-p", "-n", "-c", "-o", "-W", "-r"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `test` takes beside pytest's own options."""
    parser.add_argument("--gpu", action="store_true", help=GPU)
    parser.add_argument("--lane", choices=LANES, help="one arithmetic only")


def check_options(options: argparse.Namespace) -> None:
    """Tell `paths` from other `words` of pytest's; raise UsageError for a wrong one."""
    options.paths, options.words, before = [], [], ""
    for word in options.others:
        path, *parts = word.split("::")
        if word[:1] == "-" or before[:2] == "--" or before in TAKES_A_WORD:
            options.words.append(word)
        elif os.path.exists(path):
            options.paths.append("::".join([os.path.abspath(path), *parts]))
        else:
            raise UsageError(f"there is no file or folder {path!r}")
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
    env = {**os.environ, "COURSE_PARENT": str(os.getpid())}
    return subprocess.call(command, cwd=ROOT, env=env)
