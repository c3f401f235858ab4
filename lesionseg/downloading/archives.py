"""From a source's list of archives to its folders on the disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from lesionseg.data.archive import Archive
from lesionseg.data.source import Source
from lesionseg.downloading.unpacking import unpack
from lesionseg.errors import InputError
from lesionseg.ranges import range_faults

EXTRA = frozenset({"pooch", "requests"})
LOCK = ".lesionseg_download.lock"


@dataclass(frozen=True)
class Server:
    """Where archives come from.

    Attributes:
        address: Without a slash at its end.
        timeout: Seconds without an answer after which a connection counts as dropped.
    """

    address: str
    timeout: float


def server_of(address: str, timeout: float) -> Server:
    """Checks the server's settings.

    Raises:
        InputError: The address is not one of http or https, or the timeout is not above 0.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(f"server is {address}; allowed: an address that begins with https:// or http://")
    for fault in range_faults({"timeout": timeout}):
        raise InputError(f"{fault} seconds")
    return Server(address.rstrip("/"), timeout)


def get_archives(source: Source, root: Path, server: Server, *, keep: bool) -> None:
    """Brings every folder of a source that is not there yet below `root`.

    Args:
        source: Its `ARCHIVES` are fetched one after the other.
        root: Made where it is missing.
        server: Where they come from.
        keep: Whether the zip files stay after unpacking.

    Raises:
        InputError: An archive cannot be fetched, unpacked or written, or another process downloads to `root`. What has
            come is kept.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _alone(root):
            for archive in source.ARCHIVES:
                _get(archive, root, server, keep=keep)
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be read or written: {error.strerror or error}; "
            "set that right or give another data.root, and run the same command again: it goes on where it stopped"
        ) from error
    except KeyboardInterrupt:
        print("\nWhat has come is kept; run the same command again to go on.", flush=True)
        raise


def _get(archive: Archive, root: Path, server: Server, *, keep: bool) -> None:
    folder, file = root / archive.folder, root / archive.name
    if folder.exists():
        print(f"{archive.folder}: there already, skipped", flush=True)
        return
    if not file.is_file():
        print(f"{archive.folder}: fetching {archive.name}", flush=True)
        _fetch(f"{server.address}/{archive.path}", file, server.timeout)
    print(f"{archive.folder}: unpacking", flush=True)
    unpack(file, folder)
    if not keep:
        file.unlink()


def _fetch(url: str, file: Path, timeout: float) -> None:
    """Fetches with what only this verb needs, and says how to install it."""
    try:
        from lesionseg.downloading.fetching import retrieve
    except ModuleNotFoundError as error:
        if error.name not in EXTRA:
            raise
        raise InputError(f"Downloading needs {error.name}: pip install 'lesionseg[download]'") from error
    retrieve(url, file, timeout=timeout)


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keeps a second process from appending to the same file; the system takes the lock from one that dies."""
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"Another process is downloading to {root}; wait until it has ended") from error
    try:
        yield
    finally:
        lock.release()
