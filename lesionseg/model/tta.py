"""Test-time augmentation: the network sees an image mirrored, turned or smaller as well; probabilities are averaged.

A lesion has no upright, and the camera may have been farther away, so each view is as good a photograph of it; the
errors that differ from view to view average out. The mean is as exactly mirrored or turned as the image is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lesionseg.postprocessing.postprocessing import Views


class View(NamedTuple):
    """An orientation, rows and columns exchanged or not, then mirrored along these axes; and a size."""

    exchanged: bool
    mirrored: tuple[int, ...]
    quarters: int = 4
    """Of the height and the width."""

    def of(self, image: Tensor) -> Tensor:
        """Turns (B, C, H, W); with rows and columns exchanged it is (B, C, W, H). A smaller one is float32."""
        image = image.transpose(-2, -1) if self.exchanged else image
        image = image.flip(self.mirrored) if self.mirrored else image
        height, width = (max(side * self.quarters // 4, 1) for side in image.shape[-2:])
        return image if self.quarters == 4 else _resized(image.float(), height, width)

    def undone(self, seen: Tensor, height: int, width: int) -> Tensor:
        """Turns what `of` returns, or what the network makes of it, back to the image's height and width."""
        seen = seen if self.quarters == 4 else _resized(seen, height, width)
        seen = seen.flip(self.mirrored) if self.mirrored else seen
        return seen.transpose(-2, -1) if self.exchanged else seen


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(image, size=(height, width), mode="bilinear")


FLIPS = ((), (-1,), (-2,), (-2, -1))
VIEWS: Mapping[Views, Sequence[View]] = {
    "none": [View(False, ())],
    "flips": [View(False, axes) for axes in FLIPS],
    "turns": [View(exchanged, axes) for exchanged in (False, True) for axes in FLIPS],
    "sizes": [View(False, axes, quarters) for quarters in (4, 3) for axes in FLIPS],
}
"""The image alone; with its mirror images, of which the last is turned by 180 degrees; with all turns, too; or with its
mirror images, each at two sizes."""


def second_look(predict: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Predicts an image turned by 180 degrees: nothing about its lesion changes, so an outline that does is doubtful.

    `predict` and `image` are as in `mean_over_views`: (B, C, H, W) -> (B, 1, H, W).
    """
    turned = View(False, (-2, -1))
    return turned.undone(predict(turned.of(image)), *image.shape[-2:])


def mean_over_views(predict: Callable[[Tensor], Tensor], image: Tensor, views: Views) -> Tensor:
    """Averages predictions over views, one of which is in memory at a time.

    Args:
        predict: (B, C, H, W) -> (B, 1, H, W), for any H and W.
        image: (B, C, H, W).
        views: A key of `VIEWS`.

    Returns:
        (B, 1, H, W).
    """
    predicted = [view.undone(predict(view.of(image)), *image.shape[-2:]) for view in VIEWS[views]]
    # Behind all views, not between them: int8 exports leave what follows the last convolution exact.
    return torch.stack(predicted).mean(dim=0) if len(predicted) > 1 else predicted[0]
