"""How often a training logs, where an epoch has fewer steps than that."""

from lightning.pytorch import Trainer


def log_interval(trainer: Trainer, *, images: int, batch_size: int, min_batches: int = 1) -> int:
    """Returns the trainer's own number of steps between two logs, but no more than an epoch has.

    Lightning warns of epochs that end before anything is logged, as they do with few images.

    Args:
        trainer: Its `limit_train_batches` counts too.
        images: In the training part.
        batch_size: Images a batch of one process.
        min_batches: Least number of batches of an epoch, for which it passes over few images several times.
    """
    steps = max(images // (batch_size * trainer.world_size), min_batches)
    limit = trainer.limit_train_batches
    most = limit if isinstance(limit, int) else int(steps * limit)
    configured: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning's types lack it
    return max(min(configured, steps, most), 1)
