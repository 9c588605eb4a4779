"""The command line: `python -m helpers start | test | generate | doctor` and the rest.

Up to the move into `.venv`, only the standard library is used.
"""

import argparse
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from helpers.cli import environment
from helpers.cli.packages import SetupError
from helpers.options import Parser, UsageError

ABOUT = {
    "start": "open JupyterLab on day 1",
    "test": "run every test and every notebook; other options go to pytest",
    "generate": "continue a text, word by word",
    "doctor": "say what is there, what is missing, what to do",
    "pretrain": "make the pocket model again",
    "measure": "measure the pocket model again",
    "bench": "the engine's speed beside the library's",
}
MODULES = {
    "start": "helpers.cli.lab",
    "test": "helpers.cli.suite",
    "generate": "helpers.cli.generate",
    "doctor": "helpers.cli.doctor",
    "pretrain": "helpers.pocket.training",
    "measure": "helpers.pocket.measure",
    "bench": "helpers.cli.bench",
}
NEEDED = ("torch", "transformers", "jupyterlab", "pytest", "nbval")


class Progress:
    """Progress on a terminal: steps stay, passing news and seconds share one line."""

    def __init__(self) -> None:
        """Start the clock; nothing is shown before the first report."""
        self.begun, self.news, self.live = time.monotonic(), "", sys.stderr.isatty()
        if self.live:
            threading.Thread(target=self.tick, daemon=True).start()

    def __call__(self, text: str, *, passing: bool = False) -> None:
        """Show a step, or passing news."""
        if self.live:
            self.news = text if passing else ""
            sys.stderr.write("\r\033[K" + ("" if passing else text + "\n"))
        elif not passing or " MB)" in text or text.startswith("installing"):
            sys.stderr.write(f"{'  ' if passing else ''}{text}\n")
        sys.stderr.flush()

    def tick(self) -> None:
        """Write the passing line again every second."""
        while True:
            time.sleep(1)
            if self.news:
                line = f"  {time.monotonic() - self.begun:3.0f} s  {self.news}"
                sys.stderr.write("\r\033[K" + line[:78])
                sys.stderr.flush()


def main(argv: Sequence[str]) -> int:
    """Run one command; return the exit status, 2 for a mistake of the user's."""
    try:
        return run(list(argv)) or 0
    except (UsageError, SetupError) as problem:
        print(f"python -m helpers: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command starts again.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def run(argv: list[str]) -> int | None:
    """Check the arguments, move into `.venv` where the command needs it, and do it."""
    if not argv or argv[0] in ("-h", "--help"):
        return print(overview())
    command, rest = argv[0], argv[1:]
    if command not in MODULES:
        known = ", ".join(MODULES)
        raise UsageError(f"there is no command {command!r}: expected one of {known}")
    options = parse(command, rest)
    if command != "doctor":
        status = enter(argv, gpu=getattr(options, "gpu", False))
        if status is not None:
            return status
    if options is None:
        return importlib.import_module(MODULES[command]).main(rest)
    return importlib.import_module(MODULES[command]).run(options)


def overview() -> str:
    """Return what `python -m helpers` alone says."""
    lines = [f"  {name:<10}{text}" for name, text in ABOUT.items()]
    head = "python -m helpers COMMAND [OPTIONS]; COMMAND --help tells its options"
    return "\n".join([head, *lines])


def parse(command: str, rest: list[str]) -> argparse.Namespace | None:
    """Return a command's options; None where its module reads them itself."""
    about = ABOUT[command]
    parser = Parser(prog=f"python -m helpers {command}", description=about)
    if command in ("pretrain", "measure", "bench"):
        return None
    if command in ("start", "test"):
        parser.add_argument(
            "--gpu", action="store_true", help="install the PyTorch with CUDA"
        )
    if command == "start":
        parser.add_argument("--no-browser", action="store_true")
        parser.add_argument("--port", type=int, help="default: 8888 or the next free")
    if command == "generate":
        generation = importlib.import_module(MODULES[command])
        generation.add_options(parser)
    if command == "test":
        options, options.pytest = parser.parse_known_args(rest)
        return options
    options = parser.parse_args(rest)
    if command == "generate":
        generation.check_options(options)
    if command == "start" and options.port is not None:
        if not 1 <= options.port <= 65535:
            parser.error(f"--port must lie in 1 … 65535, not {options.port}")
    return options


def enter(argv: Sequence[str], *, gpu: bool = False) -> int | None:
    """Move into a complete `.venv`; return None when this process is in it already."""
    if os.environ.get("COURSE_NO_VENV") == "1":
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise UsageError(
                f"COURSE_NO_VENV=1 is set but this Python lacks {', '.join(missing)}: "
                "pip install -r requirements.txt, or unset COURSE_NO_VENV"
            )
        places = [str(environment.ROOT), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))  # for kernels
        return None
    changed = environment.ensure(report=Progress(), gpu=gpu)
    venv = environment.ROOT / ".venv"
    if environment.inside(venv) and not changed:
        return None
    python = environment.python_of(venv)
    path = os.pathsep.join([str(python.parent), os.environ.get("PATH", os.defpath)])
    variables = {**os.environ, "VIRTUAL_ENV": str(venv), "PATH": path}
    variables.pop("PYTHONHOME", None)
    helpers = str(environment.ROOT / "helpers")  # this very copy, from any folder
    return become([str(python), helpers, *argv], variables)


def become(command: list[str], variables: dict) -> int:
    """Run a program in the place of this one; where that cannot be, wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, variables)
    return subprocess.call(command, env=variables)
