"""The command line: `python -m helpers start | test | generate | doctor` and the rest.

Up to the move into `.venv`, only the standard library is used.
"""

import argparse
import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence

from helpers.cli.environment import (
    BARE,
    LEARNERS,
    ROOT,
    TESTS,
    ensure,
    is_own,
    python_of,
)
from helpers.options import Parser, UsageError

# What each does, and its module, which has `add_options(parser)` and `run(options)`.
COMMANDS = {
    "start": ("open JupyterLab on day 1", "helpers.cli.start"),
    "test": ("run every test and notebook; takes pytest's options", "helpers.cli.test"),
    "generate": ("continue a text, word by word", "helpers.cli.generate"),
    "perplexity": ("how surprised a model is by a corpus", "helpers.cli.perplexity"),
    "finetune": ("teach a model a corpus", "helpers.cli.finetune"),
    "doctor": ("say what is there, what is missing, what to do", "helpers.cli.doctor"),
    "address": ("write where the course is published", "helpers.cli.address"),
    "pretrain": ("make the pocket model again", "helpers.pocket.training"),
    "measure": ("measure the pocket model again", "helpers.pocket.measure"),
    "bench": ("the engine's speed beside the library's", "helpers.cli.bench"),
}
ALONE = ("doctor", "address")  # need no `.venv`
LATE = ("pretrain", "measure", "bench")  # need torch to be asked: `main(arguments)`
IMPORTED = {  # some of what each file of requirements brings
    LEARNERS: ("torch", "transformers", "jupyterlab", "datasets"),
    TESTS: ("pytest", "nbval", "hypothesis", "scipy"),
    BARE: ("lm_eval",),
}


def main(argv: Sequence[str]) -> int:
    """Run one command; return the exit status, 2 for a mistake of the user's."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # None where it was closed (>&-)
    sys.stdout.reconfigure(errors="replace")  # a `?` for a character without a code
    try:
        status = run(list(argv)) or 0
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("\nStopped. The same command starts again.", file=sys.stderr)
        return 130
    except (UsageError, OSError) as problem:
        if isinstance(problem, OSError):  # or Python complains once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(problem, BrokenPipeError):  # whoever read it has seen enough
            return 0
        print(f"python -m helpers: {problem}", file=sys.stderr)
        return 2


def run(argv: list[str]) -> int | None:
    """Check the arguments, move into `.venv` where the command needs it, and do it."""
    if sys.flags.optimize:
        raise UsageError("-O and PYTHONOPTIMIZE take out the assertions: leave them")
    if not argv or argv[0] in ("-h", "--help"):
        lines = [f"  {name:<12}{about}" for name, (about, _) in COMMANDS.items()]
        head = "python -m helpers COMMAND [OPTIONS]; COMMAND --help tells its options"
        return print("\n".join([head, *lines]))
    name, rest = argv[0], argv[1:]
    if name not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise UsageError(f"there is no command {name!r}: expected one of {known}")
    options = None if name in LATE else parse(name, rest)
    model = os.environ.get("COURSE_MODEL", "")
    known = re.fullmatch("pocket|gpt2(-medium|-large|-xl)?", model)
    if not known and os.path.isdir(model):  # to mean the same in a notebook's folder
        os.environ["COURSE_MODEL"] = os.path.abspath(model)
    gpu = getattr(options, "gpu", False)
    if name not in ALONE and (status := enter(argv, gpu=gpu)) is not None:
        return status
    module = importlib.import_module(COMMANDS[name][1])
    return module.main(rest) if name in LATE else module.run(options)


def parse(name: str, rest: list[str]) -> argparse.Namespace:
    """Return a command's options; raise UsageError for what makes no sense."""
    about, module = COMMANDS[name]
    module = importlib.import_module(module)
    parser = Parser(prog=f"python -m helpers {name}", description=about)
    if hasattr(module, "add_options"):
        module.add_options(parser)
    options, options.others = parser.parse_known_args(rest)
    if options.others and name != "test":
        parser.error(f"unrecognized arguments: {' '.join(options.others)}")
    if hasattr(module, "check_options"):
        module.check_options(options)
    return options


def enter(argv: Sequence[str], *, gpu: bool = False) -> int | None:
    """Move into a complete `.venv`; return None when this process is in it already."""
    venv = ROOT / ".venv"
    needs = [LEARNERS, TESTS, BARE] if argv[0] == "test" else [LEARNERS]
    changed = not is_own() and ensure(needs, gpu=gpu)
    inside = os.path.realpath(sys.prefix) == os.path.realpath(venv)
    if changed or not (inside or is_own()):
        python = str(python_of(venv))
        path = [os.path.dirname(python), os.environ.get("PATH", os.defpath)]
        more = {"VIRTUAL_ENV": str(venv), "PATH": os.pathsep.join(path)}
        variables = {**os.environ, **more}
        variables.pop("PYTHONHOME", None)
        # This very copy of helpers, from any folder.
        return become([python, str(ROOT / "helpers"), *argv], variables)
    who, mend = str(venv), "give it another name, and a new one is made"
    if is_own():
        who = "this Python"
        mend = f"pip install -r {' -r '.join(needs)}, or unset COURSE_NO_VENV"
        places = [str(ROOT), os.environ.get("PYTHONPATH", "")]  # for kernels
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, places))
    names = [name for file in needs for name in IMPORTED[file]]
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"{who} lacks {', '.join(missing)}: {mend}")
    return None


def become(command: list[str], variables: dict) -> int:
    """Run a program in the place of this one; where that cannot be, wait for it."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, variables)
    return subprocess.call(command, env=variables)
