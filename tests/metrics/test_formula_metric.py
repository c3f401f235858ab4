"""Counting pixels of batches on any device and in several processes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lesionseg.metrics.dice import Dice, PooledDice
from lesionseg.metrics.formula import Counts, Formula
from lesionseg.metrics.formula_metric import FormulaMetric


class Found(Formula):
    """The smallest metric there is: what a user writes."""

    title = "found"
    meaning = "TP."

    def score(self, counts: Counts) -> Any:
        return 1.0 * counts.true_positives


def true_positives() -> FormulaMetric:
    return FormulaMetric(Found())


TARGET = torch.tensor([[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=torch.uint8).reshape(1, 1, 4, 4)
PREDICTION = torch.tensor([[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=torch.uint8).reshape(
    1, 1, 4, 4
)


def counted(metric: FormulaMetric) -> list[list[int]]:
    return metric.image_counts().tolist()


@pytest.mark.parametrize("prediction_dtype", [torch.bool, torch.uint8])
@pytest.mark.parametrize("target_dtype", [torch.bool, torch.uint8])
def test_counts_of_hand_drawn_masks(prediction_dtype: torch.dtype, target_dtype: torch.dtype) -> None:
    metric = true_positives()
    metric.update(PREDICTION.to(prediction_dtype), TARGET.to(target_dtype))
    assert counted(metric) == [[2, 3, 2, 9]]


def test_anything_but_zero_is_lesion() -> None:
    metric = true_positives()
    metric.update(PREDICTION * 255, TARGET * 2)
    assert counted(metric) == [[2, 3, 2, 9]]


def test_each_image_has_a_row_of_int64_in_the_order_seen() -> None:
    metric = true_positives()
    metric.update(torch.cat([PREDICTION, TARGET]), torch.cat([TARGET, TARGET]))
    metric.update(TARGET[..., :2, :2], TARGET[..., :2, :2])  # another size
    assert counted(metric) == [[2, 3, 2, 9], [4, 0, 0, 12], [2, 0, 0, 2]]
    assert metric.per_image().tolist() == [2, 4, 2]
    assert metric.compute().item() == pytest.approx(8 / 3)
    assert [state.dtype for state in metric.counts] == [torch.int64] * 2


def test_masks_that_are_not_contiguous_are_counted_right() -> None:
    metric = true_positives()
    metric.update(PREDICTION.expand(2, 1, 4, 4).mT, TARGET.mT.contiguous().expand(2, 1, 4, 4))
    assert counted(metric) == [[2, 3, 2, 9]] * 2


def test_a_large_image_does_not_overflow_or_round() -> None:
    full = torch.ones(1, 1, 4097, 4097, dtype=torch.bool)  # 2 ** 24 + 8193 pixels: float32 has no odd number up there
    metric = true_positives()
    metric.update(full, full)
    assert counted(metric) == [[4097**2, 0, 0, 0]]


@pytest.mark.parametrize(
    ("prediction_shape", "target_shape"),
    [
        ((1, 1, 4, 4), (1, 4, 4)),
        ((1, 1, 4, 4), (1, 1, 4, 5)),
        ((2, 1, 4, 4), (1, 1, 4, 4)),
        ((1, 2, 4, 4), (1, 2, 4, 4)),
    ],
)
def test_shapes_that_do_not_match_are_refused(prediction_shape: tuple[int, ...], target_shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)") as error:
        true_positives().update(torch.zeros(prediction_shape).bool(), torch.zeros(target_shape).bool())
    assert str(prediction_shape) in str(error.value)
    assert str(target_shape) in str(error.value)


@pytest.mark.parametrize(("wrong", "index"), [("prediction", 0), ("target", 1)])
def test_a_probability_is_refused(wrong: str, index: int) -> None:
    masks = [TARGET, TARGET]
    masks[index] = TARGET * 0.7
    with pytest.raises(ValueError, match=rf"{wrong} of dtype torch\.float32.*[Tt]hreshold"):
        true_positives().update(*masks)


def test_nothing_seen_has_no_images() -> None:
    metric = true_positives()
    assert metric.image_counts().shape == (0, 4)
    assert metric.per_image().shape == (0,)


def test_reset_forgets_every_image() -> None:
    metric = true_positives()
    metric.update(PREDICTION, TARGET)
    metric.reset()
    assert metric.per_image().shape == (0,)


class TwoProcesses:
    """Stands for `torch.distributed`: gathers the states of two metrics of one process, rank 0 first."""

    def __init__(self, *metrics: FormulaMetric) -> None:
        self.metrics = metrics
        for metric in metrics:
            metric.distributed_available_fn = lambda: True
            metric.dist_sync_fn = self.gather

    def gather(self, state: Tensor, group: Any = None) -> list[Tensor]:
        """Return what all_gather returns to every process: each one's state, of one dtype and number of dimensions."""
        empty = state.new_zeros(0, 4)
        gathered = [torch.cat([*metric._cache["counts"], empty]) if metric._cache else None for metric in self.metrics]
        states = [
            torch.cat([*m.counts, empty]) if s is None else s for m, s in zip(self.metrics, gathered, strict=True)
        ]
        assert {(s.ndim, s.dtype) for s in [*states, state]} == {(2, torch.int64)}
        return states


def test_two_processes_give_the_mean_over_all_images_and_get_their_own_back() -> None:
    first, second = true_positives(), true_positives()
    first.update(torch.cat([PREDICTION, TARGET]), torch.cat([TARGET, TARGET]))
    second.update(TARGET, TARGET)
    TwoProcesses(first, second)
    assert first.compute().item() == second.compute().item() == pytest.approx((2 + 4 + 4) / 3)
    assert first.per_image().tolist() == [2, 4]
    with second.sync_context(dist_sync_fn=second.dist_sync_fn):
        assert second.per_image().tolist() == [2, 4, 4]


def test_a_process_without_an_image_joins_in() -> None:
    first, second = true_positives(), true_positives()
    first.update(PREDICTION, TARGET)
    TwoProcesses(first, second)
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert second.compute().item() == 2
    assert first.compute().item() == 2
    assert second.per_image().shape == (0,)


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_nothing_seen_has_no_pooled_score() -> None:
    assert FormulaMetric(PooledDice()).compute().isnan()


def test_the_mean_is_over_images_and_pooled_over_pixels() -> None:
    mean, pooled = FormulaMetric(Dice()), FormulaMetric(PooledDice())
    for metric in (mean, pooled):
        metric.update(torch.ones(1, 1, 3, 3).bool(), torch.ones(1, 1, 3, 3).bool())  # 9 pixels right
        metric.update(torch.ones(1, 1, 1, 1).bool(), torch.zeros(1, 1, 1, 1).bool())  # 1 pixel wrong
    assert mean.compute().item() == 0.5
    assert pooled.compute().item() == pytest.approx(18 / 19)
    assert pooled.per_image().tolist() == [1, 0]
