"""A file that is on its way, and which file on the server it is the beginning of."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Version:
    """A file on a server as it was when the download began.

    Attributes:
        url: Its address.
        etag: The server's own mark of this version, None where it gave none.
        modified: The `Last-Modified` header, None where there was none.
        size: Bytes of the whole file, None where the server did not say.
    """

    url: str
    etag: str | None
    modified: str | None
    size: int | None

    @property
    def validator(self) -> str | None:
        """What `If-Range` may ask for (RFC 9110, 13.1.5): a strong ETag, else the date; None: no way to be sure."""
        weak = self.etag is None or self.etag.startswith("W/")
        return self.modified if weak else self.etag


class PartFile:
    """The beginning of `target`, kept beside it as `<target>.part`, with its version in `<target>.part.json`.

    Args:
        target: Where the whole file will be.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._record = target.with_name(f"{target.name}.part.json")

    def size(self) -> int:
        """Counts the bytes that are there, 0 where there is no file."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def version(self) -> Version | None:
        """Returns what the part belongs to, or None where there is no part or nobody knows."""
        if not self.size():
            return None
        try:
            return Version(**json.loads(self._record.read_text("utf-8")))
        except (OSError, ValueError, TypeError):  # not there, or half written
            return None

    def begin(self, version: Version) -> None:
        """Throws away what is there and remembers the new version."""
        self.discard()  # first: old bytes must never stand under a new version
        self._record.write_text(json.dumps(asdict(version), indent=2), "utf-8")

    def discard(self) -> None:
        """Throws the part and what is known about it away."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def finish(self, destination: Path) -> None:
        """Gives the whole file its place; the part is gone then."""
        os.replace(self.path, destination)
        self._record.unlink(missing_ok=True)
