import numpy as np
import pytest

from lesionseg.postprocessing.run_length import mask_above
from lesionseg.prediction.prediction import measure


def test_everything_is_measured_on_a_hand_drawn_lesion() -> None:
    probability = np.zeros((8, 8), np.float32)
    probability[2:4, 2:6] = 0.75
    measures = measure(mask_above(probability, 0.5, (8, 8)), probability, None, threshold=0.5, temperature=1.0)
    assert (measures.width, measures.height, measures.area_pixels) == (8, 8, 8)
    assert measures.area_percent == 12.5
    assert measures.centroid == (3.5, 2.5)
    assert measures.mean_confidence == 0.75
    assert measures.agreement is None
    assert measures.expected_jaccard == pytest.approx(0.75)
    assert not measures.touches_border


def test_without_a_lesion_there_is_no_place_and_no_confidence() -> None:
    probability = np.zeros((8, 8), np.float32)
    measures = measure(mask_above(probability, 0.5, (8, 8)), probability, None, threshold=0.5, temperature=1.0)
    assert (measures.area_pixels, measures.box, measures.centroid, measures.mean_confidence) == (0, None, None, None)
