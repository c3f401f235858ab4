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
    """Returns the number of pixels that a network takes multiples of: its `stride`, an integer, or `DEFAULT_STRIDE`.

    A plain convolution also has a `stride`, but it is a tuple and has another meaning.
    """
    stride = getattr(network, "stride", None)
    return stride if type(stride) is int else DEFAULT_STRIDE


class Segmenter(nn.Module):
    """Normalises, pads, runs the network, crops, applies the sigmoid and decides; it is checkpointed and exported.

    Args:
        network: An `nn.Module`, normalised image (B, 3, H, W) float -> logits (B, 1, H, W); H and W reach it as
            multiples of its `stride_of`.
        mean: Mean of each of the red, green and blue channels, in grey levels 0..255.
        std: Standard deviation of each channel in the same unit, above 0.
        threshold: See `Postprocessing`.
        views: See `Postprocessing`; training, which calls `forward`, sees the plain image only.
        largest_component: See `Postprocessing`.
        fill_holes: See `Postprocessing`.

    Attributes:
        postprocessing: Made from the last four arguments; a fitted one may replace it.

    Raises:
        ValueError: A number is out of its range, or there are no such views.
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
        self.register_buffer("mean", torch.tensor(list(mean), dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(list(std), dtype=torch.float32).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Computes logits.

        Args:
            image: (B, 3, H, W) RGB 0..255, uint8 or floating point; any H and W, odd ones too.

        Returns:
            (B, 1, H, W) float32 logits.
        """
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
        """Returns each pixel's lesion probability, (B, 1, H, W) float32 in [0, 1], for an image as in `forward`.

        The probability is the mean over `postprocessing.views`.
        """
        return mean_prediction(lambda view: torch.sigmoid(self(view)), image, self.postprocessing.views)

    def second_look(self, image: Tensor) -> Tensor:
        """Returns the probability of the image turned by 180 degrees, see `lesionseg.model.tta.second_look`."""
        return torch.sigmoid(second_look(self, image))

    def mask(self, image: Tensor) -> Tensor:
        """Returns the mask, (B, 1, H, W) bool, true where the lesion is, for an image as in `forward`."""
        return regions_of(self.probability(image) > self.threshold, self.postprocessing)


def build_segmenter(settings: Mapping[str, Any], network: nn.Module) -> Segmenter:
    """Wraps a network in the segmenter that a user has configured.

    Args:
        settings: Arguments of `Segmenter` by name.
        network: First argument of `Segmenter`.

    Raises:
        InputError: A setting is out of its range, of another type, or there is no such setting.
    """
    try:
        return Segmenter(network, **settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"segmenter: {error}") from error


def regions_of(mask: Tensor, postprocessing: Postprocessing) -> Tensor:
    """Applies the decision's changes of regions, on the CPU: (B, 1, H, W) bool -> the same."""
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
