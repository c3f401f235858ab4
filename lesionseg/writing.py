"""Writing small files whole or not at all: whoever reads one, or is killed over it, never meets half of it."""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file to be written under a temporary name, which takes the place of `path` once all of it is on the disk.

    Folders above it are made. Where writing fails, as on a full disk, what was there before stays whole.

    Args:
        path: Path of the file.

    Raises:
        OSError: The disk is full, read-only or gone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")  # tempfile's would be for their owner alone
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str) -> None:
    """Writes a text as UTF-8, see `whole_file`."""
    with whole_file(path) as file:
        file.write(text.encode())


def write_json(path: Path, contents: Any) -> None:
    """Writes plain values for people and programs alike, see `whole_file`."""
    write_whole(path, json.dumps(contents, indent=2, ensure_ascii=False) + "\n")
