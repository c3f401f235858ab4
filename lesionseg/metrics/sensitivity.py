"""Sensitivity, the clinic's name for recall."""

from lesionseg.metrics.recall import Recall


class Sensitivity(Recall):
    """`Recall` under the name that the ISIC challenge and clinical papers print beside specificity.

    Example:
        >>> import torch
        >>> metric = Sensitivity()
        >>> target = torch.tensor([[1, 1], [1, 1]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> prediction = torch.tensor([[1, 0], [0, 0]], dtype=torch.uint8).reshape(1, 1, 2, 2)
        >>> metric.update(prediction, target)
        >>> metric.compute()  # 1 of 4
        tensor(0.2500)
    """
