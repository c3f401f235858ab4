"""Downloads the archives of a source, unpacks them and verifies the number of pairs."""

import shutil
import stat
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from filelock import FileLock, Timeout
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from rich.filesize import decimal
from rich.progress import track

from lesionseg.config.build import build
from lesionseg.config.command_line import override
from lesionseg.config.value_checks import range_faults
from lesionseg.data.combined import Combined
from lesionseg.data.names import LITTER
from lesionseg.data.source import Source, Subset
from lesionseg.errors import InputError, raise_all

EXAMPLE = "python -m lesionseg.download data=isic2018 data.root=FOLDER"
LOCK = ".lesionseg_download.lock"
BOMB_RATIO = 100
"""Ratio of unpacked to packed size above which an archive is refused. JPEG and PNG are compressed, so that an archive
of them is close to 1; deflate reaches 1032."""
BOMB_SIZE = 10**9  # unpacked bytes up to which the ratio is not checked: a few black pictures compress well
DAMAGE = (BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""Exceptions of `zipfile` on damaged bytes; the last two for unknown methods and passwords."""


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
    """Returns the name of a source on the command line."""
    return kind.__name__.lower()


def get_archives(source: Source, root: Path, *, server: str, timeout: float, keep: bool) -> None:
    """Downloads and unpacks the folders of a source that `root` lacks.

    Args:
        source: Source with `ARCHIVES`.
        root: Folder for them, created if needed.
        server: Address that the paths of the archives are appended to.
        timeout: Seconds without an answer after which a connection counts as dropped.
        keep: Whether the zip files stay.

    Raises:
        InputError: An archive cannot be fetched, unpacked or written, or another process downloads to `root`. Complete
            folders and incomplete archives are kept.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        # A second process would append to the same files. The lock of a process that dies is released.
        with FileLock(root / LOCK, timeout=0):
            for archive in source.ARCHIVES:
                _get(PurePosixPath(archive), root, server.rstrip("/"), timeout=timeout, keep=keep)
    except Timeout as error:
        raise InputError(f"Another process is downloading to {root}; wait until it has ended") from error
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


def unpack(archive: Path, folder: Path) -> None:
    """Unpacks a zip file to a folder, which must not exist and appears only when it is complete.

    The contents of a top folder of the same name, or of a single folder around everything, are moved up to `folder`.
    The checksums of the members are verified; a damaged archive is deleted.

    Raises:
        InputError: The archive is damaged or empty, has a member that is a link or leaves the folder, does not fit on
            the disk, or unpacks to far more than pictures do.
    """
    temporary = folder.with_name(f".{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a process that was killed
    try:
        temporary.mkdir()
        _extract(archive, temporary)
        _content(temporary, folder.name).rename(folder)
    except DAMAGE as error:
        archive.unlink()
        raise InputError(f"{archive} is damaged ({error}) and has been deleted; run the same command again") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(archive: Path, folder: Path) -> None:
    with ZipFile(archive) as opened:
        members = opened.infolist()
        if all(member.is_dir() for member in members):
            raise BadZipFile("it holds no file")
        raise_all(
            f"{archive} is refused, nothing of it was unpacked; check server=... and delete the file. Its members:",
            [f"{member.filename!r} {fault}" for member in members for fault in _faults(member)],
        )
        _require_room(archive, members, folder)
        hidden = not sys.stdout.isatty()
        for member in track(members, f"unpacking {len(members)} files", transient=True, disable=hidden):
            path = folder.joinpath(*_path(member).parts)
            (path if member.is_dir() else path.parent).mkdir(parents=True, exist_ok=True)
            if not member.is_dir():  # permissions are not restored
                with opened.open(member) as packed, path.open("wb") as file:
                    shutil.copyfileobj(packed, file)


def _path(member: ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))  # some programs for Windows write these


def _faults(member: ZipInfo) -> Iterator[str]:
    """Finds what writes outside the folder, or is no file or folder, by the rules of all systems."""
    path = _path(member)
    if path.is_absolute():
        yield "has an absolute path"
    if PureWindowsPath(member.filename).drive:
        yield "names a drive"
    if ".." in path.parts:
        yield "leads out of the folder with '..'"
    kind = stat.S_IFMT(member.external_attr >> 16)  # of Unix; 0 in archives made elsewhere
    if kind == stat.S_IFLNK:
        yield "is a symbolic link"
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        yield "is no ordinary file"


def _require_room(archive: Path, members: Sequence[ZipInfo], folder: Path) -> None:
    """Checks the announced sizes, which hold: `zipfile` reads no more of a member."""
    total, packed = sum(member.file_size for member in members), archive.stat().st_size
    if total > BOMB_SIZE and total > BOMB_RATIO * packed:
        raise InputError(
            f"{archive} is refused, nothing of it was unpacked: its {decimal(packed)} would become {decimal(total)}, "
            f"more than {BOMB_RATIO} times as much, which pictures never do; check server=... and delete the file"
        )
    free = shutil.disk_usage(folder).free
    if total > free:
        raise InputError(
            f"{archive} needs {decimal(total)} to unpack, but the disk of {folder.parent} has only {decimal(free)} "
            "free; make room and run the same command again, which does not download it again"
        )


def _content(unpacked: Path, name: str) -> Path:
    """Returns the folder that holds the files."""
    inner = [path for path in unpacked.iterdir() if path.name not in LITTER and not path.name.startswith(".")]
    if (unpacked / name).is_dir():
        return _content(unpacked / name, name)
    if len(inner) == 1 and inner[0].is_dir():
        return _content(inner[0], name)
    return unpacked


def official_counts(source: Source, root: Path) -> dict[Subset, int]:
    """Counts the pairs of each published subset.

    Raises:
        InputError: Files do not pair up, or a subset has another number of pairs than published.
    """
    subsets = source.listing().checked().subsets
    counts: dict[Subset, int] = {subset: len(subsets[subset]) for subset in source.OFFICIAL_COUNTS}
    raise_all(
        f"{root} differs from what was published; delete the folders of these subsets and run the same command again:",
        [
            f"{subset}: found {counts[subset]} pairs, expected {expected}"
            for subset, expected in source.OFFICIAL_COUNTS.items()
            if counts[subset] != expected
        ],
    )
    return counts


def print_next_steps(source: Source, root: Path, counts: Mapping[Subset, int]) -> None:
    """Prints where the data are, how many there are, and which commands use them."""
    pairs = ", ".join(f"{subset} {count}" for subset, count in counts.items())
    chosen = f"data={_name(type(source))} {override('data.root', str(root))}"
    print(f"\nComplete in {root}: {pairs} pairs")
    print(f"\nLook at them:  python -m lesionseg.check_data {chosen}")
    print(f"Train on them: python -m lesionseg.train {chosen}", flush=True)
