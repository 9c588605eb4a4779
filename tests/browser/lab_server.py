"""JupyterLab as `python -m helpers start --no-browser` starts it, on copies."""

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.cli import start
from tests import lanes

PATIENCE = 180  # seconds, on a machine that is busy with other things


class Server(NamedTuple):
    """A server that answers, and what it must be told to do so."""

    port: int
    token: str

    def address(self, place: str) -> str:
        """Return the address of a place such as `/lab`."""
        return f"http://{start.HOST}:{self.port}{place}?token={self.token}"

    def ask(self, place: str, method: str = "GET"):
        """Return what the server answers, without the JSON around it."""
        with contextlib.closing(
            http.client.HTTPConnection(start.HOST, self.port, timeout=60)
        ) as connection:
            headers = {"Authorization": f"token {self.token}"}
            connection.request(method, place, headers=headers)
            text = connection.getresponse().read()
        return json.loads(text) if text else None


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder; RuntimeError with what the server said if it does not answer."""
    server, log = Server(free_port(), secrets.token_hex(16)), folder / "server.log"
    command = [sys.executable, "-m", "jupyterlab", *arguments(server.port, folder)]
    with open(log, "w") as file:
        how = {"cwd": folder, "env": variables(server.token, folder)}
        how |= {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        process = subprocess.Popen(command, **how)
    try:
        wait(process, server, log)
        yield server
    finally:  # it ends its kernels, too
        process.terminate()
        process.wait(timeout=60)


def arguments(port: int, folder: Path) -> list[str]:
    """Return the arguments of `start`, with the folder in the place of the course."""
    chosen = start.arguments(port, "/lab", browser=False)
    return [
        word.replace(f"root_dir={start.ROOT}", f"root_dir={folder}") for word in chosen
    ]


def variables(token: str, folder: Path) -> dict:
    """Return the variables of `start`, offline, with settings of the folder's own."""
    start.silence(folder / "settings")
    offline = lanes.variables()
    places = [str(start.ROOT), offline["PYTHONPATH"]]
    return {
        **offline,
        **start.variables(token),
        "JUPYTER_CONFIG_DIR": str(folder / "settings"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "PYTHONPATH": os.pathsep.join(places),  # this very copy of helpers
    }


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server((start.HOST, 0)) as server:
        return server.getsockname()[1]


def wait(process: subprocess.Popen, server: Server, log: Path) -> None:
    """Wait until the server answers."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            server.ask("/api")
            return
        except OSError:
            time.sleep(0.1)
    said = log.read_text(errors="replace")
    raise RuntimeError(f"JupyterLab does not answer; it said:\n{said}")
