"""Whoever stops a training early is named, with the setting that changes it."""

from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.demos.boring_classes import BoringModel

from lesionseg.training.stopping import early_stop


class Constant(BoringModel):
    """Validates to the same value after every epoch."""

    value = 0.25

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("val/dice", torch.tensor(self.value))

    def on_validation_epoch_end(self) -> None:
        pass


class Asking(Callback):
    """Stops after the first epoch, for reasons of its own."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.should_stop = True


def fitted(*callbacks: Callback, value: float = 0.25, **settings: Any) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    limits = {"limit_train_batches": 2, "limit_val_batches": 1, "max_epochs": 6, "enable_model_summary": False}
    trainer = Trainer(callbacks=list(callbacks), **{**quiet, **limits, **settings})
    model = Constant()
    model.value = value
    trainer.fit(model)
    return trainer


def patience(validations: int) -> EarlyStopping:
    return EarlyStopping(monitor="val/dice", mode="max", patience=validations)


def test_a_whole_training_has_no_reason() -> None:
    assert early_stop(fitted(patience(20))) is None


@pytest.mark.parametrize(("every", "epochs"), [(1, 3), (2, 6)])
def test_patience_is_named_with_its_best_value_and_counts_validations(every: int, epochs: int) -> None:
    reason = early_stop(fitted(patience(2), max_epochs=12, check_val_every_n_epoch=every))
    assert reason is not None
    assert f"after epoch {epochs} of 12" in reason
    assert "val/dice had not improved on 0.2500 for 2 validations" in reason
    assert "callbacks.early_stopping.patience" in reason


def test_a_value_that_is_not_finite_is_named() -> None:
    reason = early_stop(fitted(patience(2), value=float("nan")))
    assert reason is not None
    assert "not finite" in reason


def test_the_end_of_the_allowed_time_is_named() -> None:
    reason = early_stop(fitted(max_time={"seconds": 0}))
    assert reason is not None
    assert "trainer.max_time" in reason


def test_the_end_of_the_allowed_steps_is_named() -> None:
    reason = early_stop(fitted(max_steps=3))
    assert reason is not None
    assert "trainer.max_steps allows 3 optimizer steps" in reason


def test_anything_else_is_at_least_told() -> None:
    reason = early_stop(fitted(Asking()))
    assert reason is not None
    assert "after epoch 1 of 6" in reason
