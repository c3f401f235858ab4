"""Random numbers of a training step, such as dropout's, that depend on the seed and the step alone."""

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class StepSeed(Callback):
    """Seeds PyTorch before each training step, so that a resumed training draws what an uninterrupted one would have.

    Each process of several draws its own.

    Args:
        seed: The run's.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Seeds for the step at hand."""
        step = trainer.fit_loop.epoch_loop.total_batch_idx
        torch.manual_seed(step_seed(self.seed, step, trainer.global_rank))


def step_seed(*numbers: int) -> int:
    """Mixes numbers from 0 into a seed of 64 bits, by NumPy's SeedSequence."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0])
