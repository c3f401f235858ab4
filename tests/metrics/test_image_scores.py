"""What an evaluation knows about its images, and which are its worst."""

import numpy as np
import pytest

from lesionseg.metrics.formula import Counts
from lesionseg.metrics.image_scores import ImageScores, count, worst_first


def test_pixels_are_counted_by_kind() -> None:
    target, prediction = np.array([[1, 1, 1, 0, 0]], np.uint8), np.array([[1, 1, 0, 1, 0]], np.uint8)
    assert count(prediction, target) == Counts(2, 1, 1, 1)


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: one shape"):
        count(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_the_worst_come_first(image_scores: list[ImageScores]) -> None:
    ids = [image.id for image in worst_first(image_scores)]
    assert ids[0] == "ISIC_0000011"
    assert ids[-1] == "ISIC_0000000"
