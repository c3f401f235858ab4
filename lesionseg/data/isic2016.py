"""ISIC 2016 (ISBI 2016) Part 1: lesion segmentation, official folders and splits."""

from dataclasses import dataclass
from typing import ClassVar

from lesionseg.data.official import Folders, OfficialSource, archives, how_to_get

FOLDERS: Folders = {
    "train": ("ISBI2016_ISIC_Part1_Training_Data", "ISBI2016_ISIC_Part1_Training_GroundTruth"),
    "test": ("ISBI2016_ISIC_Part1_Test_Data", "ISBI2016_ISIC_Part1_Test_GroundTruth"),
}


@dataclass(frozen=True, kw_only=True)
class Isic2016(OfficialSource):
    """The ISBI 2016 challenge, Part 1: 900 training and 379 test images.

    JPEG photographs of 566 x 679 to 2848 x 4288 pixels with PNG masks named `ISIC_*_Segmentation.png`. No validation
    part was published: `data.validation_share` of the training images is cut off for it. Do not test a model of ISIC
    2017 here: 305 of these 379 test images are training images there.

    Get it: `python -m lesionseg.download data=isic2016` (under a gigabyte).
    Licence: CC-0. Cite Gutman et al., "Skin Lesion Analysis toward Melanoma Detection: A Challenge at the International
    Symposium on Biomedical Imaging (ISBI) 2016", arXiv:1605.01397.
    """

    FOLDERS: ClassVar = FOLDERS
    NEEDED: ClassVar = ("train",)
    ARCHIVES: ClassVar = archives(2016, FOLDERS)
    OFFICIAL_COUNTS: ClassVar = {"train": 900, "test": 379}
    HOW_TO_GET: ClassVar = how_to_get(2016, "four archives of ISIC 2016 Part 1")
