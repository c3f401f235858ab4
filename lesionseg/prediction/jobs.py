"""Files that a prediction reads and writes, and the journal of what is done already."""

import json
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from zlib_ng import zlib_ng

from lesionseg.data.image_file import file_stamp
from lesionseg.errors import InputError, raise_all
from lesionseg.postprocessing.run_length import Box
from lesionseg.prediction.listing import Picture
from lesionseg.prediction.prediction import Measures

HIDDEN = ".lesionseg"
"""Folder that results' users need not see: the journal, the lock, and unfinished files."""


class OutputFolder:
    """A folder of results in which a file is either whole or not there.

    Files are written under a temporary name on the same disk and then renamed. They are not flushed to the disk one by
    one: after a power failure a file may be damaged, which its checksum in the journal reveals.

    Args:
        root: Path; made if it is missing.

    Raises:
        InputError: It cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidden = root / HIDDEN
        self._unfinished = self.hidden / "unfinished"
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{root}: no folder can be made there ({error}); give another") from error

    def path(self, name: PurePosixPath) -> Path:
        """Returns the path of a result."""
        return self.root / name

    def write(self, name: PurePosixPath, content: bytes) -> None:
        """Writes a file and the folders above it.

        Raises:
            InputError: The disk is full, or the folder cannot be written to.
        """
        target, temporary = self.path(name), self._unfinished / uuid.uuid4().hex
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise InputError(
                f"{target}: cannot be written ({error.strerror}). What was written before is whole; run the same "
                "command again to go on"
            ) from error

    def sweep(self) -> None:
        """Removes what an interrupted run left unfinished; no other process may write there at this time."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(parents=True, exist_ok=True)

    def tidy(self) -> None:
        """Removes the place for unfinished files, and the hidden folder if nothing else is in it."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        if self.hidden.is_dir() and not any(self.hidden.iterdir()):
            self.hidden.rmdir()


@dataclass(frozen=True)
class Job:
    """One image to predict."""

    picture: Picture
    mask: PurePosixPath
    """Path below the folder of masks."""

    @property
    def image(self) -> str:
        """Path of the photograph below the input."""
        return self.picture.name.with_name(self.picture.path.name).as_posix()

    @property
    def probability(self) -> PurePosixPath:
        """Path below the folder of probability maps."""
        return self.picture.name.with_name(f"{self.picture.name.name}.png")

    @property
    def overlay(self) -> PurePosixPath:
        """Path below the folder of overlays."""
        return self.picture.name.with_name(f"{self.picture.name.name}.jpg")


@dataclass(frozen=True)
class Outputs:
    """Folders of results."""

    masks: OutputFolder
    probabilities: OutputFolder | None
    """Folder of probability maps; None if they are not asked for."""
    overlays: OutputFolder | None
    """Folder of overlays; None if they are not asked for."""

    def of(self, job: Job) -> Iterator[Path]:
        """Lists the files that are written for one image."""
        yield self.masks.path(job.mask)
        if self.probabilities:
            yield self.probabilities.path(job.probability)
        if self.overlays:
            yield self.overlays.path(job.overlay)

    def folders(self) -> list[OutputFolder]:
        """Lists the folders in use."""
        return [folder for folder in (self.masks, self.probabilities, self.overlays) if folder is not None]


def jobs_of(pictures: Sequence[Picture], *, suffix: str) -> list[Job]:
    """Names the mask of each picture: `sub/a.jpg` gives `sub/a<suffix>.png`."""
    return [Job(picture, picture.name.with_name(f"{picture.name.name}{suffix}.png")) for picture in pictures]


@dataclass(frozen=True)
class Entry:
    """One finished prediction."""

    image: str
    """Path of the photograph below the input, with its suffix."""
    mask: str
    """Path of the mask below the output."""
    model: str
    """SHA-256 of the model's file."""
    image_stamp: tuple[int, ...]
    """`file_stamp` of the photograph: another one of the same name is predicted anew."""
    mask_crc32: int
    """Checksum of the mask's file: a damaged or foreign one is predicted anew."""
    has_probability: bool
    """Whether a probability map was written."""
    has_overlay: bool
    """Whether an overlay was written."""
    measures: Measures


class Journal:
    """A text file with one line of JSON for each prediction; the last line for a mask counts.

    A line is added before its mask is put in its place. A process that is killed between the two leaves a line without
    its mask, which is noticed; the other way round it would leave a mask of unknown origin.

    Args:
        path: Path; made with the first entry. A line that was cut short by a killed run is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {entry.mask: entry for entry in _read(path)}
        """Entries by the paths of their masks."""

    def add(self, entry: Entry) -> None:
        """Writes a line; several threads may call it."""
        line = json.dumps(asdict(entry), separators=(",", ":"))
        with self._lock:
            # Starts with a line break, since a line that was cut short would swallow this one.
            with self._path.open("ab", buffering=0) as file:
                file.write(f"\n{line}\n".encode())
            self.entries[entry.mask] = entry


def crc32(content: bytes) -> int:
    """Computes the checksum of a file that the journal keeps."""
    return int(zlib_ng.crc32(content))


def _read(path: Path) -> list[Entry]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return [entry for entry in map(_parsed, lines) if entry is not None]


def _parsed(line: str) -> Entry | None:
    """Parses a line; None if it is empty, cut short or not the journal's."""
    try:
        values: dict[str, Any] = json.loads(line)
        measured = values.pop("measures")
        box, centroid = measured.pop("box"), measured.pop("centroid")
        measures = Measures(
            **measured,
            box=Box(**box) if box else None,
            centroid=(centroid[0], centroid[1]) if centroid else None,
        )
        # Journals of earlier versions know less of the photograph, so that its mask is made anew.
        stamp = values.pop("image_stamp", None) or values.pop("image_identity")
        return Entry(**values, image_stamp=tuple(map(int, stamp)), measures=measures)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def unfinished(
    jobs: Sequence[Job], outputs: Outputs, journal: Journal, *, model: str, overwrite: bool, looks_twice: bool
) -> list[Job]:
    """Leaves out jobs that this model has done already.

    Args:
        jobs: All jobs.
        outputs: Folders of the results.
        journal: Journal of the masks.
        model: SHA-256 of the model's file.
        overwrite: Whether files of other origin may be replaced.
        looks_twice: Whether a mask without a second look is unfinished.

    Raises:
        InputError: A file to be written is the photograph itself, or was not made by this model and `overwrite` is
            false.
    """
    photographs = {job.picture.path.resolve() for job in jobs}
    raise_all(
        "Masks would replace the photographs they are made of; give another output=FOLDER, or suffix=_mask:",
        [f"{path}" for job in jobs for path in outputs.of(job) if path.exists() and path.resolve() in photographs],
    )
    left = [job for job in jobs if not _is_done(job, outputs, journal, model, looks_twice)]
    if not overwrite:
        raise_all(
            "These files are there and were not made by this model; give overwrite=true, or another output=FOLDER:",
            [f"{path}" for job in left for path in outputs.of(job) if _is_anothers(path, job, outputs, journal, model)],
        )
    return left


def _is_done(job: Job, outputs: Outputs, journal: Journal, model: str, looks_twice: bool) -> bool:
    """Tells whether this model made the mask of this very photograph, and every file is there, the mask undamaged."""
    entry = journal.entries.get(job.mask.as_posix())
    if entry is None or entry.model != model or not all(path.is_file() for path in outputs.of(job)):
        return False
    if looks_twice and entry.measures.agreement is None:
        return False
    if (outputs.probabilities and not entry.has_probability) or (outputs.overlays and not entry.has_overlay):
        return False
    try:
        same_image = entry.image_stamp == file_stamp(job.picture.path)
        return same_image and crc32(outputs.masks.path(job.mask).read_bytes()) == entry.mask_crc32
    except OSError:
        return False


def _is_anothers(path: Path, job: Job, outputs: Outputs, journal: Journal, model: str) -> bool:
    """Tells whether a file is there that this model did not make, as far as the journal knows."""
    entry = journal.entries.get(job.mask.as_posix())
    return path.exists() and (entry is None or entry.model != model)
