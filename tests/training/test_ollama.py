"""The import into Ollama, against a server that has the endpoints and verifies the digest."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pytest_modelqa.core.errors import OutputError, Unavailable, UsageError
from training.modelfile import Modelfile
from training.modelfile.ollama import Server, default_address, import_model

MODELFILE = Modelfile(
    source="./model.gguf",
    template="{{ .Prompt }}",
    system="Be brief.",
    parameters=(("temperature", 0.7), ("stop", "<|a|>"), ("stop", "<|b|>")),
    licenses=("MIT",),
)


@dataclass(slots=True)
class State:
    """What the server holds, and what it shall do wrong."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    last: str = "success"
    error: str = ""
    forgets: bool = False
    broken_line: bool = False


class Handler(BaseHTTPRequestHandler):
    """The endpoints of Ollama's REST API that an import uses."""

    state: State

    def log_message(self, format: str, *args: Any) -> None:
        """Not to stderr."""

    def do_HEAD(self) -> None:
        self.state.asked.append(f"HEAD {self.path}")
        self._answer(200 if self.path.rsplit(":", 1)[1] in self.state.blobs else 404)

    def do_GET(self) -> None:
        self.state.asked.append(f"GET {self.path}")
        if self.path == "/api/version":
            self._answer(200, {"version": "0.12.0"})
        else:
            names = () if self.state.forgets else self.state.models
            self._answer(200, {"models": [{"name": f"{n}:latest", "size": 7} for n in names]})

    def do_POST(self) -> None:
        self.state.asked.append(f"POST {self.path}")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/api/blobs/"):
            digest = self.path.rsplit(":", 1)[1]
            if hashlib.sha256(body).hexdigest() != digest:
                self._answer(400, {"error": "digest mismatch"})
                return
            self.state.blobs[digest] = body
            self._answer(201)
            return
        self._create(json.loads(body))

    def _create(self, asked: dict[str, Any]) -> None:
        digests = [d.removeprefix("sha256:") for d in asked["files"].values()]
        if not all(d in self.state.blobs for d in digests):
            self._answer(400, {"error": "blob not found"})
            return
        self.state.models[asked["model"]] = asked
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.end_headers()
        lines: list[dict[str, Any]] = [{"status": "parsing GGUF"}, {"status": "writing manifest"}]
        lines.append({"error": self.state.error} if self.state.error else {})
        lines.append({"status": self.state.last})
        for line in filter(None, lines):
            self.wfile.write(json.dumps(line).encode() + b"\n")
        if self.state.broken_line:
            self.wfile.write(b"<html>\n")

    def _answer(self, status: int, body: dict[str, Any] | None = None) -> None:
        text = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
def address(state: State) -> Iterator[str]:
    """A server on the loopback interface, stopped at the end."""
    handler = type("Own", (Handler,), {"state": state})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + bytes(range(256)) * 20_000)
    return path


def test_the_file_is_sent_once_and_the_model_is_made_with_all_values(
    state: State, address: str, model: Path
) -> None:
    said: list[str] = []
    made = import_model("tiny", MODELFILE, model, Server(address), said.append)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert made == {"model": "tiny:latest", "sha256": digest, "bytes": 7, "server": "0.12.0"}
    assert state.blobs == {digest: model.read_bytes()}
    assert state.models["tiny"] == {
        "model": "tiny",
        "files": {"model.gguf": f"sha256:{digest}"},
        "template": "{{ .Prompt }}",
        "system": "Be brief.",
        "parameters": {"temperature": 0.7, "stop": ["<|a|>", "<|b|>"]},
        "license": ["MIT"],
        "stream": True,
    }
    assert said[-3:] == ["parsing GGUF", "writing manifest", "success"]
    assert "model.gguf: 100% sent" in said
    import_model("tiny", MODELFILE, model, Server(address), said.append)
    assert sum(asked.startswith("POST /api/blobs") for asked in state.asked) == 1
    assert "model.gguf: the server has it already" in said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"error": "unsupported architecture"}, "unsupported architecture"),
        ({"last": "writing layer"}, "stopped after 'writing layer'"),
        ({"forgets": True}, "does not list tiny:latest"),
        ({"broken_line": True}, "no JSON object"),
    ],
)
def test_negative_an_import_that_did_not_succeed_is_no_success(
    state: State, address: str, model: Path, fault: dict[str, Any], said: str
) -> None:
    for name, value in fault.items():
        setattr(state, name, value)
    with pytest.raises(OutputError, match=said):
        import_model("tiny", MODELFILE, model, Server(address), lambda _: None)


def test_negative_a_wrong_digest_is_what_the_server_says_it_is(address: str, model: Path) -> None:
    with pytest.raises(OutputError, match=r"answered 400: .*digest mismatch"):
        Server(address).push(model, "0" * 64, lambda _: None)


def test_negative_no_server_is_unavailable_with_the_command(model: Path) -> None:
    server = Server("127.0.0.1:9", "ollama serve; ollama create tiny -f Modelfile")
    with pytest.raises(Unavailable, match="ollama create tiny -f Modelfile"):
        import_model("tiny", MODELFILE, model, server, lambda _: None)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("localhost", "localhost", 11434),
        ("10.0.0.2:80", "10.0.0.2", 80),
        ("http://box:1234/", "box", 1234),
        ("0.0.0.0", "127.0.0.1", 11434),
    ],
)
def test_addresses_are_read_as_ollama_writes_them(text: str, host: str, port: int) -> None:
    server = Server(text)
    assert (server.host, server.port) == (host, port)


@pytest.mark.parametrize("text", ["https://far", "box:99999", "ftp://x", "http://"])
def test_negative_what_is_no_address_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        Server(text)


def test_the_address_is_ollamas_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "box:1")
    assert default_address() == "box:1"
    monkeypatch.delenv("OLLAMA_HOST")
    assert default_address() == "127.0.0.1:11434"
