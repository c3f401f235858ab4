"""Downloads the archives of a source, unpacks them and verifies the number of pairs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from filelock import FileLock, Timeout
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from lesionseg.config.build import build
from lesionseg.config.command_line import override
from lesionseg.config.value_checks import range_faults
from lesionseg.data.combined import Combined
from lesionseg.data.download_unpacking import unpack
from lesionseg.data.source import Part, Source
from lesionseg.errors import InputError, raise_all

EXAMPLE = "python -m lesionseg.download data=isic2018 data.root=FOLDER"
LOCK = ".lesionseg_download.lock"


def require_server(address: str, timeout: float) -> None:
    """Checks the settings of the server.

    Raises:
        InputError: The address is not of http or https, or the timeout is out of range.
    """
    if not address.startswith(("http://", "https://")):
        raise InputError(f"server is {address}; allowed: an address that begins with https:// or http://")
    for fault in range_faults({"timeout": timeout}):
        raise InputError(f"{fault} seconds")


def chosen_source(cfg: DictConfig) -> tuple[Source, Path]:
    """Builds the source that `data=...` names without touching a file.

    Returns:
        The source, and the absolute path of the folder for its archives, which may not exist yet.

    Raises:
        InputError: No source is given, it has nothing to download, or one of its settings is refused.
    """
    if OmegaConf.is_missing(cfg, "data") or cfg.data is None:
        raise InputError(f"data is not given; say which data to download, for example {EXAMPLE}")
    # The class is asked before an object is built: a source without archives may lack settings for training.
    kind = _source_class(cfg.data["_target_"])
    if issubclass(kind, Combined):
        raise InputError(f"data=combined joins several sources; download each of them by itself, for example {EXAMPLE}")
    if not kind.ARCHIVES:
        raise InputError(f"data={_name(kind)} has no archives to download. {kind.HOW_TO_GET or 'It needs no files.'}")
    root = cfg.data.get("root")
    if not isinstance(root, str) or not root:
        raise InputError(f"data.root is {root!r}; allowed: a folder, for example data.root=data/isic2018")
    return build("data", cfg.data), Path(root).absolute()


def _source_class(target: str) -> type[Source]:
    try:
        kind = get_class(target)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"data._target_ is {target}, which cannot be used: {error}") from error
    if not issubclass(kind, Source):
        raise InputError(f"data._target_ is {target}, which is no data source; take it from conf/data")
    return kind


def _name(kind: type[Source]) -> str:
    """Returns the name of a source on the command line, which is that of its module."""
    return kind.__module__.rpartition(".")[2]


def get_archives(source: Source, root: Path, *, server: str, timeout: float, keep: bool) -> None:
    """Downloads and unpacks the folders of a source that `root` lacks.

    Args:
        source: Source with `ARCHIVES`.
        root: Folder for them, created if needed.
        server: Address that the paths of the archives are appended to.
        timeout: Seconds without an answer after which a connection counts as dropped.
        keep: Whether the zip files stay after unpacking.

    Raises:
        InputError: An archive cannot be fetched, unpacked or written, or another process downloads to `root`. Complete
            folders and incomplete archives are kept.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        with _locked(root):
            for archive in source.ARCHIVES:
                _get(PurePosixPath(archive), root, server.rstrip("/"), timeout=timeout, keep=keep)
    except OSError as error:
        raise InputError(
            f"{error.filename or root} cannot be read or written: {error.strerror or error}; "
            "correct that or give another data.root, and run the same command again; it resumes the download"
        ) from error
    except KeyboardInterrupt:
        print("\nThe downloaded part is kept; run the same command again to resume.", flush=True)
        raise


def _get(archive: PurePosixPath, root: Path, server: str, *, timeout: float, keep: bool) -> None:
    folder, file = root / archive.stem, root / archive.name
    if folder.exists():
        print(f"{folder.name}: there already, skipped", flush=True)
        return
    if not file.is_file():
        print(f"{folder.name}: fetching {file.name}", flush=True)
        _fetch(f"{server}/{archive}", file, timeout)
    print(f"{folder.name}: unpacking", flush=True)
    unpack(file, folder)
    if not keep:
        file.unlink()


def _fetch(url: str, file: Path, timeout: float) -> None:
    try:
        from lesionseg.data.download_fetch import retrieve
    except ModuleNotFoundError as error:
        if error.name != "requests":
            raise
        raise InputError("Downloading needs requests: pip install 'lesionseg[download]'") from error
    retrieve(url, file, timeout=timeout)


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Refuses a second process, which would append to the same files; the lock of a process that dies is released."""
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(f"Another process is downloading to {root}; wait until it has ended") from error
    try:
        yield
    finally:
        lock.release()


def official_counts(source: Source, root: Path) -> dict[Part, int]:
    """Counts the pairs of each published part.

    Raises:
        InputError: Files do not pair up, or a part has another number of pairs than published.
    """
    parts = source.listing().checked().parts
    counts: dict[Part, int] = {part: len(parts[part]) for part in source.OFFICIAL_COUNTS}
    raise_all(
        f"{root} differs from what was published; delete the folders of these parts and run the same command again:",
        [
            f"{part}: found {counts[part]} pairs, expected {expected}"
            for part, expected in source.OFFICIAL_COUNTS.items()
            if counts[part] != expected
        ],
    )
    return counts


def print_next_steps(source: Source, root: Path, counts: Mapping[Part, int]) -> None:
    """Prints where the data are, how many there are, and which commands use them."""
    pairs = ", ".join(f"{part} {count}" for part, count in counts.items())
    chosen = f"data={_name(type(source))} {override('data.root', str(root))}"
    print(f"\nComplete in {root}: {pairs} pairs")
    print(f"\nLook at them:  python -m lesionseg.check_data {chosen}")
    print(f"Train on them: python -m lesionseg.train {chosen}", flush=True)
