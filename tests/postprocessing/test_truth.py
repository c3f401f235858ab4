import numpy as np
import pytest

from lesionseg.metrics.overlap import count
from lesionseg.postprocessing.run_length import runs_of
from lesionseg.postprocessing.truth import Truth


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (17, 23)])
@pytest.mark.parametrize(("lesion", "found"), [(0.5, 0.5), (0.1, 0.9), (0.9, 0.1), (0, 0.5), (0.5, 0), (1, 1), (0, 0)])
def test_pixels_are_counted_as_they_are_one_by_one(shape: tuple[int, int], lesion: float, found: float) -> None:
    generator = np.random.default_rng(0)
    target = (generator.random(shape) < lesion).astype(np.uint8)
    prediction = (generator.random(shape) < found).astype(np.uint8)
    assert Truth.of(target).counts(runs_of(prediction.view(bool))) == count(prediction, target)
