"""JupyterLab, opened on day 1: on this computer only, calling nobody."""

import argparse
import json
import os
import secrets
import socket
import sys
import threading
import time
from pathlib import Path

from helpers.cli.environment import ROOT
from helpers.cli.packages import SetupError

FIRST_PAGE = "notebooks/day01_loading.ipynb"
HOST = "127.0.0.1"


def run(options: argparse.Namespace) -> None:
    """Serve the course until Ctrl-C.

    Args:
        options: `port` (None for the next free one from 8888) and `no_browser`.

    Raises:
        SetupError: When the port asked for is taken.
    """
    port = free_port(options.port)
    token = secrets.token_hex(16)
    os.environ |= variables(token)
    if (ROOT / ".venv").is_dir():
        silence(Path(os.environ["JUPYTER_CONFIG_DIR"]))
    page = f"/lab/tree/{FIRST_PAGE}" if (ROOT / FIRST_PAGE).exists() else "/lab"
    url = f"http://{HOST}:{port}{page}?token={token}"
    threading.Thread(target=announce, args=(port, url), daemon=True).start()
    from jupyterlab.labapp import LabApp

    LabApp.launch_instance(arguments(port, page, browser=not options.no_browser))
    print("\nJupyterLab has stopped.", file=sys.stderr)


def free_port(wanted: int | None) -> int:
    """Return the port asked for if it is free, else the next free one from 8888."""
    for port in [wanted] if wanted else range(8888, 8988):
        with socket.socket() as test:
            if os.name == "posix":  # a port in TIME_WAIT is free
                test.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                test.bind((HOST, port))
                return port
            except PermissionError:
                raise SetupError(f"port {port} needs rights you lack here") from None
            except OSError:
                continue
    taken = f"port {wanted} is" if wanted else "the ports from 8888 to 8987 are"
    raise SetupError(f"{taken} taken: choose another with --port, or leave it out")


def variables(token: str) -> dict:
    """Return the environment variables that keep the server and its kernels apart.

    The settings and workspaces of another JupyterLab of the user's stay out of it.
    """
    chosen = {"JUPYTER_TOKEN": token, "JUPYTER_PREFER_ENV_PATH": "1"}
    if (ROOT / ".venv").is_dir():
        chosen["JUPYTER_CONFIG_DIR"] = str(ROOT / ".venv" / "jupyter")
    return chosen


def silence(folder: Path) -> None:
    """Keep JupyterLab from asking whether it may fetch its news.

    Args:
        folder: a Jupyter configuration folder of the course's own.
    """
    page = folder / "labconfig" / "page_config.json"
    page.parent.mkdir(parents=True, exist_ok=True)
    asking = "@jupyterlab/apputils-extension:announcements"
    page.write_text(json.dumps({"disabledExtensions": {asking: True}}))


def arguments(port: int, page: str, *, browser: bool) -> list[str]:
    """Return JupyterLab's arguments: local, silent, nothing fetched from anywhere."""
    chosen = [
        f"--ServerApp.root_dir={ROOT}",
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
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


def announce(port: int, url: str) -> None:
    """Print the address as soon as the server answers."""
    while True:
        time.sleep(0.1)
        with socket.socket() as test:
            if test.connect_ex((HOST, port)) == 0:
                break
    print(f"JupyterLab: {url}\nCtrl-C stops it.", flush=True)
