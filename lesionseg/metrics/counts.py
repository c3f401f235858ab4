"""True and false positives and negatives of each image: the one state behind every metric."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class Counts(NamedTuple):
    """Pixel counts of N images, each (N,) int64; positive means lesion."""

    true_positives: Tensor
    false_positives: Tensor
    false_negatives: Tensor
    true_negatives: Tensor

    def pooled(self) -> "Counts":
        """Sum over the images into (1,) counts; (0,) when there is no image, so that a score of it has no value either.

        Example:
            >>> two = torch.tensor([3, 4])
            >>> Counts(two, two, two, two).pooled().true_positives
            tensor([7])
        """
        return Counts(*(count.sum(0, keepdim=True)[: len(count)] for count in self))


class PixelCounts(Metric):
    """Count pixels per image, leave the formula to the subclass.

    A subclass defines `score`; `compute` is then the mean of the per-image scores. All subclasses keep the same
    state, so a `MetricCollection` of them counts once a step (one compute group), whatever their number.

    State: `counts`, a list with one (B, 4) int64 tensor per update, columns as in `Counts`; processes concatenate
    theirs, so each image counts once wherever it was scored. What a padded sampler repeats is counted twice: do not
    pad.

    Images of different sizes are welcome across updates, and weigh the same unless the metric is pooled.

    Nothing seen: `compute` is NaN (torchmetrics warns), never a score that looks earned.
    """

    is_differentiable = False
    higher_is_better: bool | None = True
    full_state_update = False

    counts: list[Tensor]

    def __init__(self) -> None:
        """Start with no image."""
        super().__init__()
        self.add_state("counts", default=[], dist_reduce_fx="cat")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Count one batch. Nothing here waits for the device.

        Args:
            prediction: Decided mask (B, 1, H, W), bool or uint8; anything but 0 is lesion.
            target: Ground truth (B, 1, H, W), bool or uint8; anything but 0 is lesion.

        Raises:
            ValueError: If the shapes differ or are not (B, 1, H, W), or a dtype is neither bool nor uint8.
        """
        _check(prediction, target)
        predicted, lesion = prediction.bool().flatten(1), target.bool().flatten(1)  # (B, H * W)
        true_positives = _sum(predicted & lesion)  # (B,)
        false_positives = _sum(predicted) - true_positives
        false_negatives = _sum(lesion) - true_positives
        true_negatives = lesion.shape[1] - true_positives - false_positives - false_negatives
        self.counts.append(torch.stack([true_positives, false_positives, false_negatives, true_negatives], 1).long())

    def image_counts(self) -> Counts:
        """Give the counts of each image seen, in the order seen; (0,) tensors before the first."""
        if isinstance(self.counts, list) and not self.counts:
            return Counts(*torch.zeros(4, 0, dtype=torch.int64, device=self.device))
        return Counts(*dim_zero_cat(self.counts).unbind(1))

    @abstractmethod
    def score(self, counts: Counts) -> Tensor:
        """Score each of N images by its counts; (N,) float32 for all but the confusion matrix."""

    def per_image(self) -> Tensor:
        """Score each image seen so far.

        Returns:
            Scores (N,) float32, in the order seen: this process's images, or inside `sync_context` those of all. In a
            `MetricCollection`, take the metric with `collection["dice"]`, which hands it the shared counts.
        """
        return self.score(self.image_counts())

    def compute(self) -> Tensor:
        """Average over the images; scalar float32."""
        return self.per_image().mean()

    def sync(
        self,
        dist_sync_fn: Callable[..., Any] | None = None,
        process_group: Any | None = None,
        should_sync: bool = True,
        distributed_available: Callable[..., Any] | None = None,
    ) -> None:
        """Gather the counts of all processes, as the parent does, but also where one process saw no image.

        torchmetrics 1.9 stands in for an empty list with a tensor of one dimension, which the other processes' (N, 4)
        cannot be gathered with.
        """
        if isinstance(self.counts, list) and not self.counts:
            self.counts.append(torch.zeros(0, 4, dtype=torch.int64, device=self.device))
        super().sync(dist_sync_fn, process_group, should_sync, distributed_available)


def ratio(numerator: Tensor, denominator: Tensor, *, undefined: float | Tensor) -> Tensor:
    """Divide counts, with a stated value for 0 / 0.

    Args:
        numerator: Counts (N,) int64.
        denominator: Counts (N,) int64, 0 only where the numerator is 0.
        undefined: Value where the denominator is 0, one for all or (N,) float32.

    Returns:
        Quotients (N,) float32.

    Example:
        >>> ratio(torch.tensor([1, 0]), torch.tensor([4, 0]), undefined=1.0)
        tensor([0.2500, 1.0000])
    """
    return torch.where(denominator == 0, undefined, numerator / denominator.clamp_min(1))


def _check(prediction: Tensor, target: Tensor) -> None:
    """Raise ValueError unless both are binary masks (B, 1, H, W) of one shape; the values are not read."""
    if prediction.shape != target.shape or prediction.ndim != 4 or prediction.shape[1] != 1:
        raise ValueError(
            f"A metric got a prediction of shape {tuple(prediction.shape)} and a target of shape {tuple(target.shape)};"
            " both must be the same (B, 1, H, W). Resize the probability, never the target, then threshold it."
        )
    for name, mask in (("prediction", prediction), ("target", target)):
        if mask.dtype not in (torch.bool, torch.uint8):
            raise ValueError(
                f"A metric got a {name} of dtype {mask.dtype}; it takes masks, bool or uint8. "
                "Threshold a probability first, for example probability > 0.5."
            )


def _sum(mask: Tensor) -> Tensor:
    """Count the True pixels of each row (B, N) -> (B,); int32 sums bool 1.6 times faster than int64 on a CPU."""
    return mask.sum(1, dtype=torch.int32)
