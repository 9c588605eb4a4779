"""Block the network in every Python that has this folder on its PYTHONPATH.

Python imports `sitecustomize` by itself when it starts, so this holds in notebook
kernels and in whatever they start, without special rights. Loopback stays open.
"""

import os
import socket
from pathlib import Path

LOOPBACK = ("127.", "localhost", "::1", "0.0.0.0")
_getaddrinfo, _socket = socket.getaddrinfo, socket.socket


def refuse(host):
    """Raise OSError unless the host is this computer."""
    name = host.decode() if isinstance(host, bytes) else host
    if name and not str(name).startswith(LOOPBACK):
        raise OSError(f"the network is blocked in tests: {name}")


class OfflineSocket(_socket):
    """A socket that reaches this computer only."""

    def _check(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            refuse(address[0])

    def connect(self, address):
        """Connect as sockets do, on this computer."""
        self._check(address)
        return super().connect(address)

    def connect_ex(self, address):
        """Connect as sockets do, on this computer."""
        self._check(address)
        return super().connect_ex(address)

    def sendto(self, data, *rest):
        """Send as sockets do, on this computer."""
        self._check(rest[-1])
        return super().sendto(data, *rest)


def getaddrinfo(host, *rest, **options):
    """Look up names of this computer only."""
    refuse(host)
    return _getaddrinfo(host, *rest, **options)


def gethostbyname(name, *, _look_up=socket.gethostbyname):
    """Look up names of this computer only."""
    refuse(name)
    return _look_up(name)


socket.socket = OfflineSocket
socket.getaddrinfo = getaddrinfo
socket.gethostbyname = gethostbyname

if "notebooks" in Path.cwd().parts[-2:]:  # a notebook's kernel starts in its folder
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    for kind in ("http_proxy", "https_proxy", "all_proxy"):  # for what is not Python
        os.environ[kind] = os.environ[kind.upper()] = "http://127.0.0.1:9"
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    if Path.cwd().name == "solutions":
        os.environ["COURSE_STRICT"] = "1"
