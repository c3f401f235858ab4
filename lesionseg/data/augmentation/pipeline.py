"""The augmentation pipeline: named albumentations steps in the order of the configuration."""

import random
from collections.abc import Mapping

import albumentations
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
