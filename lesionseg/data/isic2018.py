"""ISIC 2018 Task 1: lesion segmentation, official folders and splits."""

from dataclasses import dataclass
from typing import ClassVar

from lesionseg.data.official import Folders, OfficialSource, archives, how_to_get

FOLDERS: Folders = {
    "train": ("ISIC2018_Task1-2_Training_Input", "ISIC2018_Task1_Training_GroundTruth"),
    "validation": ("ISIC2018_Task1-2_Validation_Input", "ISIC2018_Task1_Validation_GroundTruth"),
    "test": ("ISIC2018_Task1-2_Test_Input", "ISIC2018_Task1_Test_GroundTruth"),
}


@dataclass(frozen=True, kw_only=True)
class Isic2018(OfficialSource):
    """The ISIC 2018 challenge, Task 1: 2,594 training, 100 validation and 1,000 test images.

    JPEG photographs of 540 to 6,700 pixels a side with PNG masks. 1,800 of the training images are ISIC 2017's,
    71 of them with a clearly other outline (intersection over union below 0.95): never mix the two silently.

    Get it: `python -m lesionseg.download data=isic2018` (several gigabytes).
    Licence: CC-BY-NC 4.0. Cite Codella et al., "Skin Lesion Analysis Toward Melanoma Detection 2018: A Challenge Hosted
    by the International Skin Imaging Collaboration (ISIC)", arXiv:1902.03368, and Tschandl et al., "The HAM10000
    dataset", Scientific Data 5, 180161 (2018).
    """

    FOLDERS: ClassVar = FOLDERS
    NEEDED: ClassVar = ("train", "validation")
    ARCHIVES: ClassVar = archives(2018, FOLDERS)
    OFFICIAL_COUNTS: ClassVar = {"train": 2594, "validation": 100, "test": 1000}
    HOW_TO_GET: ClassVar = how_to_get(2018, "six archives of ISIC 2018 Task 1")
