"""The moving average of the weights follows the formula, step by step, buffers included."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor
from torch.utils.data import DataLoader

from lesionseg.training.ema import Ema

BATCHES = [torch.tensor([[1.0], [3.0]]) * (number + 1) for number in range(7)]
"""Batch k (from 1) has mean 2 k and, unbiased, variance 2 k^2."""


class Falling(LightningModule):
    """A weight that falls from 10 by 1 a step, and a batch normalisation that sees the batches above."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([10.0]))
        self.normalisation = torch.nn.BatchNorm1d(1, affine=False)
        self.validated: list[float] = []
        self.trained: list[float] = []

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        self.trained.append(self.weight.item())
        self.normalisation(batch)
        return self.weight.sum()

    def validation_step(self, batch: Tensor, _: int) -> None:
        self.validated.append(self.weight.item())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def fit(decay: float, folder: Path, epochs: int = 1) -> Falling:
    module = Falling()
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[Ema(decay=decay), ModelCheckpoint(folder, filename="last")],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    trainer.fit(module, DataLoader(BATCHES, batch_size=None), DataLoader(BATCHES[:1], batch_size=None))  # type: ignore[arg-type]
    return module


def averages(values: np.ndarray, decay: float) -> np.ndarray:
    """Mean Teacher's recursion; the average starts at the first step's value."""
    result = [values[0]]
    for updates, value in enumerate(values[1:], start=1):
        kept = min(decay, (1 + updates) / (10 + updates))
        result.append(kept * result[-1] + (1 - kept) * value)
    return np.array(result)


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.99])
def test_weights_follow_the_recursion(tmp_path: Path, decay: float) -> None:
    module = fit(decay, tmp_path)
    assert module.weight.item() == pytest.approx(averages(10 - np.arange(1.0, 8), decay)[-1], abs=1e-5)


def test_buffers_are_averaged_and_counters_copied(tmp_path: Path) -> None:
    module = fit(0.3, tmp_path)
    mean, variance, means, variances = 0.0, 1.0, [], []
    for k in range(1, 8):  # batch normalisation's own momentum is 0.1
        mean, variance = 0.9 * mean + 0.1 * 2 * k, 0.9 * variance + 0.1 * 2 * k**2
        means.append(mean)
        variances.append(variance)
    assert module.normalisation.running_mean.item() == pytest.approx(averages(np.array(means), 0.3)[-1], rel=1e-5)
    assert module.normalisation.running_var.item() == pytest.approx(averages(np.array(variances), 0.3)[-1], rel=1e-5)
    assert module.normalisation.num_batches_tracked.item() == 7
    assert module.normalisation.num_batches_tracked.dtype == torch.int64


def test_validation_sees_the_average_and_training_goes_on_with_the_weights(tmp_path: Path) -> None:
    module = fit(0.5, tmp_path, epochs=2)
    expected = averages(10 - np.arange(1.0, 15), 0.5)
    assert module.validated == pytest.approx([expected[6], expected[13]], abs=1e-5)
    assert module.trained == [10 - step for step in range(14)]


def test_the_checkpoint_holds_the_average_as_the_model_and_the_weights_beside_it(tmp_path: Path) -> None:
    fit(0.5, tmp_path)
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["state_dict"]["weight"].item() == pytest.approx(averages(10 - np.arange(1.0, 8), 0.5)[-1], abs=1e-5)
    assert saved["current_model_state"]["weight"].item() == 3


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5])
def test_a_decay_out_of_range_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match=rf"callbacks\.ema\.decay is {decay}; allowed: 0 to below 1"):
        Ema(decay=decay)
