import numpy as np
import pytest
from numpy.typing import NDArray

from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.prediction.prediction import Measures, Prediction


def measured(probability: NDArray[np.float32]) -> Measures:
    prediction = Prediction(probability, (8, 8), 1, Postprocessing(threshold=0.5))
    return prediction.measures(prediction.mask())


def test_everything_is_measured_on_a_hand_drawn_lesion() -> None:
    probability = np.zeros((8, 8), np.float32)
    probability[2:4, 2:6] = 0.75
    measures = measured(probability)
    assert (measures.width, measures.height, measures.area_pixels) == (8, 8, 8)
    assert measures.area_percent == 12.5
    assert measures.centroid == (3.5, 2.5)
    assert measures.mean_confidence == 0.75
    assert measures.agreement is None
    assert measures.expected_jaccard == pytest.approx(0.75)
    assert not measures.touches_border


def test_without_a_lesion_there_is_no_place_and_no_confidence() -> None:
    probability = np.zeros((8, 8), np.float32)
    measures = measured(probability)
    assert (measures.area_pixels, measures.box, measures.centroid, measures.mean_confidence) == (0, None, None, None)
