"""The steps from a network's probability to a mask, shared by testing, prediction and exported models."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lesionseg.postprocessing.regions import with_regions
from lesionseg.postprocessing.run_length import RunLengthMask, mask_above

Views = Literal["none", "flips", "turns", "sizes"]
"""Test-time augmentations: orientations and sizes in which the network sees an image, see `lesionseg.model.tta`."""

SUBJECTS = {
    "none": "the probability",
    "flips": "the mean probability of the image and its three flips",
    "turns": "the mean probability of the image in all eight orientations",
    "sizes": "the mean probability of the image and its three flips, each whole and at three quarters of the size",
}


@dataclass(frozen=True, kw_only=True)
class Postprocessing:
    """Settings of the three steps from a network's probability to a mask.

    1. The probability is averaged over `views` of the image.
    2. It is resized bilinearly to the mask's size, and pixels above the threshold are lesion.
    3. At that size, surplus regions are removed and holes are filled.

    The defaults skip the first and the third step, as files from before these steps do.

    Attributes:
        threshold: In (0, 1).
        views: Test-time augmentation; `flips` takes four times as long, `turns` eight times, `sizes` six times.
        largest_component: Whether only the largest region is kept, see `lesionseg.postprocessing.regions`.
        fill_holes: Whether skin that is surrounded by lesion becomes lesion.

    Raises:
        ValueError: A value is not allowed.
    """

    threshold: float
    views: Views = "none"
    largest_component: bool = False
    fill_holes: bool = False

    def __post_init__(self) -> None:
        """Checks the values."""
        if not 0 < self.threshold < 1:
            raise ValueError(f"segmenter.threshold is {self.threshold}; allowed: between 0 and 1")
        if self.views not in get_args(Views):
            raise ValueError(f"segmenter.views is {self.views}; allowed: {', '.join(get_args(Views))}")
        for name in ("largest_component", "fill_holes"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"segmenter.{name} is {getattr(self, name)}; allowed: true, false")

    @property
    def changes_regions(self) -> bool:
        """Whether the third step changes anything."""
        return self.largest_component or self.fill_holes

    def mask(self, probability: NDArray[np.float32], shape: tuple[int, int]) -> RunLengthMask:
        """Does the second and third step.

        Args:
            probability: (h, w) in [0, 1], at the network's size.
            shape: (H, W) of the mask in pixels.
        """
        return self._with_regions(mask_above(probability, self.threshold, shape))

    def regions_of(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Does the third step on a mask (H, W) bool; returns the mask itself if there is nothing to do."""
        return self._with_regions(RunLengthMask.of(mask)).pixels().view(np.bool_) if self.changes_regions else mask

    def _with_regions(self, mask: RunLengthMask) -> RunLengthMask:
        return with_regions(mask, largest_component=self.largest_component, fill_holes=self.fill_holes)

    def settings(self) -> dict[str, Any]:
        """Returns the settings as plain values by name."""
        return asdict(self)

    def briefly(self) -> str:
        """Names the steps for captions: `threshold 0.45, flips, largest region, holes filled`."""
        views = [] if self.views == "none" else [self.views]
        regions = ["largest region"] * self.largest_component + ["holes filled"] * self.fill_holes
        return ", ".join([f"threshold {self.threshold:g}", *views, *regions])

    def in_words(self) -> str:
        """Describes the decision in one line, for reports."""
        steps = [
            f"lesion is where {SUBJECTS[self.views]}, resized to the ground truth's size, is above {self.threshold:g}"
        ]
        steps += ["only the largest region is kept"] * self.largest_component
        steps += ["holes are filled"] * self.fill_holes
        return "; ".join(steps)
