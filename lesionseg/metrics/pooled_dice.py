"""Pooled Dice coefficient."""

from torch import Tensor

from lesionseg.metrics.dice import Dice


class PooledDice(Dice):
    """`Dice` of the counts summed over all images, as if they were one: large images and large lesions weigh more.

    Not comparable with the per-image mean; shown because many papers report it. Range [0, 1], higher is better. Every
    truth and every prediction empty: 1. Input: see `PixelCounts.update`. Nothing seen: NaN. `per_image` gives each
    image's own `Dice`.

    Example:
        >>> import torch
        >>> metric = PooledDice()
        >>> metric.update(torch.ones(1, 1, 3, 3).bool(), torch.ones(1, 1, 3, 3).bool())  # 9 pixels right
        >>> metric.update(torch.ones(1, 1, 1, 1).bool(), torch.zeros(1, 1, 1, 1).bool())  # 1 pixel wrong
        >>> metric.compute()  # 2 * 9 / (2 * 9 + 1); the mean over images is 0.5
        tensor(0.9474)
    """

    def compute(self) -> Tensor:
        """Score the sum of all images; scalar float32."""
        return self.score(self.image_counts().pooled()).mean()
