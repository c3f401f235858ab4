"""HAM10000 with the lesion masks of Tschandl et al."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lesionseg.data.pairing import pair_folders
from lesionseg.data.sample import Sample
from lesionseg.data.source import Listing, Part, Source, existing_root
from lesionseg.data.table import with_groups
from lesionseg.errors import InputError

MASKS = "HAM10000_segmentations_lesion_tschandl"


@dataclass(frozen=True, kw_only=True)
class Ham10000(Source):
    """HAM10000: 10,015 dermoscopic images of 7,470 lesions with masks, 600 x 450 pixels.

    Two folders of JPEG photographs, one of PNG masks, and `HAM10000_metadata`. No parts were published; its `lesion_id`
    keeps the pictures of one lesion together when they are cut. The masks were drawn by a network and corrected by a
    dermatologist. The images are those of ISIC 2018's Task 3; some are in its Task 1 too.

    Get it: https://doi.org/10.7910/DVN/DBW86T (Harvard Dataverse; its terms must be accepted there).
    Licence: CC-BY-NC 4.0. Cite Tschandl, Rosendahl & Kittler, "The HAM10000 dataset", Scientific Data 5, 180161 (2018);
    for the masks Tschandl et al., "Human-computer collaboration for skin cancer recognition", Nature Medicine 26
    (2020).

    Attributes:
        root: Folder of `HAM10000_images_part_1`, `HAM10000_images_part_2`,
            `HAM10000_segmentations_lesion_tschandl` and `HAM10000_metadata`.
    """

    OFFICIAL_COUNTS: ClassVar = {"train": 10015}
    HOW_TO_GET: ClassVar = (
        "Download HAM10000_images_part_1, HAM10000_images_part_2, HAM10000_segmentations_lesion_tschandl and "
        "HAM10000_metadata from https://doi.org/10.7910/DVN/DBW86T, unzip them side by side, and give that folder as "
        "data.root=..."
    )

    root: Path

    def require(self) -> None:
        """Checks that images, masks and metadata are there."""
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        missing = ["HAM10000_images_part_*"] if not self._image_folders() else []
        missing += [MASKS] if not (root / MASKS).is_dir() else []
        missing += ["HAM10000_metadata"] if self._metadata() is None else []
        if missing:
            raise InputError(f"{root.absolute()} has no {', '.join(missing)}. {self.HOW_TO_GET}")

    def listing(self) -> Listing:
        """Pairs `ISIC_*.jpg` of all image folders with `ISIC_*_segmentation.png`, grouped by lesion."""
        self.require()
        pairing = pair_folders(self._image_folders(), [Path(self.root) / MASKS], mask_suffix="_segmentation")
        parts: dict[Part, Sequence[Sample]] = {"train": pairing.pairs, "validation": [], "test": []}
        listing = Listing(parts, official=False, faults=pairing.faults)
        return with_groups(listing, self._metadata() or Path(), id_column="image_id", group_column="lesion_id")

    def _image_folders(self) -> list[Path]:
        return sorted(path for path in Path(self.root).glob("HAM10000_images_part*") if path.is_dir())

    def _metadata(self) -> Path | None:
        names = ("HAM10000_metadata", "HAM10000_metadata.csv", "HAM10000_metadata.tab", "HAM10000_metadata.txt")
        return next((Path(self.root) / name for name in names if (Path(self.root) / name).is_file()), None)
