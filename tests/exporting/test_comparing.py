import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lesionseg.exporting.comparing import at_network_size, at_own_size, difference
from lesionseg.exporting.deployed import Deployed
from lesionseg.model.segmenter import Segmenter


class Everywhere(torch.nn.Module):
    """Gives the logit 0 everywhere: a probability of one half, which is above a threshold of 0.4."""

    stride = 1

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, :1] * 0


class Shifted:
    """An engine whose results differ from these in known places."""

    def __init__(self, shift: float, wrong: int) -> None:
        self.shift, self.wrong = shift, wrong

    def run(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        probability = np.full(images.shape[:3], 0.5, np.float32)
        mask = np.ones(images.shape[:3], np.uint8)
        probability[0, 0, 0] += self.shift
        mask.reshape(-1)[: self.wrong] = 0
        return probability, mask


@pytest.fixture
def deployed() -> Deployed:
    return Deployed(Segmenter(Everywhere(), mean=[0.0] * 3, std=[1.0] * 3, threshold=0.4).eval(), 40)


def test_the_largest_difference_and_the_share_of_decisions_are_counted_over_all_batches(deployed: Deployed) -> None:
    batches = [np.zeros((1, 10, 10, 3), np.uint8), np.zeros((1, 10, 30, 3), np.uint8)]
    found = difference(Shifted(-0.25, wrong=3), deployed, batches)  # type: ignore[arg-type]
    assert found.probability == 0.25
    assert found.mask == 6 / 400


def test_a_result_that_is_no_number_is_never_within_a_tolerance(deployed: Deployed) -> None:
    found = difference(Shifted(float("nan"), 0), deployed, [np.zeros((1, 10, 10, 3), np.uint8)] * 2)  # type: ignore[arg-type]
    assert not found.probability <= 1


def test_photographs_are_compared_at_both_sizes() -> None:
    images = [np.zeros((50, 70, 3), np.uint8), np.zeros((90, 40, 3), np.uint8)]
    assert [batch.shape for batch in at_own_size(images)] == [(1, 50, 70, 3), (1, 90, 40, 3)]
    assert at_network_size(images, 32).shape == (2, 32, 32, 3)
