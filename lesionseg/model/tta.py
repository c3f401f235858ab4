"""Test-time augmentation: averages the probabilities of an image that is also mirrored, turned or made smaller.

A lesion has no upright orientation and no fixed distance from the camera, so each view is an equally good photograph of
it, and errors that differ between views average out. Mirroring or turning the image mirrors or turns the mean exactly.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lesionseg.postprocessing.postprocessing import Views


class View(NamedTuple):
    """One view of an image: rows and columns exchanged or not, then mirrored along these axes, then resized."""

    exchanged: bool
    mirrored: tuple[int, ...]
    quarters: int = 4
    """Height and width in quarters of the image's."""

    def of(self, image: Tensor) -> Tensor:
        """Takes the view of (B, C, H, W); exchanged, it is (B, C, W, H). A smaller view is float32."""
        image = image.transpose(-2, -1) if self.exchanged else image
        image = image.flip(self.mirrored) if self.mirrored else image
        height, width = (max(side * self.quarters // 4, 1) for side in image.shape[-2:])
        return image if self.quarters == 4 else _resized(image.float(), height, width)

    def undone(self, seen: Tensor, height: int, width: int) -> Tensor:
        """Reverses `of` for the view or for the network's output of it; the result has the given height and width."""
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
"""The image alone; its four mirror images (the last is a turn by 180 degrees); all eight orientations; or the four
mirror images at two sizes."""


def second_look(predict: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Predicts an image turned by 180 degrees; where its outline differs from the upright one, the outline is doubtful.

    `predict` and `image` are those of `mean_over_views`: (B, C, H, W) -> (B, 1, H, W).
    """
    turned = View(False, (-2, -1))
    return turned.undone(predict(turned.of(image)), *image.shape[-2:])


def mean_over_views(predict: Callable[[Tensor], Tensor], image: Tensor, views: Views) -> Tensor:
    """Averages predictions over views, with one view in memory at a time.

    Args:
        predict: (B, C, H, W) -> (B, 1, H, W), for any H and W.
        image: (B, C, H, W).
        views: A key of `VIEWS`.

    Returns:
        (B, 1, H, W).
    """
    predicted = [view.undone(predict(view.of(image)), *image.shape[-2:]) for view in VIEWS[views]]
    # The mean comes after all views, not between them: int8 exports keep everything after the last convolution exact.
    return torch.stack(predicted).mean(dim=0) if len(predicted) > 1 else predicted[0]
