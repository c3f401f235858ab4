"""Test-time augmentation: averages the probabilities of an image that is also mirrored, turned or made smaller.

A lesion has no upright orientation and no fixed distance from the camera, so each transformed image is an equally good
photograph of it, and errors that differ between them average out. Mirroring or turning the image mirrors or turns the
mean exactly.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lesionseg.postprocessing.postprocessing import Tta


class Transform(NamedTuple):
    """Exchanges rows and columns or not, then mirrors along axes, then resizes; can be undone."""

    exchanges: bool
    mirrored: tuple[int, ...]
    quarters: int = 4
    """Height and width in quarters of the image's."""

    def apply(self, image: Tensor) -> Tensor:
        """Transforms (B, C, H, W); exchanged, it is (B, C, W, H). A smaller image is float32."""
        image = image.transpose(-2, -1) if self.exchanges else image
        image = image.flip(self.mirrored) if self.mirrored else image
        height, width = (max(side * self.quarters // 4, 1) for side in image.shape[-2:])
        return image if self.quarters == 4 else _resized(image.float(), height, width)

    def undo(self, transformed: Tensor, height: int, width: int) -> Tensor:
        """Reverses `apply` on an image or on the network's output of it; the result has this height and width."""
        image = transformed if self.quarters == 4 else _resized(transformed, height, width)
        image = image.flip(self.mirrored) if self.mirrored else image
        return image.transpose(-2, -1) if self.exchanges else image


def _resized(image: Tensor, height: int, width: int) -> Tensor:
    return functional.interpolate(image, size=(height, width), mode="bilinear")


FLIPS = ((), (-1,), (-2,), (-2, -1))
TRANSFORMS: Mapping[Tta, Sequence[Transform]] = {
    "none": [Transform(False, ())],
    "flips": [Transform(False, axes) for axes in FLIPS],
    "turns": [Transform(exchanges, axes) for exchanges in (False, True) for axes in FLIPS],
    "sizes": [Transform(False, axes, quarters) for quarters in (4, 3) for axes in FLIPS],
}
"""The image alone; its four mirror images (the last is a turn by 180 degrees); all eight orientations; or the four
mirror images at two sizes."""


def second_look(predict: Callable[[Tensor], Tensor], image: Tensor) -> Tensor:
    """Predicts an image turned by 180 degrees; where its outline differs from the upright one, the outline is doubtful.

    `predict` and `image` are those of `mean_prediction`.
    """
    turn = Transform(False, (-2, -1))
    return turn.undo(predict(turn.apply(image)), *image.shape[-2:])


def mean_prediction(predict: Callable[[Tensor], Tensor], image: Tensor, tta: Tta) -> Tensor:
    """Averages the predictions of transformed images, with one of them in memory at a time.

    `predict` maps (B, C, H, W) to (B, 1, H, W) for any H and W, as does this function with an image (B, C, H, W).
    """
    size = image.shape[-2:]
    predicted = [transform.undo(predict(transform.apply(image)), *size) for transform in TRANSFORMS[tta]]
    # The mean comes after all of them, not in between: int8 exports keep everything after the last convolution exact.
    return torch.stack(predicted).mean(dim=0) if len(predicted) > 1 else predicted[0]
