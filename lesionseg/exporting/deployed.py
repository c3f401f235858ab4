"""The model as it is handed over: a photograph in, probability and mask of the same size out."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional

from lesionseg.model.segmenter import Segmenter
from lesionseg.postprocessing.run_length import resize_and_threshold

LARGEST_SIDE = 65_536
"""Largest height and width in pixels, and largest batch."""
CHATTER = (
    "torch.onnx._internal.exporter._registration",  # that torchvision, which nothing here uses, is not installed
    "onnxscript",  # what its optimiser removes
    "onnx_ir",  # what its optimiser removes
)


class Deployed(nn.Module):
    """Resizes a photograph, predicts it as the segmenter does, and resizes the probability back.

    Keeping the largest region and filling holes are no steps of a graph: the file's metadata ask for them, whoever
    makes the final mask does them, and the mask here is without.

    An image of the network's size passes both resizings unchanged, so that whoever resizes by other means gets exactly
    the segmenter's probabilities.

    Args:
        segmenter: Segmenter in evaluation mode.
        image_size: Height and width in pixels that its network was trained at.
    """

    def __init__(self, segmenter: Segmenter, image_size: int) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.image_size = image_size

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Computes probability and mask.

        Args:
            image: (B, H, W, 3) uint8 RGB 0..255; any H and W.

        Returns:
            The probability, (B, H, W) float32 in [0, 1], and the mask, (B, H, W) uint8, 1 above the threshold.
        """
        height, width = image.shape[1], image.shape[2]
        size = (self.image_size, self.image_size)
        pixels = image.permute(0, 3, 1, 2).float()  # (B, 3, H, W)
        # With antialiasing, so that every pixel of a large photograph counts and hairs do not alias.
        resized = functional.interpolate(pixels, size=size, mode="bilinear", antialias=True)
        small = self.segmenter.probability(resized)  # (B, 1, S, S)
        probability, mask = resize_and_threshold(small, self.segmenter.threshold, (height, width))
        return probability[:, 0], mask[:, 0].to(torch.uint8)


def exported(deployed: Deployed) -> torch.export.ExportedProgram:
    """Traces the model for any number of images of any size from one pixel on."""
    names = ("batch", "height", "width")
    dimensions = {axis: torch.export.Dim(name, min=1, max=LARGEST_SIDE) for axis, name in enumerate(names)}
    # Two images, higher than wide and not of the network's size, make the trace a general case.
    example = torch.zeros(2, deployed.image_size + 7, deployed.image_size + 3, 3, dtype=torch.uint8)
    with torch.no_grad(), quiet():
        return torch.export.export(deployed.eval(), (example,), dynamic_shapes={"image": dimensions})


@contextmanager
def quiet() -> Iterator[None]:
    """Silences what exporters say to their own developers."""
    loggers = [logging.getLogger(name) for name in CHATTER]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        # torch 2.13 copies its own tree specifications in a way that it has itself deprecated.
        warnings.filterwarnings("ignore", message=r".*LeafSpec.* is deprecated")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
