"""Linear warm-up: the first steps are small because fresh normalisation statistics and Adam's moments are noisy."""

import logging

from lesionseg.scheduler.length import TrainingLength

log = logging.getLogger(__name__)


def warmup_steps_of(length: TrainingLength, epochs: float) -> int:
    """Converts a warm-up's epochs to optimizer steps, and warns of one that does not end before the training does."""
    steps = length.steps(epochs)
    if steps >= length.total_steps:
        log.warning(
            "The warm-up (scheduler.warmup_epochs=%g) takes %d steps and the training %d: the learning rate never "
            "reaches optimizer.lr. Give fewer warm-up epochs, or train longer.",
            epochs,
            steps,
            length.total_steps,
        )
    return steps


def warmup_factor(step: int, warmup_steps: int) -> float:
    """Returns the learning rate's factor at a step counted from 0, rising in a line to 1 at `warmup_steps`."""
    return min((step + 1) / (warmup_steps + 1), 1.0)


def share_after_warmup(step: int, warmup_steps: int, total_steps: int) -> float:
    """Returns how much of the training after the warm-up is done, 0 to 1."""
    return min(max(step - warmup_steps, 0) / max(total_steps - warmup_steps, 1), 1.0)
