"""Finding TensorBoard among the loggers."""

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter


def tensorboard_writers(trainer: Trainer) -> list[SummaryWriter]:
    """Lists the writers of the trainer's TensorBoard loggers; empty without one, or on any process but the first."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return [logger.experiment for logger in loggers if trainer.is_global_zero]
