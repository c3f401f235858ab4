"""A fit in milliseconds whose every logged value is written down beforehand, and a schedule stepped through."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from lesionseg.config.build import TrainingLength

Values = Mapping[str, Sequence[float]]
Fit = Callable[..., Trainer]
Rates = Callable[..., list[float]]


class Scripted(LightningModule):
    """Logs the values it was given, one an epoch; its only weight falls by 1 a step."""

    def __init__(self, values: Values) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor([10.0]))
        self.values = values

    def training_step(self, batch: Tensor, _: int) -> Tensor:
        self._log("train/")
        return self.weight.sum()

    def validation_step(self, batch: Tensor, _: int) -> None:
        self._log("val/")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def _log(self, prefix: str) -> None:
        values = {name: series[self.current_epoch] for name, series in self.values.items() if name.startswith(prefix)}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=1)


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    """Fits for one epoch a value and returns the trainer."""

    def run(
        values: Values, callbacks: Sequence[Callback], *, sanity_steps: int = 0, validate_every: int = 1
    ) -> Trainer:
        trainer = Trainer(
            accelerator="cpu",
            max_epochs=len(next(iter(values.values()))),
            callbacks=list(callbacks),
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            num_sanity_val_steps=sanity_steps,
            check_val_every_n_epoch=validate_every,
            default_root_dir=tmp_path,
        )
        loader = DataLoader([torch.zeros(1), torch.zeros(1)])  # type: ignore[arg-type]
        trainer.fit(Scripted(values), loader, loader)
        return trainer

    return run


@pytest.fixture
def optimizer() -> Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)


@pytest.fixture
def rates(optimizer: Optimizer) -> Rates:
    """Gives the learning rate of each optimizer step of a training, as shares of the optimizer's own (2.0)."""

    def of(
        schedule: Callable[..., Any], *, total_steps: int = 20, steps_per_epoch: int = 4, **options: Any
    ) -> list[float]:
        settings = schedule(optimizer, TrainingLength(total_steps, steps_per_epoch), **options)
        found = []
        for _ in range(total_steps):
            found.append(optimizer.param_groups[0]["lr"] / 2)
            optimizer.step()
            for setting in settings:
                if setting["interval"] == "step":
                    setting["scheduler"].step()
        return found

    return of
