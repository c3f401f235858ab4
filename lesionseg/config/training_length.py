"""How long the training is, in optimizer steps: what a schedule needs to know."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingLength:
    """Optimizer steps in all and in one epoch (fewer than batches when gradients are accumulated)."""

    total_steps: int
    steps_per_epoch: int

    def steps(self, epochs: float) -> int:
        """Converts a number of epochs to optimizer steps."""
        return round(epochs * self.steps_per_epoch)
