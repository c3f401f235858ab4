"""The augmentation pipeline: named albumentations steps in the order of the configuration, and steps of its own."""

import random
from collections.abc import Mapping
from typing import Any

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError

Array = NDArray[np.uint8]


class Augmentation:
    """Runs albumentations steps on an image and its mask together.

    Args:
        steps: Transforms by name, in order; None leaves a step out.

    Raises:
        InputError: A step is no albumentations transform.
    """

    def __init__(self, steps: Mapping[str, albumentations.BasicTransform | albumentations.BaseCompose | None]) -> None:
        kept = {name: step for name, step in steps.items() if step is not None}
        for name, step in kept.items():
            if not isinstance(step, albumentations.BasicTransform | albumentations.BaseCompose):
                raise InputError(
                    f"augmentation.steps.{name} is {type(step).__name__}; allowed: an albumentations transform"
                )
        self.pipeline = albumentations.Compose(list(kept.values()))

    def __call__(self, image: Array, mask: Array, seed: int) -> tuple[Array, Array]:
        """Changes an image and its mask.

        Args:
            image: (H, W, 3) uint8 RGB; not changed.
            mask: (H, W) uint8 in {0, 1}; not changed.
            seed: Seed of every random choice, in any process.

        Returns:
            Image and mask of the same shapes and ranges; the given arrays themselves if no step changed them.
        """
        self.pipeline.set_random_state(np.random.default_rng(seed), random.Random(seed))
        result = self.pipeline(image=image, mask=mask)
        return np.ascontiguousarray(result["image"]), np.ascontiguousarray(result["mask"])


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

    def apply(self, img: Array, points: NDArray[np.float64], shade: float, thickness: int, **_: Any) -> Array:
        """Multiplies (H, W, 3) uint8 RGB by `shade` along the hairs."""
        cover = np.zeros(img.shape[:2], np.uint8)
        subpixel_bits = 4
        lines = np.round(points * 2**subpixel_bits).astype(np.int32)
        cv2.polylines(cover, list(lines), False, 255, thickness, cv2.LINE_AA, subpixel_bits)
        kept = 1 - cover[..., None].astype(np.float32) * ((1 - shade) / 255)
        return (img * kept).astype(np.uint8)
