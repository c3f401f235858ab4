"""Sources of the ISIC challenges, whose folders are the official parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lesionseg.data.pairing import Pairing, pair_folders
from lesionseg.data.source import PARTS, Listing, Part, Source, existing_root
from lesionseg.errors import InputError

Folders = Mapping[Part, tuple[str, str]]
"""Folder of images and folder of masks by published part."""


def how_to_get(year: int, archives: str) -> str:
    """Returns `HOW_TO_GET` of a challenge."""
    return (
        f"Run python -m lesionseg.download data=isic{year} data.root=..., or download the {archives} from "
        f"https://challenge.isic-archive.com/data/#{year}, unzip them side by side, and give that folder as "
        "data.root=..."
    )


def archives(year: int, folders: Folders) -> tuple[str, ...]:
    """Returns the paths of a challenge's archives; each official folder is a zip file of the same name."""
    return tuple(f"{year}/{name}.zip" for pair in folders.values() for name in pair)


@dataclass(frozen=True, kw_only=True)
class OfficialSource(Source):
    """A challenge's archives, unpacked side by side below `root`.

    Superpixels and tables in the folders are skipped, and masks may end in `_segmentation` in any case. A part whose
    two folders are both missing is empty.

    Attributes:
        root: Folder of the official folders.
    """

    FOLDERS: ClassVar[Folders]
    NEEDED: ClassVar[tuple[Part, ...]]
    """Parts that training needs."""

    root: Path

    def require(self) -> None:
        """Checks that the root and the folders of the needed parts exist."""
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        names = [name for part in self.NEEDED for name in self.FOLDERS[part]]
        missing = [name for name in names if not (root / name).is_dir()]
        if missing:
            raise InputError(f"{root.absolute()} has no folder {', '.join(missing)}. {self.HOW_TO_GET}")

    def listing(self) -> Listing:
        """Pairs `ISIC_*.jpg` with `ISIC_*_segmentation.png` in the folders of each part."""
        existing_root(Path(self.root), self.HOW_TO_GET)
        pairings = {part: self._pairing(part) for part in PARTS}
        return Listing(
            {part: pairing.pairs for part, pairing in pairings.items()},
            official=True,
            faults=[fault for pairing in pairings.values() for fault in pairing.faults],
        )

    def _pairing(self, part: Part) -> Pairing:
        folders = [Path(self.root) / name for name in self.FOLDERS.get(part, ())]
        if not any(folder.is_dir() for folder in folders):
            return Pairing([], [])
        images, masks = folders
        return pair_folders([images], [masks], mask_suffix="_segmentation")
