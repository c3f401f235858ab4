"""Files that a prediction writes, and which of them are there already."""

import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lesionseg.data.image_file import file_stamp
from lesionseg.errors import InputError, raise_all
from lesionseg.prediction.journal import Entry, Journal, crc32
from lesionseg.prediction.listing import Picture

HIDDEN = ".lesionseg"
"""Folder that results' users need not see: the journal, the lock, and unfinished files."""


class OutputFolder:
    """A folder of results in which a file is either whole or not there; it is made if it is missing.

    Files are written under a temporary name on the same disk and then renamed. They are not flushed to the disk one by
    one: after a power failure a file may be damaged, which its checksum in the journal reveals.

    Raises:
        InputError: The folder cannot be made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hidden = root / HIDDEN
        self._unfinished = self.hidden / "unfinished"
        try:
            self._unfinished.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{root}: no folder can be made there ({error}); give another") from error

    def write(self, name: PurePosixPath, content: bytes) -> None:
        """Writes a file and the folders above it.

        Raises:
            InputError: The disk is full, or the folder cannot be written to.
        """
        target, temporary = self.root / name, self._unfinished / uuid.uuid4().hex
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
    """One image to predict; the mask of `sub/a.jpg` is `sub/a<suffix>.png`."""

    picture: Picture
    suffix: str

    @property
    def image(self) -> str:
        """Path of the photograph below the input."""
        return self.picture.name.with_name(self.picture.path.name).as_posix()

    @property
    def mask(self) -> PurePosixPath:
        """Path below the folder of masks."""
        return self._named(f"{self.suffix}.png")

    @property
    def probability(self) -> PurePosixPath:
        """Path below the folder of probability maps."""
        return self._named(".png")

    @property
    def overlay(self) -> PurePosixPath:
        """Path below the folder of overlays."""
        return self._named(".jpg")

    def _named(self, ending: str) -> PurePosixPath:
        return self.picture.name.with_name(f"{self.picture.name.name}{ending}")


class Outputs:
    """Folders of results, None for those that are not asked for, and the journal of the masks."""

    def __init__(self, masks: OutputFolder, probabilities: OutputFolder | None, overlays: OutputFolder | None) -> None:
        self.masks, self.probabilities, self.overlays = masks, probabilities, overlays
        self.journal = Journal(masks.hidden / "journal.jsonl")

    def folders(self) -> list[OutputFolder]:
        """Lists the folders in use."""
        return [folder for folder in (self.masks, self.probabilities, self.overlays) if folder is not None]

    def of(self, job: Job) -> Iterator[Path]:
        """Lists the files that are written for one image."""
        yield self.masks.root / job.mask
        if self.probabilities:
            yield self.probabilities.root / job.probability
        if self.overlays:
            yield self.overlays.root / job.overlay

    def unfinished(self, jobs: Sequence[Job], *, model: str, overwrite: bool, looks_twice: bool) -> list[Job]:
        """Leaves out jobs that the model of this SHA-256 has done already, with a second look if it `looks_twice`.

        Raises:
            InputError: A file to be written is the photograph itself, or was not made by this model and `overwrite` is
                false.
        """
        photographs = {job.picture.path.resolve() for job in jobs}
        raise_all(
            "Masks would replace the photographs they are made of; give another output=FOLDER, or suffix=_mask:",
            [f"{path}" for job in jobs for path in self.of(job) if path.exists() and path.resolve() in photographs],
        )
        left = [job for job in jobs if not self._is_done(job, model, looks_twice)]
        if not overwrite:
            raise_all(
                "These files are there and were not made by this model; give overwrite=true, or another output=FOLDER:",
                [f"{path}" for job in left if not self._entry(job, model) for path in self.of(job) if path.exists()],
            )
        return left

    def _entry(self, job: Job, model: str) -> Entry | None:
        """Returns what the journal knows of a job that this model has done."""
        entry = self.journal.entries.get(job.mask.as_posix())
        return entry if entry is not None and entry.model == model else None

    def _is_done(self, job: Job, model: str, looks_twice: bool) -> bool:
        """Tells whether this model made the mask of this very photograph, all files are there, the mask is sound."""
        entry = self._entry(job, model)
        if entry is None or not all(path.is_file() for path in self.of(job)):
            return False
        if looks_twice and entry.measures.agreement is None:
            return False
        if (self.probabilities and not entry.has_probability) or (self.overlays and not entry.has_overlay):
            return False
        try:
            same_image = entry.image_stamp == file_stamp(job.picture.path)
            return same_image and crc32((self.masks.root / job.mask).read_bytes()) == entry.mask_crc32
        except OSError:
            return False
