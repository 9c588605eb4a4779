"""Chromium without a window and without a network, and what it asks the network for."""

import contextlib
import os
import shutil
import socketserver
import threading
from collections.abc import Iterator
from typing import NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from helpers.cli.start import HOST

PATIENCE = 180  # seconds that anything may take on a busy machine
TALK = "AutofillServerCommunication,OptimizationHints,PreconnectToSearch,HttpsUpgrades"
FLAGS = [
    f"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE {HOST}",
    f"--disable-features={TALK}",  # with its makers, about what is on the page
]
BROWSERS = ["chromium", "chromium-browser", "google-chrome", "microsoft-edge", "msedge"]
NO_BROWSER = (
    "No Chromium is on the PATH: the browser tests are left out (install it with `sudo "
    "apt install chromium`, or name the file of a Chrome or Edge in COURSE_CHROMIUM)"
)
REFUSAL = b"HTTP/1.1 403 Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Guard(socketserver.ThreadingTCPServer):
    """A proxy that refuses everything and remembers what it was asked for.

    What the browser wants from this computer does not come here. All else does, from
    whichever frame, worker or part of the browser; playwright does not see them all.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__((HOST, 0), Refuse)
        self.asked = []


class Refuse(socketserver.StreamRequestHandler):
    """One request to the guard."""

    def handle(self) -> None:
        """Remember the address, such as `d3js.org:443`, and refuse."""
        words = self.rfile.readline().decode("latin-1").split()
        self.server.asked += words[1:2]
        self.wfile.write(REFUSAL)


class Window(NamedTuple):
    """A window that reaches this computer only."""

    context: BrowserContext
    asked: list[str]  # what it wanted from elsewhere; not what Chromium asks its makers

    def open(self, address: str) -> Page:
        """Open an address in a new tab."""
        page = self.context.new_page()
        page.goto(address)
        return page


def installed() -> str | None:
    """Return the Chromium that COURSE_CHROMIUM names, else the first on the PATH."""
    if named := os.environ.get("COURSE_CHROMIUM"):
        return shutil.which(named) or named
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextlib.contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Start the Chromium at this path; end it afterwards."""
    with sync_playwright() as driver:
        how = {"args": FLAGS, "timeout": PATIENCE * 1000}
        with driver.chromium.launch(executable_path=path, **how) as chromium:
            yield chromium


@contextlib.contextmanager
def window(chromium: Browser) -> Iterator[Window]:
    """Open a window with a guard of its own; close it afterwards."""
    with Guard() as guard:
        threading.Thread(target=guard.serve_forever, daemon=True).start()
        proxy = {"server": f"http://{HOST}:{guard.server_address[1]}", "bypass": HOST}
        size = {"width": 1400, "height": 1000}
        with chromium.new_context(viewport=size, proxy=proxy) as context:
            context.set_default_timeout(PATIENCE * 1000)
            yield Window(context, guard.asked)
        guard.shutdown()
