"""ISIC 2017 Task 1: lesion segmentation, official folders and splits."""

from dataclasses import dataclass
from typing import ClassVar

from lesionseg.data.official import Folders, OfficialSource, archives, how_to_get

FOLDERS: Folders = {
    "train": ("ISIC-2017_Training_Data", "ISIC-2017_Training_Part1_GroundTruth"),
    "validation": ("ISIC-2017_Validation_Data", "ISIC-2017_Validation_Part1_GroundTruth"),
    "test": ("ISIC-2017_Test_v2_Data", "ISIC-2017_Test_v2_Part1_GroundTruth"),
}


@dataclass(frozen=True, kw_only=True)
class Isic2017(OfficialSource):
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

    FOLDERS: ClassVar = FOLDERS
    NEEDED: ClassVar = ("train", "validation")
    ARCHIVES: ClassVar = archives(2017, FOLDERS)
    OFFICIAL_COUNTS: ClassVar = {"train": 2000, "validation": 150, "test": 600}
    HOW_TO_GET: ClassVar = how_to_get(2017, "six archives of ISIC 2017 Part 1")
