"""Downloads one file over HTTP and resumes it after an interruption."""

import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lesionseg.errors import InputError

PAUSES = (1.0, 3.0, 9.0)
"""Seconds to wait after a dropped connection. After as many tries in a row without a new byte, the download fails."""
BLOCK = 1 << 16
"""Bytes written at once. A block that is incomplete when the connection drops is lost, so it is small."""
OK, PARTIAL, NOT_SATISFIABLE = 200, 206, 416
TEMPORARY_FAILURES = frozenset({408, 429, 500, 502, 503, 504})  # status codes after which the request is repeated
DROPS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
CONTENT_RANGE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?P<size>\d+|\*)")


class DroppedError(Exception):
    """The connection ended before the file was complete; the next try may resume it."""


@dataclass(frozen=True)
class Version:
    """Identity of a file on the server when its download began; None for what the server does not send."""

    url: str
    etag: str | None
    modified: str | None  # `Last-Modified` header
    size: int | None  # length of the whole file in bytes

    @property
    def validator(self) -> str | None:
        """Value for `If-Range` (RFC 9110, 13.1.5): a strong ETag, else the date, else None."""
        weak = self.etag is None or self.etag.startswith("W/")
        return self.modified if weak else self.etag

    def differs(self, other: "Version") -> bool:
        """Tells whether any property that both versions have differs."""
        pairs = ((self.etag, other.etag), (self.modified, other.modified), (self.size, other.size))
        return any(None not in pair and pair[0] != pair[1] for pair in pairs)


class PartFile:
    """An incomplete file, stored as `<target>.part` with its `Version` in `<target>.part.json`."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._record = target.with_name(f"{target.name}.part.json")

    def size(self) -> int:
        """Returns the number of bytes on the disk."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> Version | None:
        """Returns the version that the bytes belong to, or None if there are no bytes or the record is unreadable."""
        try:
            return Version(**json.loads(self._record.read_text("utf-8"))) if self.size() else None
        except (OSError, ValueError, TypeError):
            return None

    def begin(self, version: Version) -> None:
        """Starts an empty file for a version."""
        self.discard()  # before the record is written: old bytes must never carry a new version
        self._record.write_text(json.dumps(asdict(version), indent=2), "utf-8")

    def discard(self) -> None:
        """Deletes the bytes and their record."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def require(self, fits: bool, text: str) -> None:
        """Discards bytes that cannot be continued, and raises `DroppedError`."""
        if not fits:
            self.discard()
            raise DroppedError(text)

    def finish(self) -> None:
        """Renames the complete file to its target."""
        self.path.replace(self.target)
        self._record.unlink(missing_ok=True)


def retrieve(url: str, target: Path, *, timeout: float) -> None:
    """Downloads a file to `target`, unless it exists; its folder must exist.

    The download takes as many connections as needed, as long as each brings new bytes; one without an answer for
    `timeout` seconds counts as dropped. An incomplete file is kept and resumed by the next call.

    Raises:
        InputError: The server cannot be reached, refuses or keeps dropping the connection, or the disk is too small.
    """
    if target.exists():
        return
    part = PartFile(target)
    longest, failures = part.size(), 0
    while True:
        try:
            _download(url, part, timeout=timeout)
            part.finish()
            return
        except DroppedError as dropped:
            failures = 1 if part.size() > longest else failures + 1
            longest = max(longest, part.size())
            if failures > len(PAUSES):
                raise InputError(_failure_text(url, part, dropped)) from dropped
            time.sleep(PAUSES[failures - 1])


def _download(url: str, part: PartFile, *, timeout: float) -> None:
    """Opens one connection and appends what it sends; raises `DroppedError` unless the file is complete then."""
    headers = {"Accept-Encoding": "identity"}  # a compressed transfer has another length than the file
    known = part.version()
    if known is not None and known.url == url and known.validator is not None:
        headers |= {"Range": f"bytes={part.size()}-", "If-Range": known.validator}
    else:
        known = None  # the rest might belong to another file
    with _translated_errors(url), requests.get(url, headers=headers, stream=True, timeout=timeout) as answer:
        content_range = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if answer.status_code == NOT_SATISFIABLE and known is not None:
            size = content_range["size"] if content_range else str(known.size)
            part.require(size == str(part.size()), "the file on the server has become shorter")
            return
        _require_file(answer, url)
        version = _version(answer, url, content_range)
        if answer.status_code == OK:  # the whole file: the download is new, the file changed, or ranges do not work
            part.begin(version)
        else:
            # Some servers ignore `If-Range` and would append the end of a new file to the beginning of an old one.
            continues = content_range is not None and content_range["start"] == str(part.size())
            fits = known is not None and continues and not known.differs(version)
            part.require(fits, "the file on the server has changed")
        _require_room(part, version)
        _append(answer, part, version.size)
    if version.size is not None and part.size() != version.size:
        text = f"the server announced {version.size} bytes and sent {part.size()}"
        part.require(part.size() < version.size, text)
        raise DroppedError(text)


def _require_file(answer: Any, url: str) -> None:
    status = f"the server answers {answer.status_code} {answer.reason}"
    if answer.status_code in TEMPORARY_FAILURES:
        raise DroppedError(status)
    if answer.status_code not in (OK, PARTIAL):
        raise InputError(f"{url}: {status}; check server=..., or download it by hand")


def _version(answer: Any, url: str, content_range: re.Match[str] | None) -> Version:
    headers = answer.headers
    whole = content_range["size"] if content_range and answer.status_code == PARTIAL else headers.get("Content-Length")
    encoded = headers.get("Content-Encoding", "identity") != "identity"
    size = int(whole) if whole and whole.isdecimal() and not encoded else None
    return Version(url, headers.get("ETag"), headers.get("Last-Modified"), size)


def _require_room(part: PartFile, version: Version) -> None:
    free, missing = shutil.disk_usage(part.path.parent).free, (version.size or 0) - part.size()
    if missing > free:
        raise InputError(
            f"{part.target.name} needs {decimal(missing)} more, but the disk of {part.path.parent} has only "
            f"{decimal(free)} free; make room, or give another data.root"
        )


def _append(answer: Any, part: PartFile, size: int | None) -> None:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bar = Progress(TextColumn("fetching"), *columns, transient=True, disable=not sys.stdout.isatty())
    with part.path.open("ab") as file, bar:
        task = bar.add_task("", total=size, completed=part.size())
        for block in answer.iter_content(BLOCK):
            file.write(block)
            bar.advance(task, len(block))


@contextmanager
def _translated_errors(url: str) -> Iterator[None]:
    """Tells dropped connections, which are retried, from addresses that cannot work."""
    try:
        yield
    except DROPS as error:
        raise DroppedError(str(_innermost(error))) from error
    except requests.RequestException as error:
        raise InputError(f"{url} cannot be fetched: {error}; check server=...") from error


def _innermost(error: BaseException) -> BaseException:
    """Returns the first cause, such as 'Connection refused', without the lines that requests wraps around it."""
    inner = error.__cause__ or error.__context__
    return error if inner is None else _innermost(inner)


def _failure_text(url: str, part: PartFile, reason: DroppedError) -> str:
    kept = f"; {decimal(part.size())} are kept in {part.path}" if part.size() else ""
    return (
        f"{url} could not be fetched in {len(PAUSES) + 1} tries: {reason}{kept}. Check the network and server=..., "
        "and run the same command again; it resumes the download"
    )
