"""JupyterLab as `start` runs it: its port, its silence, where it writes."""

import logging
import re
import signal
import socket
import subprocess
import urllib.request

import pytest

from helpers.cli import start
from helpers.cli.command_line import parse
from helpers.options import UsageError
from tests.cli.waiting import COURSE


@pytest.fixture
def launch(monkeypatch):
    """A function that starts a server; all end with the test."""
    servers, command = [], [*COURSE, "start", "--no-browser"]
    monkeypatch.setenv("COURSE_NO_VENV", "1")

    def launch():
        heard = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        servers.append(subprocess.Popen(command, **heard))
        return servers[-1]

    yield launch
    for server in servers:
        server.kill()
        server.communicate()


def test_two_starts_at_once_serve_this_computer_only_and_ask_for_no_news(launch):
    servers, ports = [launch(), launch()], set()
    for server in servers:
        address = server.stdout.readline().removeprefix("JupyterLab: ").strip()
        host, token = address.partition("/lab")[0], address.partition("token=")[2]
        ports.add(re.fullmatch(r"http://127\.0\.0\.1:(\d+)", host)[1])
        page = urllib.request.urlopen(address, timeout=60).read().decode()
        assert '"news": {"disabled": true}' in page
        updates = f"{host}/lab/api/update?token={token}"
        answer = urllib.request.urlopen(updates, timeout=60).read()
        assert answer == b'{"notification": null}'
    assert len(ports) == 2
    for server in servers:
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 0
        assert server.stderr.read() == "\nJupyterLab has stopped.\n"


def test_port_that_cannot_be_had_is_refused_by_name():
    with socket.create_server((start.HOST, 0)) as server:
        port = str(server.getsockname()[1])
        for wrong in (port, "99999"):
            with pytest.raises(UsageError, match=f"^port {wrong} cannot be had: ch"):
                parse("start", ["--port", wrong])
    assert parse("start", ["--port", port]).port == int(port)


def test_server_that_cannot_start_is_tried_twice(monkeypatch):
    def fail(*_):
        raise SystemExit(1)

    again = []
    monkeypatch.setattr("jupyterlab.labapp.LabApp.initialize_server", fail)
    monkeypatch.setattr(start, "become", lambda _, env: again.append(env[start.AGAIN]))
    monkeypatch.setattr(start, "variables", lambda token: {})
    options = parse("start", ["--no-browser"])
    assert start.run(options) is None and again == ["1"]
    monkeypatch.setenv(start.AGAIN, "1")
    with pytest.raises(UsageError, match="^JupyterLab ended before it was ready$"):
        start.run(options)
    logging.disable(logging.NOTSET)


def test_settings_lie_in_venv_or_where_one_can_write(tmp_path, monkeypatch):
    monkeypatch.setattr(start, "ROOT", tmp_path)
    assert "JUPYTER_CONFIG_DIR" not in start.variables("t")
    (tmp_path / ".venv").mkdir()
    place = str(tmp_path / ".venv" / "jupyter")
    assert start.variables("t")["JUPYTER_CONFIG_DIR"] == place
    monkeypatch.setattr(start.os, "access", lambda path, mode: False)
    monkeypatch.setattr(start.tempfile, "mkdtemp", lambda prefix: tmp_path / prefix)
    place = str(tmp_path / "course-jupyter-")
    assert start.variables("t")["JUPYTER_CONFIG_DIR"] == place


def test_user_without_a_home_gets_one(tmp_path, monkeypatch):
    monkeypatch.setattr(start.os.path, "expanduser", lambda path: path)
    monkeypatch.setattr(start.tempfile, "mkdtemp", lambda prefix: str(tmp_path))
    assert start.variables("t")["HOME"] == str(tmp_path)
