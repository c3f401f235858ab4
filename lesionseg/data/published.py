"""Published data sets: the ISIC challenges of 2016 to 2018, HAM10000 and PH2."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lesionseg.data.pairing import Pairing, pair_folders
from lesionseg.data.source import SUBSETS, Listing, Source, Subset, existing_root
from lesionseg.data.table import with_groups
from lesionseg.errors import InputError

Folders = Mapping[Subset, tuple[str, str]]
"""Folder of images and folder of masks by published subset."""

ISIC2016_FOLDERS: Folders = {
    "train": ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),
    "test": ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
}
ISIC2017_FOLDERS: Folders = {
    "train": ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
    "validation": ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
    "test": ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
}
ISIC2018_FOLDERS: Folders = {
    "train": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    "validation": ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    "test": ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
}
HAM10000_MASKS = "HAM10000_segmentations_lesion_tschandl"
PH2_IMAGES = "PH2 Dataset images"


def _archives(year: int, folders: Folders) -> tuple[str, ...]:
    """Returns the paths of a challenge's archives; each official folder is a zip file of the same name."""
    return tuple(f"{year}/{name}.zip" for pair in folders.values() for name in pair)


def _how_to_get(year: int, archives: str) -> str:
    return (
        f"Run python -m lesionseg.download data=isic{year} data.root=..., or download the {archives} from "
        f"https://challenge.isic-archive.com/data/#{year}, unzip them side by side, and give that folder as "
        "data.root=..."
    )


@dataclass(frozen=True, kw_only=True)
class Challenge(Source):
    """A challenge's archives, unpacked side by side below `root`.

    Superpixels and tables in the folders are skipped, and masks may end in `_segmentation` in any case. A subset whose
    two folders are both missing is empty.

    Attributes:
        root: Folder of the official folders.
    """

    FOLDERS: ClassVar[Folders]
    NEEDED: ClassVar[tuple[Subset, ...]] = ("train", "validation")
    """Subsets that training needs."""

    root: Path

    def require(self) -> None:
        """Checks that the root and the folders of the needed subsets exist."""
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        names = [name for subset in self.NEEDED for name in self.FOLDERS[subset]]
        missing = [name for name in names if not (root / name).is_dir()]
        if missing:
            raise InputError(f"{root.absolute()} has no folder {', '.join(missing)}. {self.HOW_TO_GET}")

    def listing(self) -> Listing:
        """Pairs `ISIC_*.jpg` with `ISIC_*_segmentation.png` in the folders of each subset."""
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        pairings: dict[Subset, Pairing] = {}
        for subset, (images, masks) in self.FOLDERS.items():
            if (root / images).is_dir() or (root / masks).is_dir():
                pairings[subset] = pair_folders([root / images], [root / masks], mask_suffix="_segmentation")
        return Listing(
            {subset: pairings[subset].pairs if subset in pairings else [] for subset in SUBSETS},
            official=True,
            faults=[fault for pairing in pairings.values() for fault in pairing.faults],
        )


@dataclass(frozen=True, kw_only=True)
class Isic2016(Challenge):
    """The ISBI 2016 challenge, Part 1: 900 training and 379 test images.

    JPEG photographs of 566 x 679 to 2848 x 4288 pixels with PNG masks named `ISIC_*_Segmentation.png`. No validation
    subset was published: `data.validation_share` of the training images is cut off for it. Do not test a model of ISIC
    2017 here: 305 of these 379 test images are training images there.

    Get it: `python -m lesionseg.download data=isic2016` (under a gigabyte).
    Licence: CC-0. Cite Gutman et al., "Skin Lesion Analysis toward Melanoma Detection: A Challenge at the International
    Symposium on Biomedical Imaging (ISBI) 2016", arXiv:1605.01397.
    """

    FOLDERS: ClassVar = ISIC2016_FOLDERS
    NEEDED: ClassVar = ("train",)
    ARCHIVES: ClassVar = _archives(2016, ISIC2016_FOLDERS)
    OFFICIAL_COUNTS: ClassVar = {"train": 900, "test": 379}
    HOW_TO_GET: ClassVar = _how_to_get(2016, "four archives of ISIC 2016 Part 1")


@dataclass(frozen=True, kw_only=True)
class Isic2017(Challenge):
    """The ISIC 2017 challenge, Part 1: 2,000 training, 150 validation and 600 test images.

    JPEG photographs of 540 x 576 to 4499 x 6748 pixels with PNG masks; lesions cover 19.4 % of the pixels in training.
    The official split leaks: four validation images show lesions of training images (ISIC_0012127 is ISIC_0012970;
    ISIC_0014946, ISIC_0015124 and ISIC_0015313 are ISIC_0000157, ISIC_0000171 and ISIC_0000215 in other colours), so
    training asks for `data.leaks=drop` (those training images are left out) or `allow`. 1,800 of the training images
    are in ISIC 2018 too, with other outlines for some, and 305 of ISIC 2016's test images are training images here.

    Get it: `python -m lesionseg.download data=isic2017` (several gigabytes).
    Licence: CC-0. Cite Codella et al., "Skin Lesion Analysis Toward Melanoma Detection: A Challenge at the 2017
    International Symposium on Biomedical Imaging", arXiv:1710.05006.
    """

    FOLDERS: ClassVar = ISIC2017_FOLDERS
    ARCHIVES: ClassVar = _archives(2017, ISIC2017_FOLDERS)
    OFFICIAL_COUNTS: ClassVar = {"train": 2000, "validation": 150, "test": 600}
    HOW_TO_GET: ClassVar = _how_to_get(2017, "six archives of ISIC 2017 Part 1")


@dataclass(frozen=True, kw_only=True)
class Isic2018(Challenge):
    """The ISIC 2018 challenge, Task 1: 2,594 training, 100 validation and 1,000 test images.

    JPEG photographs of 540 to 6,700 pixels a side with PNG masks. 1,800 of the training images are ISIC 2017's,
    71 of them with a clearly other outline (intersection over union below 0.95): never mix the two silently.

    Get it: `python -m lesionseg.download data=isic2018` (several gigabytes).
    Licence: CC-BY-NC 4.0. Cite Codella et al., "Skin Lesion Analysis Toward Melanoma Detection 2018: A Challenge Hosted
    by the International Skin Imaging Collaboration (ISIC)", arXiv:1902.03368, and Tschandl et al., "The HAM10000
    dataset", Scientific Data 5, 180161 (2018).
    """

    FOLDERS: ClassVar = ISIC2018_FOLDERS
    ARCHIVES: ClassVar = _archives(2018, ISIC2018_FOLDERS)
    OFFICIAL_COUNTS: ClassVar = {"train": 2594, "validation": 100, "test": 1000}
    HOW_TO_GET: ClassVar = _how_to_get(2018, "six archives of ISIC 2018 Task 1")


def _unsplit(pairing: Pairing) -> Listing:
    return Listing({"train": pairing.pairs, "validation": [], "test": []}, official=False, faults=pairing.faults)


@dataclass(frozen=True, kw_only=True)
class Ham10000(Source):
    """HAM10000: 10,015 dermoscopic images of 7,470 lesions with masks, 600 x 450 pixels.

    Two folders of JPEG photographs, one of PNG masks, and `HAM10000_metadata`. No subsets were published; its
    `lesion_id` keeps the pictures of one lesion together when they are cut. The masks were drawn by a network and
    corrected by a dermatologist. The images are those of ISIC 2018's Task 3; some are in its Task 1 too.

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
        missing += [HAM10000_MASKS] if not (root / HAM10000_MASKS).is_dir() else []
        missing += ["HAM10000_metadata"] if self._metadata() is None else []
        if missing:
            raise InputError(f"{root.absolute()} has no {', '.join(missing)}. {self.HOW_TO_GET}")

    def listing(self) -> Listing:
        """Pairs `ISIC_*.jpg` of all image folders with `ISIC_*_segmentation.png`, grouped by lesion."""
        self.require()
        masks = [Path(self.root) / HAM10000_MASKS]
        listing = _unsplit(pair_folders(self._image_folders(), masks, mask_suffix="_segmentation"))
        return with_groups(listing, self._metadata() or Path(), id_column="image_id", group_column="lesion_id")

    def _image_folders(self) -> list[Path]:
        return sorted(path for path in Path(self.root).glob("HAM10000_images_part*") if path.is_dir())

    def _metadata(self) -> Path | None:
        files = (Path(self.root) / f"HAM10000_metadata{suffix}" for suffix in ("", ".csv", ".tab", ".txt"))
        return next((file for file in files if file.is_file()), None)


@dataclass(frozen=True, kw_only=True)
class Ph2(Source):
    """PH2: 200 pairs (80 common nevi, 80 atypical nevi, 40 melanomas), about 768 x 560 pixels.

    8-bit BMP photographs with 1-bit BMP masks, each in a folder of its own:
    `PH2 Dataset images/IMD002/IMD002_Dermoscopic_Image/IMD002.bmp` and `.../IMD002_lesion/IMD002_lesion.bmp`. The
    `IMD002_roi` folders beside them are skipped. No subsets were published; usually all 200 test a model trained on
    other data: `python -m lesionseg.evaluate checkpoint=... data=ph2 part=all`, or `data=combined`.

    Get it: by request, https://www.fc.up.pt/addi/ph2%20database.html.
    Licence: for research and education, not to be redistributed. Cite Mendonça et al., "PH2 - A dermoscopic image
    database for research and benchmarking", EMBC 2013.

    Attributes:
        root: Folder of `PH2 Dataset images`, or that folder itself.
    """

    OFFICIAL_COUNTS: ClassVar = {"train": 200}
    HOW_TO_GET: ClassVar = (
        "Request PH2 from its authors (https://www.fc.up.pt/addi/ph2%20database.html), unpack it, and give the folder "
        f"that holds '{PH2_IMAGES}' as data.root=..."
    )

    root: Path

    def require(self) -> None:
        """Checks that there are cases."""
        self._cases()

    def listing(self) -> Listing:
        """Pairs each case's photograph with its lesion mask."""
        cases = self._cases()
        photographs, lesions = (
            [folder for case in cases if (folder := case / f"{case.name}_{kind}").is_dir()]
            for kind in ("Dermoscopic_Image", "lesion")
        )
        return _unsplit(pair_folders(photographs, lesions, mask_suffix="_lesion"))

    def _cases(self) -> list[Path]:
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        places = (root / PH2_IMAGES, root / "PH2Dataset" / PH2_IMAGES, root)
        folder = next(place for place in places if place.is_dir())
        cases = sorted(path for path in folder.glob("IMD*") if path.is_dir())
        if not cases:
            raise InputError(f"{folder.absolute()} has no folder IMD002 and so on. {self.HOW_TO_GET}")
        return cases
