"""Which files a prediction reads and writes, what is done already, and what must not be overwritten."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lesionseg.data.file_stamp import file_stamp
from lesionseg.errors import raise_all
from lesionseg.prediction.journal import Journal, crc32
from lesionseg.prediction.listing import Picture
from lesionseg.prediction.output_folder import OutputFolder


@dataclass(frozen=True)
class Job:
    """One image to predict."""

    picture: Picture
    mask: PurePosixPath
    """Below the folder of masks."""

    @property
    def image(self) -> str:
        """The photograph's path below the input."""
        return self.picture.name.with_name(self.picture.path.name).as_posix()

    @property
    def probability(self) -> PurePosixPath:
        """Below the folder of probability maps."""
        return self.picture.name.with_name(f"{self.picture.name.name}.png")

    @property
    def overlay(self) -> PurePosixPath:
        """Below the folder of overlays."""
        return self.picture.name.with_name(f"{self.picture.name.name}.jpg")


@dataclass(frozen=True)
class Outputs:
    """Where results go."""

    masks: OutputFolder
    probabilities: OutputFolder | None
    """None where they are not asked for, as `overlays`."""
    overlays: OutputFolder | None

    def of(self, job: Job) -> Iterator[Path]:
        """Lists the files that one image leaves."""
        yield self.masks.path(job.mask)
        if self.probabilities:
            yield self.probabilities.path(job.probability)
        if self.overlays:
            yield self.overlays.path(job.overlay)

    def folders(self) -> list[OutputFolder]:
        """Lists the folders that are in use."""
        return [folder for folder in (self.masks, self.probabilities, self.overlays) if folder is not None]


def jobs_of(pictures: Sequence[Picture], *, suffix: str) -> list[Job]:
    """Names the mask of each picture: `sub/a.jpg` gives `sub/a<suffix>.png`."""
    return [Job(picture, picture.name.with_name(f"{picture.name.name}{suffix}.png")) for picture in pictures]


def unfinished(
    jobs: Sequence[Job], outputs: Outputs, journal: Journal, *, model: str, overwrite: bool, looks_twice: bool = False
) -> list[Job]:
    """Leaves out what this model has done already.

    Args:
        jobs: All.
        outputs: Where results are.
        journal: Of the masks.
        model: SHA-256 of its file.
        overwrite: Whether files of other origin may be replaced.
        looks_twice: Whether a mask that the network has looked at once is unfinished.

    Raises:
        InputError: A file to be written is the photograph itself, or was not made by this model and `overwrite` is not
            set. Nothing is written then.
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
            [f"{path}" for job in left for path in outputs.of(job) if _is_foreign(path, job, outputs, journal, model)],
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


def _is_foreign(path: Path, job: Job, outputs: Outputs, journal: Journal, model: str) -> bool:
    """Tells a file that this model did not make, as far as the journal of the masks knows."""
    entry = journal.entries.get(job.mask.as_posix())
    ours = entry is not None and entry.model == model
    return path.exists() and not ours
