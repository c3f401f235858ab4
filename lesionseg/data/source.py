"""A source: says which samples there are and to which part each belongs."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from lesionseg.data.archive import Archive
from lesionseg.data.pairing import PairingFault
from lesionseg.data.sample import Sample
from lesionseg.errors import InputError, raise_all
from lesionseg.ranges import LARGEST_SEED

log = logging.getLogger(__name__)

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")
CacheName = Literal["disk", "memory", "none"]
LeakPolicy = Literal["refuse", "drop", "allow"]
MOST_NAMED = 3
"""Files named where any number may be meant."""
RULES = ("official", "hold_out", "seven_three", "auto")
"""How a source may be split, see `lesionseg.data.division`; anything else is the file of a manifest."""


@dataclass(frozen=True)
class Listing:
    """What a source has at hand.

    Attributes:
        parts: Samples of each part as published, sorted by id. A source that publishes no parts lists all as `train`.
        official: Whether the parts were published, or given as folders, and are not all there is.
        faults: Files that belong to no sample.
        ungrouped: Ids of which a table of lesions or patients says nothing, where there is such a table.
        found: What was found out about them, a line a source; none where nothing had to be.
        passed_over: Picture files that are not used, and why.
    """

    parts: Mapping[Part, Sequence[Sample]]
    official: bool
    faults: Sequence[PairingFault] = ()
    ungrouped: Sequence[str] = ()
    found: Sequence[str] = ()
    passed_over: Sequence[str] = ()

    def samples(self) -> list[Sample]:
        """Lists all samples sorted by id."""
        return sorted((sample for part in PARTS for sample in self.parts[part]), key=lambda sample: sample.id)

    def ids(self) -> dict[Part, list[str]]:
        """Lists the ids of each part."""
        return {part: [sample.id for sample in self.parts[part]] for part in PARTS}

    def checked(self) -> "Listing":
        """Returns itself if all files pair up and no id is in two parts; logs what was found out, and what is not used.

        Raises:
            InputError: Lists every file that does not fit, or every id that is in several parts.
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
    """Where samples come from. A new one is a dataclass with its options in one file here, and one YAML.

    Attributes:
        cache: Where images at the network's size are kept: `disk` (shared by runs), `memory` or `none` (each file is
            read again every epoch).
        cache_dir: Folder of the disk cache; None for the user's own.
        split: `official`, `hold_out`, `seven_three`, `auto`, or a manifest's .json file, which is then law; see
            `lesionseg.data.division`.
        validation_share: Share of the images that a cut puts into validation, above 0.
        test_share: Share that a cut puts into the test part where none is published, 0 for none.
        folds: Number of folds of a cross-validation, at least 2.
        fold: Which fold validates, 0 to folds - 1; None for no cross-validation.
        split_seed: Another seed cuts otherwise; the same one always alike.
        leaks: What to do about pictures of one lesion in several parts: `refuse` to train, `drop` them from training
            (or, if the test part has them, from validation too), or `allow` them. Recorded in every checkpoint.
            A manifest is never changed: what leaks in one is refused with `drop` too.
    """

    ARCHIVES: ClassVar[tuple[Archive, ...]] = ()
    """What `lesionseg.download` fetches."""
    HOW_TO_GET: ClassVar[str] = ""
    """What a user does to have the data."""
    OFFICIAL_COUNTS: ClassVar[Mapping[Part, int]] = {}
    """Published number of pairs of each part."""

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
        """Checks the settings that every source has; touches no file."""
        raise_all("The data settings have faults:", list(self._setting_faults()))

    @abstractmethod
    def listing(self) -> Listing:
        """Lists what is at hand without reading any image.

        Raises:
            InputError: The data are not there; the message says where it looked and how to get them.
        """

    def require(self) -> None:  # noqa: B027  (a source that reads no files needs none)
        """Checks that what training needs is at hand; cheap.

        Raises:
            InputError: It is not; the message says where it looked and how to get the data.
        """

    def samples(self, part: Part) -> Sequence[Sample]:
        """Lists a part as published, sorted by id; empty where there is none (at hand).

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
            yield f"data.split={self.split} is law and has no folds; take data.fold={self.fold} out"


def existing_root(root: Path, how_to_get: str) -> Path:
    """Returns `root` if it is a folder.

    Raises:
        InputError: It is not; the message says where it was looked for and how to get the data.
    """
    if not root.is_dir():
        raise InputError(f"data.root is {root}: there is no folder {root.absolute()}. {how_to_get}")
    return root
