"""Exponential moving average of the weights."""

from collections.abc import Sequence

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class Ema(WeightAveraging):
    """Keeps a moving average of weights and buffers, which validation uses and checkpoints save as the model.

    The average follows Tarvainen & Valpola (Mean Teacher, 2017): after t updates the decay is
    min(decay, (1 + t) / (10 + t)), so that the random first weights are forgotten quickly.

    Args:
        decay: Share of the average that is kept at each optimizer step, 0 to below 1; 0.998 averages about 500 steps.

    Raises:
        ValueError: The decay is out of its range.
    """

    def __init__(self, *, decay: float) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"callbacks.ema.decay is {decay}; allowed: 0 to below 1")
        self.decay = decay
        super().__init__(multi_avg_fn=self._average)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leaves the weights as the training had them: the last checkpoint, saved now, is to go on from them."""

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Puts the averaged weights into the module."""
        super().on_train_end(trainer, pl_module)

    def _average(self, averaged: Sequence[Tensor], current: Sequence[Tensor], updates: Tensor | int) -> None:
        """Moves every averaged tensor towards its current value, in place."""
        kept = min(self.decay, (1 + int(updates)) / (10 + int(updates)))
        for average, value in zip(averaged, current, strict=True):
            if average.is_floating_point():
                average.lerp_(value, 1 - kept)
            else:  # a counter, such as batch normalisation's number of batches
                average.copy_(value)
