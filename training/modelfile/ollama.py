"""Import into Ollama through its REST API: the file as a blob, then the model, then a look at it.

Endpoints: `GET /api/version`, `HEAD` and `POST /api/blobs/sha256:DIGEST`, `POST /api/create` (a
stream of JSON lines), `GET /api/tags`. Nothing but the file and the Modelfile's values is sent.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pytest_modelqa.artifacts.hashing import cache_root, sha256_of
from pytest_modelqa.core.errors import ModelQAError, OutputError, Unavailable, UsageError
from training.modelfile.syntax import Modelfile, Value

PORT = 11434
_ANSWER_S = 10.0
"""For a short question to a server that is there."""
_WORK_S = 3600.0
"""Between two lines of progress, or two pieces of an upload."""
_PIECE = 1 << 20
_OK = (200, 201)
_NOT_FOUND = 404

Say = Callable[[str], None]


class Server:
    """An Ollama server at `http://HOST:PORT`. Raises Unavailable where none answers."""

    def __init__(self, address: str, remedy: str = "ollama serve") -> None:
        self.host, self.port = _address(address)
        self.remedy = remedy

    def version(self) -> str:
        """What the server says of itself."""
        return str(self._json("GET", "/api/version").get("version", ""))

    def push(self, path: Path, digest: str, say: Say) -> None:
        """Upload a file unless the server has it; `digest` is its SHA-256."""
        where = f"/api/blobs/sha256:{digest}"
        connection, answer = self._ask("HEAD", where)
        connection.close()
        if answer.status in _OK:
            say(f"{path.name}: the server has it already")
            return
        if answer.status != _NOT_FOUND:
            raise self._refused("HEAD", where, answer.status, "")
        size = path.stat().st_size
        with path.open("rb") as file:
            pieces = _pieces(file, size, lambda part: say(f"{path.name}: {part:.0%} sent"))
            headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
            connection, answer = self._ask("POST", where, pieces, headers, _WORK_S)
            text = answer.read().decode(errors="replace")
            connection.close()
        if answer.status not in _OK:
            raise self._refused("POST", where, answer.status, text)

    def create(self, name: str, modelfile: Modelfile, file: str, digest: str, say: Say) -> None:
        """Make the model. Raises OutputError unless the server's last word is "success"."""
        body = json.dumps({"model": name, **_values(modelfile, file, digest), "stream": True})
        headers = {"Content-Type": "application/json"}
        connection, answer = self._ask("POST", "/api/create", body.encode(), headers, _WORK_S)
        try:
            if answer.status not in _OK:
                text = answer.read().decode(errors="replace")
                raise self._refused("POST", "/api/create", answer.status, text)
            last = self._followed(answer, say)
        finally:
            connection.close()
        if last != "success":
            raise OutputError(
                f"the server stopped after {last!r}, without success",
                where=self._where,
                remedy="look at the server's log, and try again",
            )

    def sizes(self) -> dict[str, int]:
        """The models that the server has, with their sizes in bytes."""
        found = self._json("GET", "/api/tags").get("models") or []
        return {str(m.get("name")): int(m.get("size", 0)) for m in found}

    @property
    def _where(self) -> str:
        return f"http://{self.host}:{self.port}"

    def _followed(self, answer: HTTPResponse, say: Say) -> str:
        """Tell the progress; the last status."""
        last = ""
        for line in answer:
            if not line.strip():
                continue
            said = _object(line)
            if said.get("error"):
                raise OutputError(f"the server refused: {said['error']}", where=self._where)
            status = str(said.get("status", ""))
            if status != last:
                say(status)
            last = status
        return last

    def _json(self, method: str, where: str) -> dict[str, Any]:
        connection, answer = self._ask(method, where)
        try:
            text = answer.read()
        finally:
            connection.close()
        if answer.status not in _OK:
            raise self._refused(method, where, answer.status, text.decode(errors="replace"))
        return _object(text)

    def _ask(
        self,
        method: str,
        where: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        seconds: float = _ANSWER_S,
    ) -> tuple[HTTPConnection, HTTPResponse]:
        connection = HTTPConnection(self.host, self.port, timeout=seconds)
        try:
            connection.request(method, where, body=body, headers=headers or {})
            return connection, connection.getresponse()
        except (OSError, HTTPException) as error:
            connection.close()
            raise Unavailable(
                f"no Ollama server answers: {error}", where=self._where, remedy=self.remedy
            ) from None

    def _refused(self, method: str, where: str, status: int, text: str) -> ModelQAError:
        said = f": {text.strip()[:300]}" if text.strip() else ""
        return OutputError(f"{method} {where} was answered {status}{said}", where=self._where)


def import_model(
    name: str, modelfile: Modelfile, path: Path, server: Server, say: Say
) -> dict[str, Any]:
    """Upload, create, and look whether it is there. Gives name, digest, bytes and version.

    Raises Unavailable where no server answers, OutputError where it does not do what it was asked.
    """
    version = server.version()
    digest = sha256_of(path, cache_root())
    server.push(path, digest, say)
    server.create(name, modelfile, path.name, digest, say)
    full = name if ":" in name else f"{name}:latest"
    size = server.sizes().get(full)
    if size is None:
        raise OutputError(f"the server does not list {full} after making it")
    return {"model": full, "sha256": digest, "bytes": size, "server": version}


def default_address() -> str:
    """Where `ollama` itself would look."""
    return os.environ.get("OLLAMA_HOST", "") or f"127.0.0.1:{PORT}"


def _address(text: str) -> tuple[str, int]:
    """Host and port of `HOST`, `HOST:PORT` or `http://HOST:PORT`."""
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = parts.port or PORT
    except ValueError:
        port = 0
    if parts.scheme != "http" or not parts.hostname or not port:
        raise UsageError(f"{text!r} is no address", remedy=f"HOST:PORT, such as 127.0.0.1:{PORT}")
    host = "127.0.0.1" if parts.hostname == "0.0.0.0" else parts.hostname  # noqa: S104 - not bound
    return host, port


def _values(modelfile: Modelfile, file: str, digest: str) -> dict[str, Any]:
    """What `/api/create` takes, without what is empty."""
    parameters: dict[str, Value | list[Value]] = dict(modelfile.parameters)
    if stops := list(modelfile.values("stop")):
        parameters["stop"] = stops
    values: dict[str, Any] = {
        "files": {file: f"sha256:{digest}"},
        "template": modelfile.template,
        "system": modelfile.system,
        "parameters": parameters,
        "license": list(modelfile.licenses),
        "messages": [{"role": r, "content": text} for r, text in modelfile.messages],
    }
    return {key: value for key, value in values.items() if value}


def _pieces(file: Any, size: int, tell: Callable[[float], None]) -> Iterator[bytes]:
    """The file in pieces; tells its progress ten times."""
    sent, told = 0, 0
    while piece := file.read(_PIECE):
        yield piece
        sent += len(piece)
        if size and sent * 10 // size > told:
            told = sent * 10 // size
            tell(sent / size)


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OutputError(f"the server's answer is no JSON object: {text[:100]!r}")
    return found
