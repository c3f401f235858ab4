"""ISIC 2017 Task 1: lesion segmentation, official folders and splits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lesionseg.data.sample import FilePair, pair_by_stem
from lesionseg.data.source import Part, Source, existing_root
from lesionseg.errors import InputError

FOLDERS: dict[Part, tuple[str, str]] = {
    "train": ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
    "validation": ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
    "test": ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
}
HOW_TO_GET = (
    "Download the six archives of ISIC 2017 Part 1 from https://challenge.isic-archive.com/data/#2017, unzip them "
    "there side by side, and give that folder as data.root=..."
)


@dataclass(frozen=True, kw_only=True)
class Isic2017(Source):
    """The ISIC 2017 challenge, Part 1: 2,000 training, 150 validation and 600 test images.

    JPEG photographs of 540 x 576 to 4499 x 6748 pixels with PNG masks; lesions cover 19.4 % of the pixels in training.
    Superpixel pictures and metadata tables in the same folders are passed over. The official split leaks: training
    ISIC_0012970 and validation ISIC_0012127 are the same picture, so report validation without the latter as well.

    Licence: CC-0. Cite Codella et al., "Skin Lesion Analysis Toward Melanoma Detection: A Challenge at the 2017
    International Symposium on Biomedical Imaging", arXiv:1710.05006.

    Attributes:
        root: The folder that holds the official folders. The test part may be missing: training then skips the test.
    """

    root: Path

    def __post_init__(self) -> None:
        """Checks that the root and its training and validation folders are there."""
        root = existing_root(Path(self.root), HOW_TO_GET)
        missing = [name for part in ("train", "validation") for name in FOLDERS[part] if not (root / name).is_dir()]
        if missing:
            raise InputError(f"{root.absolute()} has no folder {', '.join(missing)}. {HOW_TO_GET}")

    def samples(self, part: Part) -> Sequence[FilePair]:
        """Pairs `ISIC_*.jpg` with `ISIC_*_segmentation.png` in the part's official folders."""
        images, masks = (Path(self.root) / name for name in FOLDERS[part])
        if part == "test" and not images.is_dir() and not masks.is_dir():
            return []
        return pair_by_stem(images, masks, mask_suffix="_segmentation", ignored_suffixes=("_superpixels",))
