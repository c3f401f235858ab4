"""The segmenter: everything between 8-bit pixels and a mask, so that training and deployment cannot disagree."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionseg.config.build import DEFAULT_STRIDE
from lesionseg.errors import InputError
from lesionseg.model.tta import mean_prediction, second_look
from lesionseg.postprocessing.postprocessing import Postprocessing, Tta


def stride_of(network: nn.Module) -> int:
    """Returns the number of pixels that a network takes multiples of: its attribute `stride`, or `DEFAULT_STRIDE`."""
    stride = getattr(network, "stride", None)
    return stride if type(stride) is int else DEFAULT_STRIDE  # the stride of a plain convolution is a tuple


class Segmenter(nn.Module):
    """Normalises, pads, runs the network, crops, applies sigmoid and threshold; it is in checkpoints and exports.

    The network maps a normalised image (B, 3, H, W) float to logits (B, 1, H, W), where H and W are multiples of its
    `stride_of`. Mean and std of red, green and blue are in grey levels 0..255. The other arguments are those of
    `Postprocessing`; a fitted one may replace it. Training calls `forward`, which knows no test-time augmentation.

    Raises:
        ValueError: A value is not allowed.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        *,
        mean: Sequence[float],
        std: Sequence[float],
        threshold: float,
        views: Tta = Postprocessing.views,
        largest_component: bool = Postprocessing.largest_component,
        fill_holes: bool = Postprocessing.fill_holes,
    ) -> None:
        super().__init__()
        if len(mean) != 3 or len(std) != 3 or not all(0 <= value <= 255 for value in mean) or min(std) <= 0:
            raise ValueError(
                f"segmenter.mean is {mean} and std {std}; allowed: three numbers each, mean in 0..255, std above 0"
            )
        self.network = network
        self.postprocessing = Postprocessing(
            threshold=threshold, views=views, largest_component=largest_component, fill_holes=fill_holes
        )
        self.register_buffer("mean", per_channel(mean))
        self.register_buffer("std", per_channel(std))

    def forward(self, image: Tensor) -> Tensor:
        """Maps RGB 0..255, (B, 3, H, W) uint8 or floating point of any size, to logits (B, 1, H, W) float32."""
        height, width = image.shape[-2:]
        normalised = (image.to(self.mean.dtype) - self.mean) / self.std  # (B, 3, H, W)
        padded = pad_to_multiple(normalised, stride_of(self.network))
        logits: Tensor = self.network(padded)[..., :height, :width]  # (B, 1, H, W)
        return logits.float()

    @property
    def threshold(self) -> float:
        """A pixel is lesion where its probability is above this, in (0, 1)."""
        return self.postprocessing.threshold

    def probability(self, image: Tensor) -> Tensor:
        """Computes each pixel's lesion probability, (B, 1, H, W) float32 in [0, 1], with test-time augmentation."""
        return mean_prediction(lambda seen: torch.sigmoid(self(seen)), image, self.postprocessing.views)

    def second_look(self, image: Tensor) -> Tensor:
        """Computes the probability of the image turned by 180 degrees, see `lesionseg.model.tta.second_look`."""
        return torch.sigmoid(second_look(self, image))

    def mask(self, image: Tensor) -> Tensor:
        """Computes the mask, (B, 1, H, W) bool, of an image as in `forward`, at the image's size."""
        return regions_of(self.probability(image) > self.threshold, self.postprocessing)


def build_segmenter(settings: Mapping[str, Any], network: nn.Module) -> Segmenter:
    """Wraps a network in the segmenter that a user has configured.

    Raises:
        InputError: A setting is out of its range, of another type, or there is no such setting.
    """
    try:
        return Segmenter(network, **settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"segmenter: {error}") from error


def per_channel(numbers: Sequence[float]) -> Tensor:
    """Returns a number for each of three channels as (1, 3, 1, 1) float32, to compute with images (B, 3, H, W)."""
    return torch.tensor(list(numbers), dtype=torch.float32).view(1, 3, 1, 1)


def regions_of(mask: Tensor, postprocessing: Postprocessing) -> Tensor:
    """Changes regions as post-processing says, on the CPU: (B, 1, H, W) bool -> the same."""
    if not postprocessing.changes_regions:
        return mask
    changed = [postprocessing.regions_of(one) for one in mask[:, 0].cpu().numpy()]
    return torch.from_numpy(np.stack(changed))[:, None].to(mask.device)


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """Pads (B, C, H, W) at the right and bottom to multiples of `multiple` by repeating the last row and column.

    Repeated skin surprises the network less than zeros; an image that fits is returned as it is.
    """
    bottom, right = (-image.shape[-2]) % multiple, (-image.shape[-1]) % multiple
    return functional.pad(image, (0, right, 0, bottom), mode="replicate") if bottom or right else image
