"""JupyterLab, opened on day 1: on this computer only, calling nobody."""

import argparse
import json
import logging
import os
import secrets
import socket
import sys
import tempfile
from pathlib import Path

from helpers.cli.command_line import become
from helpers.cli.environment import GPU, ROOT
from helpers.options import UsageError

FIRST_PAGE = "notebooks/day01_loading.ipynb"
HOST = "127.0.0.1"
AGAIN = "COURSE_START_AGAIN"  # set for a second try, which is the last
TAKEN = "port {} cannot be had: choose another with --port, or leave it out ({})"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what `start` takes."""
    parser.add_argument("--gpu", action="store_true", help=GPU)
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--port", type=int, help="default: 8888 or the next free")


def check_options(options: argparse.Namespace) -> None:
    """Raise UsageError where the port asked for cannot be had."""
    try:
        socket.create_server((HOST, options.port or 0)).close()
    except (OSError, OverflowError) as error:
        raise UsageError(TAKEN.format(options.port, error)) from None


def run(options: argparse.Namespace) -> int | None:
    """Serve the course until Ctrl-C, on `port` or the next free one from 8888."""
    from jupyterlab.labapp import LabApp

    def announce() -> None:
        logging.disable(logging.NOTSET)
        address = f"http://{HOST}:{server.port}{page}?token={token}"
        print(f"JupyterLab: {address}\nCtrl-C stops it.", flush=True)
        announced.append(address)

    announced, token = [], secrets.token_hex(16)
    os.environ |= variables(token)
    page = f"/lab/tree/{FIRST_PAGE}"
    words = arguments(options.port, page, browser=not options.no_browser)
    again = os.environ.pop(AGAIN, None)
    if not again:  # a port that is lost is for us to tell; a second try says it all
        logging.disable(logging.CRITICAL)
    try:
        server = LabApp.initialize_server(words)
        server.io_loop.add_callback(announce)  # the one before takes the port
        server.start()
    except SystemExit:
        if announced:
            raise
        if options.port:
            raise UsageError(TAKEN.format(options.port, "lost just now")) from None
        if again:
            raise UsageError("JupyterLab ended before it was ready") from None
        return become([sys.executable, *sys.orig_argv[1:]], {**os.environ, AGAIN: "1"})
    print("\nJupyterLab has stopped.", file=sys.stderr)


def variables(token: str) -> dict:
    """Return variables that keep the server apart from a JupyterLab of the user's."""
    chosen = {"JUPYTER_TOKEN": token, "JUPYTER_PREFER_ENV_PATH": "1"}
    settings = ROOT / ".venv" / "jupyter"
    if settings.parent.is_dir():
        if not os.access(settings.parent, os.W_OK):  # a checkout that is read only
            settings = Path(tempfile.mkdtemp(prefix="course-jupyter-"))
        silence(settings)
        chosen["JUPYTER_CONFIG_DIR"] = str(settings)
    if os.path.expanduser("~") == "~":  # a user without a home, for whom Jupyter fails
        chosen["HOME"] = tempfile.mkdtemp(prefix="course-home-")
    return chosen


def silence(folder: Path) -> None:
    """Keep JupyterLab with this folder of settings from asking to fetch its news."""
    page = folder / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    asking = "@jupyterlab/apputils-extension:announcements"
    page.write_text(json.dumps({"disabledExtensions": {asking: True}}))


def arguments(port: int | None, page: str, *, browser: bool) -> list[str]:
    """Return JupyterLab's arguments: local, silent, nothing fetched from anywhere."""
    chosen = [
        f"--ServerApp.root_dir={ROOT}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port or 8888}",
        f"--ServerApp.port_retries={0 if port else 99}",
        f"--ServerApp.open_browser={browser}",
        f"--LabApp.default_url={page}",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
        "--KernelSpecManager.ensure_native_kernel=True",
        "--Application.log_level=ERROR",
        "-y",  # Ctrl-C stops it without a question
    ]
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*chosen, "--allow-root"] if root else chosen
