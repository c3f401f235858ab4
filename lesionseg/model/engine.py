"""The interface between prediction and a model from any kind of file."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lesionseg.postprocessing.postprocessing import Postprocessing


@dataclass(frozen=True)
class ModelFacts:
    """Facts that a model file states about itself."""

    name: str
    """Name of the run that trained it."""
    image_size: int
    """Height and width in pixels of the network's input."""
    postprocessing: Postprocessing
    """The engine does its test-time augmentation; the mask is left to the caller."""
    sha256: str
    """Hash of the file in hexadecimal digits, which identifies the model."""
    version: str
    """Version of lesionseg that trained it."""
    temperature: float
    """Factor by which its probabilities are too certain, see `lesionseg.postprocessing.temperature`; 1 if unknown."""
    trained_on: frozenset[str]
    """`id_digest` of each training image, so that nobody scores a model on these images by accident."""
    is_of_drawn_images: bool = False
    """Whether all training images were drawn by lesionseg, so that the model has never seen a photograph."""

    @property
    def threshold(self) -> float:
        """A pixel is lesion where its probability is above this, in (0, 1)."""
        return self.postprocessing.threshold


NEVER_SAW_A_PHOTOGRAPH = (
    "This model has never seen a photograph: it was trained on images that lesionseg draws, for trying things out, and "
    "what it makes of photographs means nothing. Train on photographs: data=folder data.root=FOLDER, or data=isic2017"
)
"""Warning about a model with `is_of_drawn_images`."""


class Engine(Protocol):
    """A model that is ready to predict; may be called from several threads at once."""

    facts: ModelFacts
    device: str
    """Device and precision in words, for example `CPU, bf16`."""

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Maps (B, image_size, image_size, 3) RGB 0..255 to lesion probabilities (B, image_size, image_size)."""

    def second_look(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Predicts the same batch turned by 180 degrees, once; differences from `probability` show doubt.

        Exported files, which can only see an image one way, return None.
        """


def id_digest(id_: str) -> str:
    """Digests an image's id without the name of its source, so that model files carry no file names."""
    return hashlib.sha256(id_.rpartition("/")[2].encode()).hexdigest()[:12]
