"""Your own images: a folder of photographs and a folder of masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionseg.data.sample import FilePair, pair_by_stem
from lesionseg.data.source import PARTS, Part, Source, existing_root
from lesionseg.data.split import hold_out
from lesionseg.errors import InputError

HOW_TO_GET = (
    "Give a folder with the two folders images/ and masks/ in it, or with train/, validation/ and optionally test/ "
    "that hold images/ and masks/ each: data.root=..."
)


@dataclass(frozen=True, kw_only=True)
class Folder(Source):
    """Images and masks paired by stem, jpg, png, bmp or tif, masks of 0/1 or 0/255.

    With `train/`, `validation/` and (optionally) `test/` below the root, these are the parts. Otherwise all pairs are
    shuffled with `split_seed` and cut; the test part is never used to choose anything.

    Attributes:
        root: The folder that holds them.
        images: Name of the folder of photographs.
        masks: Name of the folder of masks.
        mask_suffix: What a mask's stem has behind its image's, for example `_segmentation`.
        validation_share: Share of all pairs kept for validation, above 0.
        test_share: Share of all pairs kept for the test, 0 for none.
        split_seed: Another seed gives another split; the same one always the same.
    """

    root: Path
    images: str
    masks: str
    mask_suffix: str
    validation_share: float
    test_share: float
    split_seed: int

    def __post_init__(self) -> None:
        """Checks the root and the shares."""
        existing_root(Path(self.root), HOW_TO_GET)
        if self.validation_share <= 0 or self.test_share < 0 or self.validation_share + self.test_share >= 1:
            raise InputError(
                f"data.validation_share is {self.validation_share} and data.test_share {self.test_share}; allowed: "
                "validation above 0, test at least 0, both together below 1"
            )

    def samples(self, part: Part) -> Sequence[FilePair]:
        """Lists the part's pairs sorted by id."""
        if (Path(self.root) / "train").is_dir():
            return self._pairs(Path(self.root) / part) if part != "test" or (Path(self.root) / part).is_dir() else []
        pairs = {pair.id: pair for pair in self._pairs(Path(self.root))}
        ids = hold_out(
            sorted(pairs), validation_share=self.validation_share, test_share=self.test_share, seed=self.split_seed
        )
        return [pairs[id_] for id_ in ids[PARTS.index(part)]]

    def _pairs(self, folder: Path) -> list[FilePair]:
        pairs = pair_by_stem(folder / self.images, folder / self.masks, mask_suffix=self.mask_suffix)
        if not pairs:
            raise InputError(f"{(folder / self.images).absolute()} has no image. {HOW_TO_GET}")
        return pairs
