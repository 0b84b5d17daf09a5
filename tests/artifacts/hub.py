"""A model hub on the loopback interface, as far as huggingface_hub's client asks one."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

COMMIT = "c" * 40


class _Hub(BaseHTTPRequestHandler):
    """Answers for the repository Org/Model at any revision."""

    files: ClassVar[Mapping[str, bytes]]
    status: ClassVar[int]

    def do_HEAD(self) -> None:
        self._resolve(body=False)

    def do_GET(self) -> None:
        if self.path.startswith("/api/models/Org/Model"):
            self._api()
        else:
            self._resolve(body=True)

    def _api(self) -> None:
        siblings = [{"rfilename": name} for name in self.files]
        info = {"id": "Org/Model", "sha": COMMIT, "siblings": siblings}
        tree = [
            {"type": "file", "path": n, "size": len(d), "oid": hashlib.sha1(d).hexdigest()}
            for n, d in self.files.items()
        ]
        self._send(json.dumps(tree if "/tree/" in self.path else info).encode())

    def _resolve(self, *, body: bool) -> None:
        name = self.path.split("?")[0].removeprefix("/Org/Model/resolve/").partition("/")[2]
        if self.status == HTTPStatus.OK and name in self.files:
            self._send(self.files[name], body=body)
            return
        denied = self.status != HTTPStatus.OK
        self.send_response(self.status if denied else HTTPStatus.NOT_FOUND)
        self.send_header("X-Error-Code", "Denied" if denied else "EntryNotFound")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, data: bytes, *, body: bool = True) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(files: Mapping[str, bytes], status: int = HTTPStatus.OK) -> Iterator[str]:
    """Serve `files`, or answer every one of them with `status`; the endpoint's address."""
    handler = type("Handler", (_Hub,), {"files": files, "status": status})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
