"""One file over HTTP, resumed where an earlier run or a dropped connection stopped."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pooch
import requests

from lesionseg.data.download_part_file import PartFile, Version
from lesionseg.data.download_progress import byte_bar, readable
from lesionseg.errors import InputError

PAUSES = (1.0, 3.0, 9.0)
"""Seconds to wait after a dropped connection; as many in a row that bring no new byte are followed by giving up."""
BLOCK = 1 << 16
"""Bytes written at once. What has come of a block when the connection drops is lost, so it is small, yet large enough
that Python does not slow the network."""
OK, PARTIAL, NOT_SATISFIABLE = 200, 206, 416
PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""Status codes that another try may not meet again."""
CONTENT_RANGE = re.compile(r"bytes (?:(?P<start>\d+)-\d+|\*)/(?P<size>\d+|\*)")


class DroppedError(Exception):
    """The file did not come whole this time; what has come is kept, and another try may go on."""


def retrieve(url: str, target: Path, *, timeout: float) -> None:
    """Brings a file to `target`; does nothing where that is there already.

    A file that is not whole yet stands beside it as `<target>.part` and is continued by the next call.

    Args:
        url: Of http or https.
        target: Where the whole file will be; its folder must exist.
        timeout: Seconds without an answer after which a connection counts as dropped.

    Raises:
        InputError: The server cannot be reached, refuses or keeps dropping the connection, or the disk is too small.
    """
    pooch.get_logger().setLevel("WARNING")  # its lines and hashes would stand in the middle of the progress bar

    def download(address: str, destination: str, _: object) -> None:
        Path(destination).unlink()  # pooch's own empty file, which would outlive a process that is killed
        part = PartFile(target)
        fetch(address, part, timeout=timeout)
        part.finish(Path(destination))

    pooch.retrieve(url, known_hash=None, fname=target.name, path=target.parent, downloader=download)


def fetch(url: str, part: PartFile, *, timeout: float) -> None:
    """Brings a part to its full length, over as many connections as it takes as long as each brings something.

    Raises:
        InputError: See `retrieve`.
    """
    longest, failures = part.size(), 0
    while True:
        try:
            _attempt(url, part, timeout=timeout)
            return
        except DroppedError as dropped:
            failures = 1 if part.size() > longest else failures + 1
            longest = max(longest, part.size())
            if failures > len(PAUSES):
                raise InputError(_gave_up(url, part, dropped)) from dropped
            time.sleep(PAUSES[failures - 1])


def _attempt(url: str, part: PartFile, *, timeout: float) -> None:
    """Opens one connection and appends what comes.

    Raises:
        DroppedError: The part is not whole yet.
    """
    known = part.version()
    if known is not None and (known.url != url or known.validator is None):
        known = None  # nothing says that the rest would fit
    with _worded_faults(url), requests.get(url, headers=_headers(part, known), stream=True, timeout=timeout) as answer:
        if answer.status_code == NOT_SATISFIABLE and known is not None:
            _expect_whole(answer, part, known)
            return
        _expect_file(answer, url)
        version = _version(answer, url)
        if answer.status_code == OK:  # all of it: nothing was there, the server's file is new, or it cannot resume
            part.begin(version)
        else:
            _expect_rest(answer, part, known, version)
        _expect_room(part, version)
        _append(answer, part, version.size)
    _expect_length(part, version.size)


def _headers(part: PartFile, known: Version | None) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}  # a compressed transfer has other lengths than the file
    if known is not None and known.validator is not None:
        headers |= {"Range": f"bytes={part.size()}-", "If-Range": known.validator}
    return headers


def _append(answer: Any, part: PartFile, size: int | None) -> None:
    with part.path.open("ab") as file, byte_bar("fetching", total=size, done=part.size()) as advance:
        for block in answer.iter_content(BLOCK):
            file.write(block)
            advance(len(block))


def _version(answer: Any, url: str) -> Version:
    """Reads from the headers which file is being sent, and its whole length."""
    headers = answer.headers
    found = CONTENT_RANGE.fullmatch(headers.get("Content-Range", ""))
    size = found["size"] if found and answer.status_code == PARTIAL else headers.get("Content-Length", "")
    encoded = headers.get("Content-Encoding", "identity") != "identity"
    known_size = int(size) if size.isdecimal() and not encoded else None
    return Version(url, headers.get("ETag"), headers.get("Last-Modified"), known_size)


def _expect_file(answer: Any, url: str) -> None:
    status = f"{answer.status_code} {answer.reason}"
    if answer.status_code in PASSING:
        raise DroppedError(f"the server answers {status}")
    if answer.status_code not in (OK, PARTIAL):
        raise InputError(f"{url}: the server answers {status}; check server=..., or download it by hand")


def _expect_whole(answer: Any, part: PartFile, known: Version) -> None:
    """Tells a part that needs no more from one that is longer than the server's file is now."""
    found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    size = int(found["size"]) if found and found["size"].isdecimal() else known.size
    if part.size() != size:
        part.discard()
        raise DroppedError("the file on the server has become shorter")


def _expect_rest(answer: Any, part: PartFile, known: Version | None, version: Version) -> None:
    """Checks that what is sent goes on exactly where the part ends, in the same version of the file.

    Some servers pass over `If-Range`, and would glue the end of a new file to the beginning of an old one.
    """
    found = CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    fits = known is not None and found is not None and found["start"] == str(part.size())
    if not fits or (known is not None and _differ(known, version)):
        part.discard()
        raise DroppedError("the file on the server has changed")


def _differ(known: Version, version: Version) -> bool:
    pairs = ((known.etag, version.etag), (known.modified, version.modified), (known.size, version.size))
    return any(None not in pair and pair[0] != pair[1] for pair in pairs)


def _expect_room(part: PartFile, version: Version) -> None:
    """Checks the disk now rather than after gigabytes."""
    free, missing = shutil.disk_usage(part.path.parent).free, (version.size or 0) - part.size()
    if missing > free:
        raise InputError(
            f"{part.target.name} needs {readable(missing)} more, but the disk of {part.path.parent} has only "
            f"{readable(free)} free; make room, or give another data.root"
        )


def _expect_length(part: PartFile, size: int | None) -> None:
    if size is None or part.size() == size:
        return
    found = part.size()
    if found > size:  # no continuing would mend that
        part.discard()
    raise DroppedError(f"the server announced {size} bytes and {found} have come")


@contextmanager
def _worded_faults(url: str) -> Iterator[None]:
    """Tells dropped connections, which are worth another try, from addresses that cannot work."""
    passing = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
    try:
        yield
    except passing as error:
        raise DroppedError(str(_innermost(error))) from error
    except requests.RequestException as error:
        raise InputError(f"{url} cannot be fetched: {error}; check server=...") from error


def _innermost(error: BaseException) -> BaseException:
    """Returns the first cause, such as 'Connection refused'; requests wraps it in lines about its own pools."""
    inner = error.__cause__ or error.__context__
    return error if inner is None else _innermost(inner)


def _gave_up(url: str, part: PartFile, reason: DroppedError) -> str:
    kept = f"; {readable(part.size())} are kept in {part.path}" if part.size() else ""
    return (
        f"{url} did not come, even after {len(PAUSES)} more tries: {reason}{kept}. Check the network and server=..., "
        "and run the same command again: it goes on where it stopped"
    )
