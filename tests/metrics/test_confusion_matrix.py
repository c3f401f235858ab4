import pytest
import torch
from sklearn.metrics import confusion_matrix

from lesionseg.metrics.confusion_matrix import ConfusionMatrix


def test_it_is_the_matrix_of_scikit_learn_on_all_pixels() -> None:
    prediction, target = torch.rand(2, 6, 1, 9, 7, generator=torch.Generator().manual_seed(0)) < 0.4
    metric = ConfusionMatrix()
    metric.update(prediction[:2], target[:2])
    metric.update(prediction[2:], target[2:])
    assert metric.compute().tolist() == confusion_matrix(target.flatten(), prediction.flatten()).tolist()


def test_rows_are_truth_and_columns_are_prediction_background_first() -> None:
    metric = ConfusionMatrix()
    target = torch.tensor([[1, 1, 1, 1, 1, 0, 0, 0, 0, 0]]).bool()[None, None]
    prediction = torch.tensor([[1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]).bool()[None, None]
    metric.update(prediction, target)
    assert metric.compute().tolist() == [[4, 1], [2, 3]]


def test_each_image_has_its_own_matrix() -> None:
    metric = ConfusionMatrix()
    metric.update(torch.tensor([1, 0]).bool().reshape(2, 1, 1, 1), torch.tensor([1, 1]).bool().reshape(2, 1, 1, 1))
    assert metric.per_image().tolist() == [[[0, 0], [0, 1]], [[0, 0], [1, 0]]]


def test_nothing_seen_is_all_zero_whole_numbers() -> None:
    with pytest.warns(UserWarning, match="before the ``update``"):
        matrix = ConfusionMatrix().compute()
    assert matrix.tolist() == [[0, 0], [0, 0]]
    assert matrix.dtype == torch.int64
