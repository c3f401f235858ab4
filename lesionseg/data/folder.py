"""Your own images: a folder of photographs and a folder of masks."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lesionseg.data.groups import with_groups
from lesionseg.data.pairing import Pairing, pair_by_stem
from lesionseg.data.source import PARTS, Listing, Part, Source, existing_root
from lesionseg.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    """Images and masks paired by stem: jpg, png, bmp or tif, masks of 0/1 or 0/255, of any sizes.

    With `train/`, `validation/` and (optionally) `test/` below the root, these are the official parts; otherwise the
    pairs are cut. Licence and citation are your own data's.

    Attributes:
        root: The folder that holds them.
        images: Name of the folder of photographs.
        masks: Name of the folder of masks.
        mask_suffix: What a mask's stem has behind its image's, for example `_segmentation`.
        groups: A table below the root that says which patient or lesion each image shows, or None. Its columns are
            `group_id_column` (the image) and `group_column`.
        group_id_column: See `groups`.
        group_column: See `groups`.
    """

    HOW_TO_GET: ClassVar = (
        "Give a folder with the two folders images/ and masks/ in it, or with train/, validation/ and optionally test/ "
        "that hold images/ and masks/ each: data.root=..."
    )

    root: Path
    images: str
    masks: str
    mask_suffix: str
    groups: str | None
    group_id_column: str
    group_column: str

    def require(self) -> None:
        """Checks that the root and its folders are there and hold images."""
        self.listing()

    def listing(self) -> Listing:
        """Lists the pairs, by part where the folders say so."""
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        official = (root / "train").is_dir()
        empty = Pairing([], [])
        pairings = {part: self._part(root / part, part) if official else empty for part in PARTS}
        if not official:
            pairings["train"] = self._pairs(root)
        listing = Listing(
            {part: pairing.pairs for part, pairing in pairings.items()},
            official=official,
            faults=[fault for pairing in pairings.values() for fault in pairing.faults],
        )
        if self.groups is None:
            return listing
        return with_groups(listing, root / self.groups, id_column=self.group_id_column, group_column=self.group_column)

    def _part(self, folder: Path, part: Part) -> Pairing:
        return Pairing([], []) if part == "test" and not folder.is_dir() else self._pairs(folder)

    def _pairs(self, folder: Path) -> Pairing:
        pairing = pair_by_stem(folder / self.images, folder / self.masks, mask_suffix=self.mask_suffix)
        if not pairing.pairs and not pairing.faults:
            raise InputError(f"{(folder / self.images).absolute()} has no image. {self.HOW_TO_GET}")
        return pairing
