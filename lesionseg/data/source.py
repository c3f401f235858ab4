"""Samples and sources: which images with masks there are, and the published subset of each."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.config.value_checks import LARGEST_SEED
from lesionseg.data.image_file import read_image, read_photograph, resize_image
from lesionseg.data.masks import read_mask, read_white_mask, resize_mask, resize_white_mask
from lesionseg.errors import InputError, raise_all

log = logging.getLogger(__name__)

Array = NDArray[np.uint8]
Subset = Literal["train", "validation", "test"]
SUBSETS: tuple[Subset, ...] = ("train", "validation", "test")
FaultKind = Literal[
    "image_without_mask", "mask_without_image", "images_of_one_name", "masks_of_one_name", "masks_named_otherwise"
]
CacheName = Literal["disk", "memory", "none"]
LeakPolicy = Literal["refuse", "drop", "allow"]
MOST_NAMED = 3  # number of files that a message names
RULES = ("official", "hold_out", "seven_three", "auto")
"""Values of `data.split`, see `lesionseg.data.split`; any other is the file of a manifest."""


class Resized(NamedTuple):
    """A sample at the network's size."""

    image: Array  # (size, size, 3) RGB 0..255
    mask: Array  # (size, size) in {0, 1}
    lesion_share: float  # share of the ground truth's own pixels that is lesion, 0 to 1


@dataclass(frozen=True)
class Sample(ABC):
    """One image and its ground truth, which are read on demand.

    Attributes:
        id: Unique within the source.
        group: Name of the lesion or patient, whose samples are all in one subset; None for a group of its own.
    """

    id: str
    group: str | None = field(default=None, kw_only=True)

    @abstractmethod
    def image(self) -> Array:
        """Reads the image: (H, W, 3) uint8 RGB 0..255 at its own size."""

    @abstractmethod
    def mask(self) -> Array:
        """Reads the ground truth: (H, W) uint8 in {0, 1}, of the image's size."""

    def photograph(self, for_size: int) -> Array:
        """Reads the image for display at about `for_size` pixels: (h, w, 3) uint8 RGB, perhaps at a reduced scale."""
        return self.image()

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that it is read from; none if it is computed."""
        return ()

    def read(self) -> tuple[Array, Array]:
        """Reads image (H, W, 3) and mask (H, W) together.

        Raises:
            InputError: A file cannot be read, or the two differ in size.
        """
        image, mask = self.image(), self.mask()
        self._require_one_size(image.shape[:2], mask.shape)
        return image, mask

    def read_resized(self, size: int) -> Resized:
        """Reads both at (size, size), without keeping the aspect ratio; raises what `read` does."""
        image, mask = self.read()
        return Resized(resize_image(image, size), resize_mask(mask, size), float(mask.mean()))

    def _require_one_size(self, image: tuple[int, ...], mask: tuple[int, ...]) -> None:
        if image != mask:
            raise InputError(
                f"{self.id}: the image is {image[1]} x {image[0]} pixels but its mask is {mask[1]} x {mask[0]}; "
                "export the mask again at the image's size"
            )


@dataclass(frozen=True)
class FilePair(Sample):
    """A sample in two files; large JPEGs are decoded at a reduced scale if they are resized."""

    image_path: Path
    mask_path: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """Image and mask."""
        return self.image_path, self.mask_path

    def image(self) -> Array:
        """Reads the image file."""
        return read_image(self.image_path)

    def photograph(self, for_size: int) -> Array:
        """Reads the image file."""
        return read_photograph(self.image_path, for_size=for_size).pixels

    def mask(self) -> Array:
        """Reads the mask file."""
        return read_mask(self.mask_path)

    def read_resized(self, size: int) -> Resized:
        """Reads both files."""
        photograph, mask = read_photograph(self.image_path, for_size=size), read_white_mask(self.mask_path)
        self._require_one_size(photograph.shape, mask.shape)
        share = cv2.countNonZero(mask) / mask.size
        return Resized(resize_image(photograph.pixels, size), resize_white_mask(mask, size), share)


class PairingFault(NamedTuple):
    """A file that belongs to no pair."""

    kind: FaultKind
    id: str
    path: Path
    text: str  # description for people


@dataclass(frozen=True)
class Listing:
    """Samples of a source.

    Attributes:
        subsets: Samples of each published subset, sorted by id. Without published subsets, all are `train`.
        official: Whether the subsets were published or are folders.
        faults: Files that belong to no sample.
        ungrouped: Ids that a table of lesions or patients, if there is one, does not name.
        found: What was found out about the files, one line for each source.
        passed_over: Picture files that are not used, with reasons.
    """

    subsets: Mapping[Subset, Sequence[Sample]]
    official: bool
    faults: Sequence[PairingFault] = ()
    ungrouped: Sequence[str] = ()
    found: Sequence[str] = ()
    passed_over: Sequence[str] = ()

    def samples(self) -> list[Sample]:
        """Returns all samples sorted by id."""
        return sorted((sample for subset in SUBSETS for sample in self.subsets[subset]), key=lambda sample: sample.id)

    def ids(self) -> dict[Subset, list[str]]:
        """Returns the ids of each subset."""
        return {subset: [sample.id for sample in self.subsets[subset]] for subset in SUBSETS}

    def checked(self) -> "Listing":
        """Returns the listing, and logs what was found and what is unused.

        Raises:
            InputError: Files have no partner or ids are in several subsets; the message lists all of them.
        """
        raise_all(
            "Images and masks do not pair up; add the missing files or take the others out:",
            [fault.text for fault in self.faults],
        )
        raise_all("The subsets overlap; take each image out of all subsets but one:", list(self._overlaps()))
        for line in self.found:
            log.info(line)
        if self.passed_over:
            log.warning("%d pictures are not used: %s", len(self.passed_over), "; ".join(self.passed_over[:MOST_NAMED]))
        return self

    def _overlaps(self) -> Iterator[str]:
        seen: dict[str, Subset] = {}
        for subset, ids in self.ids().items():
            for id_ in ids:
                if id_ in seen:
                    yield f"{id_} is in {seen[id_]} and in {subset}"
                seen[id_] = subset


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """Base of all sources. A new source is a dataclass in a file here, and one YAML.

    Attributes:
        cache: Storage of images at the network's size: `disk` (shared by runs), `memory` or `none` (every file is read
            again each epoch).
        cache_dir: Folder of the disk cache; None for the user's own.
        split: `official`, `hold_out`, `seven_three`, `auto`, or the .json file of a manifest; see
            `lesionseg.data.split`.
        validation_share: Share of the images that a cut puts into validation, above 0.
        test_share: Share that a cut puts into the test subset if none is published, 0 for none.
        folds: Number of folds of a cross-validation, at least 2.
        fold: Number of the fold that validates, 0 to folds - 1; None for no cross-validation.
        split_seed: Seed of every cut.
        leaks: Treatment of lesions that are in several subsets: `refuse` to train, `drop` their images from training
            (and from validation, if the test subset has them), or `allow` them. Recorded in every checkpoint. Leaks in
            a manifest are refused with `drop` too.
    """

    ARCHIVES: ClassVar[tuple[str, ...]] = ()
    """Zip files that `lesionseg.download` fetches, each of one folder of its name, as paths on the server."""
    HOW_TO_GET: ClassVar[str] = ""  # how a user gets the data
    OFFICIAL_COUNTS: ClassVar[Mapping[Subset, int]] = {}  # published number of pairs in each subset

    cache: CacheName
    cache_dir: Path | None
    split: str
    validation_share: float
    test_share: float
    folds: int
    fold: int | None
    split_seed: int
    leaks: LeakPolicy

    def __post_init__(self) -> None:
        """Checks the settings of every source; touches no file."""
        raise_all("The data settings have faults:", list(self._setting_faults()))

    @abstractmethod
    def listing(self) -> Listing:
        """Lists the samples without reading any image.

        Raises:
            InputError: The data are missing; the message says where they were expected and how to get them.
        """

    def require(self) -> None:  # noqa: B027  (a source that reads no files needs none)
        """Checks quickly that the files for training exist; raises what `listing` does."""

    def samples(self, subset: Subset) -> Sequence[Sample]:
        """Lists a published subset, sorted by id; empty if it was not published or is not there.

        Raises:
            InputError: Files are missing or do not pair up.
        """
        return self.listing().checked().subsets[subset]

    def _setting_faults(self) -> Iterator[str]:
        is_manifest = self.split.endswith(".json")
        if self.split not in RULES and not is_manifest:
            yield f"data.split is {self.split}; allowed: {', '.join(RULES)}, or the .json file of a manifest"
        shares = self.validation_share, self.test_share
        if shares[0] <= 0 or shares[1] < 0 or sum(shares) >= 1:
            yield (
                f"data.validation_share is {shares[0]} and data.test_share {shares[1]}; allowed: validation above 0, "
                "test at least 0, both together below 1"
            )
        if self.folds < 2:
            yield f"data.folds is {self.folds}; allowed: at least 2"
        elif self.fold is not None and not 0 <= self.fold < self.folds:
            yield f"data.fold is {self.fold}; allowed: 0 to {self.folds - 1} (data.folds={self.folds}), or null"
        if not 0 <= self.split_seed <= LARGEST_SEED:
            yield f"data.split_seed is {self.split_seed}; allowed: 0 to {LARGEST_SEED}"
        if self.fold is not None and is_manifest:
            yield f"data.split={self.split} is a manifest, which has no folds; remove data.fold={self.fold}"


def existing_root(root: Path, how_to_get: str) -> Path:
    """Returns `root` if it is a folder.

    Raises:
        InputError: It is not; the message says where it was expected and how to get the data.
    """
    if not root.is_dir():
        raise InputError(f"data.root is {root}: there is no folder {root.absolute()}. {how_to_get}")
    return root
