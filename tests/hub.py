"""A model hub in a few lines, for tests: serves folders under repository names.

It answers the questions that loading a model or a data set asks (what is in this
repository, give me this file, or a part of it), well or in one of the ways a real
network answers badly. The name of a data set begins with ``datasets/``.
"""

import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee".ljust(40, "0")
FAULTS = {
    None: "all is well",
    "silent": "accepts the connection and never answers",
    "portal": "answers everything with a log-in page",
    "broken": "answers everything with an error 503",
    "gated": "wants a permission before it gives a file",
    "unauthorised": "does not accept the access token",
    "silent files": "says what there is, then never answers",
    "half files": "stops in the middle of every file and goes silent",
    "damaged weights": "changes some bytes of the weights on the way",
}


class Answer(BaseHTTPRequestHandler):
    """One request: /api/models/NAME, /api/datasets/NAME/tree/main or the like, or
    /NAME/resolve/main/FILE.
    """

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Stay quiet."""

    def reply(self, code=200, body=b"", **headers):
        """Send a whole answer; underscores in header names stand for hyphens."""
        self.send_response(code)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = self.server.fault == "half files" and "ETag" in headers
        self.wfile.write(body[: len(body) // 2] if half else body)
        if half:
            self.wfile.flush()
            self.server.closing.wait(20)

    def do_GET(self):  # noqa: N802
        """Answer, or misbehave as the server was told to."""
        self.server.requests.append(f"{self.command} {self.path}")
        fault, api = self.server.fault, self.path.startswith("/api/")
        if fault == "silent" or (fault == "silent files" and not api):
            self.close_connection = True
            self.server.closing.wait(20)
        elif fault == "portal":
            self.reply(body=b"<html>Welcome! Please log in.</html>")
        elif fault == "broken":
            self.reply(503)
        elif fault == "unauthorised":
            why = "Invalid credentials in Authorization header"
            self.reply(401, X_Error_Message=why)
        elif api:
            path = self.path.removeprefix("/api/").removeprefix("models/")
            name, kind, _ = re.split("/(tree|revision)/|[?]|$", path, maxsplit=1)
            self.repository(name, kind)
        elif fault == "gated":
            self.reply(403, X_Error_Code="GatedRepo")
        else:
            name, file = re.split(f"/resolve/(?:main|{COMMIT})/", self.path[1:])
            self.file(name, file)

    do_HEAD = do_GET  # noqa: N815

    def repository(self, name, kind):
        """What a repository holds, as a tree if that is what was asked for."""
        if name not in self.server.folders:
            return self.reply(404, X_Error_Code="RepoNotFound")
        paths = sorted(self.server.folders[name].iterdir())
        files = [{"rfilename": path.name} for path in paths]
        info = {"id": name, "sha": COMMIT, "siblings": files}
        if kind == "tree":
            file = {"type": "file", "oid": COMMIT}
            info = [file | {"path": p.name, "size": p.stat().st_size} for p in paths]
        self.reply(body=json.dumps(info).encode())

    def file(self, name, file):
        """The bytes of one file."""
        path = self.server.folders.get(name, Path("nowhere")) / file
        if not path.is_file():
            return self.reply(404, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if self.server.fault == "damaged weights" and path.suffix == ".safetensors":
            body = body[:-64] + bytes(64)
        headers, code = {"ETag": etag, "X_Repo_Commit": COMMIT}, 200
        if part := re.match(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            first, end = int(part[1]), int(part[2]) + 1
            headers["Content_Range"] = f"bytes {first}-{end - 1}/{len(body)}"
            body, code = body[first:end], 206
        self.reply(code, body, **headers)


@contextmanager
def serve(folders, fault=None):
    """Serve {repository name: folder} on a free port; gives the server.

    Its `url` is what HF_ENDPOINT wants, its `requests` lists what was asked, and its
    `fault` (a key of FAULTS) may change on the way.
    """
    assert fault in FAULTS, f"no fault {fault!r}, there are {list(FAULTS)}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    server.folders, server.fault, server.requests = folders, fault, []
    server.closing = threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
