"""Sources: which samples there are, and the published part of each."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

from lesionseg.config.value_checks import LARGEST_SEED
from lesionseg.data.sample import Sample
from lesionseg.errors import InputError, raise_all

log = logging.getLogger(__name__)

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
FaultKind = Literal[
    "image_without_mask", "mask_without_image", "images_of_one_name", "masks_of_one_name", "masks_named_otherwise"
]
CacheName = Literal["disk", "memory", "none"]
LeakPolicy = Literal["refuse", "drop", "allow"]
MOST_NAMED = 3
"""Number of files that a message names."""
RULES = ("official", "hold_out", "seven_three", "auto")
"""Values of `data.split`, see `lesionseg.data.split`; any other is the file of a manifest."""


class PairingFault(NamedTuple):
    """A file that belongs to no pair."""

    kind: FaultKind
    id: str
    path: Path
    text: str
    """Description for people."""


@dataclass(frozen=True)
class Listing:
    """Samples of a source.

    Attributes:
        parts: Samples of each published part, sorted by id. Without published parts, all are `train`.
        official: Whether the parts were published or are folders.
        faults: Files that belong to no sample.
        ungrouped: Ids that a table of lesions or patients, if there is one, does not name.
        found: What was found out about the files, one line for each source.
        passed_over: Picture files that are not used, with reasons.
    """

    parts: Mapping[Part, Sequence[Sample]]
    official: bool
    faults: Sequence[PairingFault] = ()
    ungrouped: Sequence[str] = ()
    found: Sequence[str] = ()
    passed_over: Sequence[str] = ()

    def samples(self) -> list[Sample]:
        """Returns all samples sorted by id."""
        return sorted((sample for part in PARTS for sample in self.parts[part]), key=lambda sample: sample.id)

    def ids(self) -> dict[Part, list[str]]:
        """Returns the ids of each part."""
        return {part: [sample.id for sample in self.parts[part]] for part in PARTS}

    def checked(self) -> "Listing":
        """Returns the listing if all files pair up and no id is in two parts; logs what was found and what is unused.

        Raises:
            InputError: Lists all files without a partner, or all ids that are in several parts.
        """
        raise_all(
            "Images and masks do not pair up; add the missing files or take the others out:",
            [fault.text for fault in self.faults],
        )
        raise_all("The parts overlap; take each image out of all parts but one:", list(self._overlaps()))
        for line in self.found:
            log.info(line)
        if self.passed_over:
            log.warning("%d pictures are not used: %s", len(self.passed_over), "; ".join(self.passed_over[:MOST_NAMED]))
        return self

    def _overlaps(self) -> Iterator[str]:
        seen: dict[str, Part] = {}
        for part in PARTS:
            for sample in self.parts[part]:
                if sample.id in seen:
                    yield f"{sample.id} is in {seen[sample.id]} and in {part}"
                seen[sample.id] = part


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
        test_share: Share that a cut puts into the test part if none is published, 0 for none.
        folds: Number of folds of a cross-validation, at least 2.
        fold: Number of the fold that validates, 0 to folds - 1; None for no cross-validation.
        split_seed: Seed of every cut.
        leaks: Treatment of lesions that are in several parts: `refuse` to train, `drop` their images from training (and
            from validation, if the test part has them), or `allow` them. Recorded in every checkpoint.
            Leaks in a manifest are refused with `drop` too.
    """

    ARCHIVES: ClassVar[tuple[str, ...]] = ()
    """Zip files that `lesionseg.download` fetches, each of one folder of its name, as paths on the server."""
    HOW_TO_GET: ClassVar[str] = ""
    """How a user gets the data."""
    OFFICIAL_COUNTS: ClassVar[Mapping[Part, int]] = {}
    """Published number of pairs in each part."""

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
        """Checks quickly that the files for training exist.

        Raises:
            InputError: They do not; the message says where they were expected and how to get the data.
        """

    def samples(self, part: Part) -> Sequence[Sample]:
        """Lists a published part, sorted by id; empty if it was not published or is not there.

        Raises:
            InputError: Files are missing or do not pair up.
        """
        return self.listing().checked().parts[part]

    def _setting_faults(self) -> Iterator[str]:
        if self.split not in RULES and not self.split.endswith(".json"):
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
        if self.fold is not None and self.split.endswith(".json"):
            yield f"data.split={self.split} is a manifest, which has no folds; remove data.fold={self.fold}"


def existing_root(root: Path, how_to_get: str) -> Path:
    """Returns `root` if it is a folder.

    Raises:
        InputError: It is not; the message says where it was expected and how to get the data.
    """
    if not root.is_dir():
        raise InputError(f"data.root is {root}: there is no folder {root.absolute()}. {how_to_get}")
    return root
