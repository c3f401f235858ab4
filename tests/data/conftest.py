"""A small HTTP server on this machine that can misbehave as real ones do."""

import contextlib
import io
import re
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

Zip = Callable[[Mapping[str, bytes]], bytes]


@dataclass
class Server:
    """Files by path, and how they are served."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    ranges: bool = True
    obeys_if_range: bool = True
    etag: str | None = '"first"'
    last_modified: str | None = None
    announced: int | None = None
    """Content-Length where it is to be a lie."""
    cuts: list[int] = field(default_factory=list)
    """After so many bytes of an answer the connection is closed, one for each answer."""
    stalls: list[float] = field(default_factory=list)
    """Seconds before an answer, one for each."""
    statuses: list[int] = field(default_factory=list)
    """Codes of the next answers; any but 200 comes instead of a file."""
    asked: list[str | None] = field(default_factory=list)
    """The Range header of each request."""

    def start_of(self, headers: Mapping[str, str]) -> int | None:
        wanted = re.fullmatch(r"bytes=(\d+)-", headers.get("Range") or "")
        condition = headers.get("If-Range")
        changed = self.obeys_if_range and condition not in (None, self.etag, self.last_modified)
        return int(wanted[1]) if wanted and self.ranges and not changed else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        wishes: Server = self.server.wishes
        wishes.asked.append(self.headers.get("Range"))
        if wishes.stalls:
            threading.Event().wait(wishes.stalls.pop(0))
        self.close_connection = True
        status = wishes.statuses.pop(0) if wishes.statuses else 200
        if status != 200:
            self._head(status, 0, {})
        elif self.path not in wishes.files:
            self._head(404, 0, {})
        else:
            self._file(wishes, wishes.files[self.path])

    def _file(self, wishes: Server, body: bytes) -> None:
        start, marks = wishes.start_of(self.headers), {"ETag": wishes.etag, "Last-Modified": wishes.last_modified}
        if start is None:
            self._head(200, wishes.announced or len(body), marks)
        elif start >= len(body):
            self._head(416, 0, {"Content-Range": f"bytes */{len(body)}"})
            return
        else:
            part = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self._head(206, len(body) - start, {**marks, "Content-Range": part})
        rest = body[start or 0 :]
        with contextlib.suppress(ConnectionError):  # of a client that has gone, as some tests' do
            self.wfile.write(rest[: wishes.cuts.pop(0)] if wishes.cuts else rest)

    def _head(self, code: int, length: int, headers: Mapping[str, str | None]) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.wishes = Server(f"http://127.0.0.1:{http.server_address[1]}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield http.wishes
    http.shutdown()
    http.server_close()


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.data.download_fetch.PAUSES", (0.0, 0.0))


@pytest.fixture(scope="session")
def zipped() -> Zip:
    """Makes a zip file of texts by member name; stored, so that what is in it can be found in its bytes."""

    def make(members: Mapping[str, bytes]) -> bytes:
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return stream.getvalue()

    return make


@pytest.fixture(scope="session")
def tree() -> Callable[[Path], dict[str, str]]:
    """Reads the files below a folder as texts by relative path, hidden ones left out."""

    def read(folder: Path) -> dict[str, str]:
        return {
            path.relative_to(folder).as_posix(): path.read_text("utf-8")
            for path in folder.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }

    return read
