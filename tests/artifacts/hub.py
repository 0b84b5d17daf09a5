"""A model hub and mirror on the loopback interface that can misbehave, one request at a time."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c" * 40


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request for a file."""

    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Hub:
    """Repository Org/Model at any revision; `/NAME` gives the same files, as a mirror does.

    Each request for a file takes the first of `moods`, and is answered well when none is left:
    `cut:N` closes after N bytes; `pause:N` sends N bytes and waits for `go`; `drip` sends 20 bytes
    a second; `status:CODE[:AFTER]` answers so, with Retry-After; `length:N` has N bytes, and knows
    no ranges; `whole` knows no ranges; `other` has other bytes; `shift` continues elsewhere;
    `endless` says no length and sends too much; `to:URL` redirects. `large` is what the list says
    of hashes.
    """

    endpoint: str
    files: dict[str, bytes]
    moods: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    go: threading.Event = field(default_factory=threading.Event)
    licence: str = "mit"
    large: dict[str, str] = field(default_factory=dict)

    def listing(self) -> bytes:
        siblings = [
            {"rfilename": name, "size": len(data)}
            | (
                {"lfs": {"sha256": self.large[name], "size": len(data)}}
                if name in self.large
                else {}
            )
            for name, data in self.files.items()
        ]
        card = {"license": self.licence}
        return json.dumps({"sha": COMMIT, "siblings": siblings, "cardData": card}).encode()


class _Handler(BaseHTTPRequestHandler):
    """Answers for the hub that its server carries."""

    server: _Server

    def do_GET(self) -> None:
        hub = self.server.hub
        if self.path.startswith("/api/models/Org/Model/"):
            self._body(200, hub.listing(), len(hub.listing()))
            return
        hub.asked.append(Asked(path=self.path, headers=dict(self.headers.items())))
        mood, _, rest = (hub.moods.pop(0) if hub.moods else "").partition(":")
        name = re.sub(r"^/Org/Model/resolve/[^/]+/|^/", "", self.path)
        if mood == "status":
            self._status(*rest.split(":", 1))
        elif mood == "to":
            self.send_response(302)
            self.send_header("Location", rest)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif name in hub.files:
            self._file(hub.files[name], mood, rest)
        else:
            self._status("404")

    def _status(self, code: str, after: str = "") -> None:
        self.send_response(int(code))
        if after:
            self.send_header("Retry-After", after)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _file(self, data: bytes, mood: str, rest: str) -> None:
        if mood == "other":
            data = bytes(b ^ 1 for b in data)
        if mood == "length":
            data = (data * 2)[: int(rest)]
        start = 0 if mood in {"whole", "length"} else self._start()
        if start >= len(data) > 0:
            self._status("416")
            return
        body = data[start:]
        said: int | None = len(body)
        if mood == "endless":
            body, said = body + b"more", None
        more = {}
        if start:
            at = start + 1 if mood == "shift" else start
            more["Content-Range"] = f"bytes {at}-{len(data) - 1}/{len(data)}"
        stop = int(rest) if mood in {"cut", "pause"} else 0 if mood == "drip" else len(body)
        self._body(206 if start else 200, body[:stop], said, more)
        self._rest(body[stop:], mood)

    def _rest(self, data: bytes, mood: str) -> None:
        """What is sent late."""
        self.wfile.flush()
        if mood == "pause":
            self.server.hub.go.wait(60)
            self.wfile.write(data)
        elif mood == "drip":
            for byte in data:
                self.wfile.write(bytes([byte]))
                self.server.hub.go.wait(0.05)

    def _start(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(match[1]) if match else 0

    def _body(
        self, code: int, data: bytes, length: int | None, more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(code)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    hub: Hub
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error."""


@contextmanager
def serving(files: Mapping[str, bytes]) -> Iterator[Hub]:
    """Serve `files` until the end of the block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.hub = Hub(endpoint=f"http://127.0.0.1:{server.server_address[1]}", files=dict(files))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.hub
    finally:
        server.hub.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
