import math

import pytest
import torch
from sklearn.metrics import jaccard_score

from lesionseg.metrics.threshold_jaccard import ThresholdJaccard


def row(pixels: int) -> torch.Tensor:
    """A lesion of the first `pixels` of 200 pixels; against one of 200 its Jaccard index is pixels / 200."""
    return (torch.arange(200) < pixels).reshape(1, 1, 1, 200)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [(200, 1.0), (131, 131 / 200), (130, 0.65), (129, 0.0), (0, 0.0)],
)
def test_an_image_below_the_threshold_counts_zero(pixels: int, expected: float) -> None:
    metric = ThresholdJaccard(threshold=0.65)
    metric.update(row(pixels), row(200))
    assert metric.compute().item() == pytest.approx(expected)


def test_each_image_is_cut_before_the_mean() -> None:
    metric = ThresholdJaccard(threshold=0.65)
    for pixels in (200, 100, 160):
        metric.update(row(pixels), row(200))
    assert metric.per_image().tolist() == pytest.approx([1.0, 0.0, 0.8])
    assert metric.compute().item() == pytest.approx(1.8 / 3)


def test_each_image_has_the_score_of_scikit_learn_cut() -> None:
    prediction, target = torch.rand(2, 20, 1, 5, 5, generator=torch.Generator().manual_seed(0)) < 0.6
    metric = ThresholdJaccard(threshold=0.4)
    metric.update(prediction, target)
    jaccard = [jaccard_score(g, p) for p, g in zip(prediction.flatten(1), target.flatten(1), strict=True)]
    assert metric.per_image().tolist() == pytest.approx([j if j >= 0.4 else 0.0 for j in jaccard])


def test_empty_truth_and_empty_prediction_is_one() -> None:
    metric = ThresholdJaccard(threshold=0.65)
    metric.update(row(0), row(0))
    assert metric.compute().item() == 1.0


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan, 65])
def test_a_threshold_out_of_range_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        ThresholdJaccard(threshold=threshold)
