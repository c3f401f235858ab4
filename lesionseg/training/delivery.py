"""What a finished training hands over, for callbacks whose last picture is to show that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import WeightAveraging

from lesionseg.metrics.formula import Counts
from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.postprocessing import Postprocessing


@dataclass(frozen=True)
class Delivery:
    """A trained model as it is tested, predicts and is exported.

    Attributes:
        segmenter: With the weights and the decision.
        epoch: Epoch of the weights, counted from 1; None where no best checkpoint was kept and they are the last ones.
        counts: Pixels of all validation images at their ground truths' own sizes; None where no decision was fitted.
    """

    segmenter: Segmenter
    epoch: int | None
    counts: Counts | None


class DeliveryCallback(Callback):
    """A callback that is told of the delivery, once, after training and fitting the decision."""

    def on_delivery(self, trainer: Trainer, delivery: Delivery) -> None:
        """Does whatever is to be done with it, in the first process alone."""
        raise NotImplementedError


def deliver(trainer: Trainer, delivery: Delivery) -> None:
    """Tells the trainer's callbacks, in the first process."""
    callbacks: Sequence[Any] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning's types lack it
    for callback in callbacks if trainer.is_global_zero else ():
        if isinstance(callback, DeliveryCallback):
            callback.on_delivery(trainer, delivery)


def weights_in_words(trainer: Trainer, epoch: int | None, *, is_best: bool = False) -> str:
    """Says which weights: `weights of best epoch 12, averaged`."""
    callbacks: Sequence[Any] = getattr(trainer, "callbacks", ())
    averaged = any(isinstance(callback, WeightAveraging) for callback in callbacks)
    moment = "last weights" if epoch is None else f"weights of {'best ' if is_best else ''}epoch {epoch}"
    return f"{moment}, {'averaged' if averaged else 'not averaged'}"


def caption(images: int, of: int, weights: str, postprocessing: Postprocessing, size: str) -> str:
    """Words the line below a picture of validation images: which, of which weights, decided how and at which size."""
    which = f"all {of} images" if images == of else f"{images} of {of} images, evenly spread"
    return f"validation, {which}; {weights}; {postprocessing.briefly()}; {size}"
