"""Hair over the image, which often hides the border of a lesion."""

from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray


class Hair(albumentations.ImageOnlyTransform):  # type: ignore[misc]
    """Draws thin, curved, dark strokes over the image; the mask does not change, since the lesion lies underneath.

    Args:
        most_hairs: Largest number of hairs; the smallest is one.
        p: Probability that hairs are drawn.
    """

    def __init__(self, most_hairs: int, p: float) -> None:
        super().__init__(p=p)
        self.most_hairs = most_hairs

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws the random numbers; all hairs of one image grow in about the same direction."""
        height, width = params["shape"][:2]
        count = self.py_random.randint(1, self.most_hairs)
        start = self.random_generator.uniform(-0.1, 1.1, (count, 1, 2))
        angle = self.random_generator.uniform(0, 2 * np.pi) + self.random_generator.normal(0, 0.4, (count, 1))
        bend = self.random_generator.normal(0, 0.8, (count, 1))
        length = self.random_generator.uniform(0.3, 1.0, (count, 1))
        along = np.linspace(0, 1, 12)[None]  # a hair is a polyline of 12 points
        direction = angle + bend * along
        steps = np.stack([np.cos(direction), np.sin(direction)], axis=-1) * (length / 12)[..., None]
        points = (start + np.cumsum(steps, axis=1)) * (width, height)  # (count, 12, 2)
        return {"points": points, "shade": self.py_random.uniform(0.1, 0.5), "thickness": 1 + max(height, width) // 384}

    def apply(
        self, img: NDArray[np.uint8], points: NDArray[np.float64], shade: float, thickness: int, **_: Any
    ) -> NDArray[np.uint8]:
        """Multiplies (H, W, 3) uint8 RGB by `shade` along the hairs."""
        cover = np.zeros(img.shape[:2], np.uint8)
        subpixel_bits = 4
        lines = np.round(points * 2**subpixel_bits).astype(np.int32)
        cv2.polylines(
            cover,
            list(lines),
            isClosed=False,
            color=255,
            thickness=thickness,
            lineType=cv2.LINE_AA,
            shift=subpixel_bits,
        )
        kept = 1 - cover[..., None].astype(np.float32) * ((1 - shade) / 255)
        return (img * kept).astype(np.uint8)
