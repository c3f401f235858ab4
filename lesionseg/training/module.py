"""The Lightning module: one step for every phase."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.plugins.precision import MixedPrecision, Precision
from lightning.pytorch.utilities import GradClipAlgorithmType
from lightning.pytorch.utilities.types import LRSchedulerConfigType
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MeanMetric, Metric, MetricCollection

from lesionseg.config.build import TrainingLength
from lesionseg.data.loader import Batch
from lesionseg.errors import InputError
from lesionseg.loss.combined import CombinedLoss
from lesionseg.model.segmenter import Segmenter, regions_of
from lesionseg.postprocessing.run_length import resize_and_threshold
from lesionseg.training.optimizer import OptimizerFactory, build_optimizer, clips_scaled_gradients, parameter_groups

Phase = Literal["train", "val", "test"]
State = dict[str, Tensor | list[Tensor]]
SchedulerFactory = Callable[[Optimizer, TrainingLength], list[LRSchedulerConfigType]]


class SegmentationModule(LightningModule):
    """Trains, validates and tests a segmenter.

    Logs `<phase>/loss`, each loss term as `<phase>/loss_<term>` and each metric as `<phase>/<metric>`, once an epoch.
    Training and validation are scored at the network's size and with the threshold alone: test-time augmentation and
    regions would slow every epoch down, and are fitted afterwards. The test is scored at each ground truth's own size,
    with the whole post-processing.

    Args:
        segmenter: Segmenter to train.
        metrics: Prototype of every phase's metrics.
        loss: Function of logits and mask; None, as `optimizer` and `scheduler`, for a module that only tests.
        optimizer: Makes the optimizer from parameter groups.
        scheduler: Makes Lightning's scheduler settings.
        record: Plain values that every checkpoint carries, see `lesionseg.checkpoint.layout`.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        metrics: MetricCollection,
        loss: CombinedLoss | None = None,
        optimizer: OptimizerFactory | None = None,
        scheduler: SchedulerFactory | None = None,
        record: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.loss = loss
        self.metrics = nn.ModuleDict({f"{phase}_metrics": metrics.clone() for phase in ("train", "val", "test")})
        names = ["loss"] if loss is None else ["loss", *(f"loss_{term}" for term in loss.terms)]
        self.losses = nn.ModuleDict(
            {f"{phase}_losses": nn.ModuleDict({name: MeanMetric() for name in names}) for phase in ("train", "val")}
        )
        """Means over the epoch's images; Lightning's own means are lost where an epoch is interrupted."""
        self.matrices: dict[str, Tensor] = {}
        """The latest result of every metric that is no single number, by name, for example `val/confusion_matrix`."""
        self._optimizer = optimizer
        self._scheduler = scheduler
        self._record = record

    def forward(self, image: Tensor) -> Tensor:
        """Maps (B, 3, H, W) uint8 to logits (B, 1, H, W)."""
        logits: Tensor = self.segmenter(image)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Returns the loss to minimise."""
        loss = self._step(batch, "train")
        if self.trainer.is_last_batch:  # now, for the callbacks at the end of the epoch come before this module's hook
            self._log_losses("train")
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Scores at the network's size."""
        self._step(batch, "val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, list[Tensor]]:
        """Scores at the ground truth's own size: probabilities are resized, then thresholded.

        Returns:
            `probability`: each image's at that size, (H, W) float32 on the CPU; `mask`: the post-processed mask, (H, W)
            bool on the CPU. Regions that were taken out of the mask are in the probability.
        """
        probability, postprocessing = self.segmenter.probability(batch["image"]), self.segmenter.postprocessing
        probabilities, masks = [], []
        for index, target in enumerate(batch["full_size_mask"]):
            height, width = target.shape[-2:]
            full_size, mask = resize_and_threshold(
                probability[index : index + 1], postprocessing.threshold, (height, width)
            )
            mask = regions_of(mask, postprocessing)
            self.metrics_of("test").update(mask, target.unsqueeze(0))
            probabilities.append(full_size[0, 0].cpu())
            masks.append(mask[0, 0].cpu())
        return {"probability": probabilities, "mask": masks}

    def on_train_epoch_end(self) -> None:
        """Logs the training metrics, and the loss if the epoch was ended before its last batch."""
        self._log_losses("train")
        self._log_metrics("train")

    def on_validation_epoch_end(self) -> None:
        """Logs the validation loss and metrics."""
        self._log_losses("val")
        self._log_metrics("val")

    def on_test_epoch_end(self) -> None:
        """Logs the test metrics."""
        self._log_metrics("test")

    def configure_optimizers(self) -> Any:
        """Builds optimizer and schedules.

        Raises:
            InputError: The training has no end, which a schedule needs.
        """
        if self._optimizer is None or self._scheduler is None:
            return None
        groups, scaled = parameter_groups(self.segmenter), clips_scaled_gradients(self.trainer)
        optimizer = build_optimizer(self._optimizer, groups, clips_scaled_gradients=scaled)
        schedules = self._scheduler(optimizer, self._length())
        for schedule in schedules:
            if "monitor" in schedule:  # which is measured in these epochs alone
                schedule.setdefault("frequency", self.trainer.check_val_every_n_epoch or 1)
        return [optimizer], schedules

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips gradients, with fused optimizers too.

        Lightning refuses to clip for a fused optimizer under any mixed precision, because fp16 gradients are scaled
        until its step. In bf16 nothing is scaled, so the plain way is right.
        """
        precision = self.trainer.precision_plugin
        if isinstance(precision, MixedPrecision) and precision.scaler is None:
            algorithm = GradClipAlgorithmType(gradient_clip_algorithm or GradClipAlgorithmType.NORM)
            Precision.clip_gradients(precision, optimizer, gradient_clip_val or 0, algorithm)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Makes the checkpoint self-contained: what made it, and what its epoch scored."""
        metrics = {name: float(value) for name, value in self.trainer.callback_metrics.items()}
        checkpoint["lesionseg"] = {**(self._record or {}), "metrics": metrics}
        if checkpoint.get("place") == "within_epoch":
            checkpoint["epoch_so_far"] = epoch_so_far(self)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restores what an interrupted epoch has seen."""
        restore_epoch_so_far(self, checkpoint.get("epoch_so_far", {}))

    def metrics_of(self, phase: Phase) -> MetricCollection:
        """Returns a phase's metrics."""
        collection = self.metrics[f"{phase}_metrics"]
        if not isinstance(collection, MetricCollection):
            raise TypeError(f"metrics of {phase} are {type(collection).__name__}")
        return collection

    def _losses_of(self, phase: Phase) -> dict[str, MeanMetric]:
        """Returns a phase's means of the loss and its terms by name; none in a test, which has no loss."""
        means: Any = self.losses[f"{phase}_losses"] if phase != "test" else {}
        return dict(means.items())

    def _step(self, batch: Batch, phase: Phase) -> Tensor:
        """Computes loss and metrics of one batch without waiting for the device."""
        if self.loss is None:
            raise TypeError("this module has no loss: it can only test")
        logits = self.segmenter(batch["image"])  # (B, 1, H, W)
        terms = self.loss.terms_of(logits, batch["mask"])
        loss = self.loss.total(terms)
        for name, mean in self._losses_of(phase).items():
            value = loss if name == "loss" else terms[name.removeprefix("loss_")]
            mean.update(value.detach(), weight=len(logits))
        prediction = torch.sigmoid(logits.detach()) > self.segmenter.threshold
        self.metrics_of(phase).update(prediction, batch["mask"])
        return loss

    def _log_losses(self, phase: Phase) -> None:
        """Logs the means of the loss and its terms over the epoch, in all processes, unless that has been done."""
        for name, mean in self._losses_of(phase).items():
            if mean.update_called:
                self.log(f"{phase}/{name}", mean.compute(), on_step=False, on_epoch=True, batch_size=1)
                mean.reset()

    def _log_metrics(self, phase: Phase) -> None:
        """Logs the epoch's numbers and keeps its matrices."""
        metrics = self.metrics_of(phase)
        results = {f"{phase}/{name}": value for name, value in metrics.compute().items()}
        metrics.reset()
        self.log_dict({name: value for name, value in results.items() if value.ndim == 0})
        self.matrices |= {name: value for name, value in results.items() if value.ndim > 0}

    def _length(self) -> TrainingLength:
        total = self.trainer.estimated_stepping_batches
        epochs = self.trainer.max_epochs
        if math.isinf(total) or epochs is None:
            raise InputError("the training has no end; set trainer.max_epochs or trainer.max_steps")
        return TrainingLength(int(total), max(int(total) // max(epochs, 1), 1))


def epoch_so_far(module: nn.Module) -> dict[str, State]:
    """Collects the states of all metrics below a module that have seen anything of an epoch, by their names."""
    return {name: _state(metric) for name, metric in _metrics(module).items() if metric.update_count > 0}


def restore_epoch_so_far(module: nn.Module, states: Mapping[str, Mapping[str, Any]]) -> None:
    """Gives the metrics below a module the states that `epoch_so_far` has collected."""
    metrics = _metrics(module)
    for name, state in states.items():
        if name not in metrics:
            continue
        for key in metrics[name].metric_state:
            setattr(metrics[name], key, state[key])
        metrics[name]._update_count = 1  # else it would warn that it has seen nothing


def _metrics(module: nn.Module) -> dict[str, Metric]:
    for child in module.modules():
        if isinstance(child, MetricCollection):
            child.values(copy_state=False)  # those that share one state then all have it
    return {name: child for name, child in module.named_modules() if isinstance(child, Metric)}


def _state(metric: Metric) -> State:
    return {name: list(value) if isinstance(value, list) else value for name, value in metric.metric_state.items()}
