"""Epochs are converted to optimizer steps, fractions too."""

import pytest

from lesionseg.config.training_length import TrainingLength


@pytest.mark.parametrize(("epochs", "steps"), [(0, 0), (0.5, 10), (1, 20), (2.5, 50), (0.01, 0)])
def test_epochs_become_whole_steps(epochs: float, steps: int) -> None:
    assert TrainingLength(total_steps=100, steps_per_epoch=20).steps(epochs) == steps
