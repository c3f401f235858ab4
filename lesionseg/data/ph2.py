"""PH2: 200 dermoscopic images of the Pedro Hispano hospital."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import Listing, Source, existing_root
from lesionseg.errors import InputError

IMAGES = "PH2 Dataset images"


@dataclass(frozen=True, kw_only=True)
class Ph2(Source):
    """PH2: 200 pairs (80 common nevi, 80 atypical nevi, 40 melanomas), about 768 x 560 pixels.

    8-bit BMP photographs with 1-bit BMP masks, each in a folder of its own:
    `PH2 Dataset images/IMD002/IMD002_Dermoscopic_Image/IMD002.bmp` and `.../IMD002_lesion/IMD002_lesion.bmp`. The
    `IMD002_roi` folders beside them are skipped. No parts were published; usually all 200 test a model trained on
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
        f"that holds '{IMAGES}' as data.root=..."
    )

    root: Path

    def require(self) -> None:
        """Checks that there are cases."""
        self._cases()

    def listing(self) -> Listing:
        """Pairs each case's photograph with its lesion mask."""
        cases = self._cases()
        photographs = [case / f"{case.name}_Dermoscopic_Image" for case in cases]
        lesions = [case / f"{case.name}_lesion" for case in cases]
        pairing = pair_folders(
            [folder for folder in photographs if folder.is_dir()],
            [folder for folder in lesions if folder.is_dir()],
            mask_suffix="_lesion",
        )
        return Listing({"train": pairing.pairs, "validation": [], "test": []}, official=False, faults=pairing.faults)

    def _cases(self) -> list[Path]:
        root = existing_root(Path(self.root), self.HOW_TO_GET)
        places = (root / IMAGES, root / "PH2Dataset" / IMAGES, root)
        folder = next(place for place in places if place.is_dir())
        cases = sorted(path for path in folder.glob("IMD*") if path.is_dir())
        if not cases:
            raise InputError(f"{folder.absolute()} has no folder IMD002 and so on. {self.HOW_TO_GET}")
        return cases
