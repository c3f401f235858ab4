"""The model as Python code uses it: one image in, one mask out."""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionseg.data.colours import to_eight_bits
from lesionseg.data.image_file import UPRIGHT, Photograph, photograph_of, read_photograph, resize_image
from lesionseg.errors import InputError
from lesionseg.model.engine import NEVER_SAW_A_PHOTOGRAPH, Engine
from lesionseg.prediction.prediction import Prediction

log = logging.getLogger(__name__)

Picture = str | Path | Image.Image | NDArray[np.uint8] | NDArray[np.uint16]
"""A photograph: the path of a file, Pillow's image, or an array (H, W, 3) of sRGB or (H, W) of grey, uint8 0..255 or
uint16 0..65535."""


class Predictor:
    """A model that is ready to predict, as `lesionseg.load` returns it; may be used from several threads.

    Example:
        segmenter = lesionseg.load("best.safetensors")
        mask = segmenter.predict("photo.jpg")
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        if engine.facts.is_of_drawn_images:
            log.warning(NEVER_SAW_A_PHOTOGRAPH)

    @property
    def name(self) -> str:
        """Name of the run that trained the model."""
        return self._engine.facts.name

    @property
    def image_size(self) -> int:
        """Height and width in pixels that images are resized to for the network."""
        return self._engine.facts.image_size

    @property
    def threshold(self) -> float:
        """Probability above which a pixel is lesion."""
        return self._engine.facts.threshold

    @property
    def device(self) -> str:
        """Device that the model runs on, in words."""
        return self._engine.device

    def predict(self, image: Picture) -> NDArray[np.bool_]:
        """Returns a mask (H, W) of bool, true where the lesion is, for the image's pixels as they are stored.

        The network sees an image upright, by the EXIF orientation of a file or Pillow's image.

        Raises:
            InputError: The file cannot be read, or the array is no image.
        """
        return self._prediction(image).mask().pixels().view(np.bool_)

    def probability(self, image: Picture) -> NDArray[np.float32]:
        """Predicts each pixel's probability of lesion, (H, W) in [0, 1], as `predict` takes and places pixels.

        Keeping the largest region and filling holes change the mask alone.
        """
        return self._prediction(image).enlarged()

    def _prediction(self, image: Picture) -> Prediction:
        photograph = _upright(image, self.image_size)
        batch = resize_image(photograph.pixels, self.image_size)[None]
        return Prediction(
            upright=self._engine.probability(np.ascontiguousarray(batch))[0],
            shape=photograph.shape,
            orientation=photograph.orientation,
            postprocessing=self._engine.facts.postprocessing,
        )


def _upright(image: Picture, size: int) -> Photograph:
    """Reads or converts an image; a file may be read at a reduced scale."""
    if isinstance(image, str | Path):
        return read_photograph(Path(image), for_size=size)
    if isinstance(image, Image.Image):
        return photograph_of(image)
    pixels = _rgb(image)
    return Photograph(pixels, pixels.shape[:2], UPRIGHT)


def _rgb(image: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Checks an array, converts it to 8 bits and repeats grey in all channels."""
    found = f"{type(image).__name__} {getattr(image, 'shape', '')} {getattr(image, 'dtype', '')}".strip()
    is_image = isinstance(image, np.ndarray) and image.dtype in (np.uint8, np.uint16) and image.size > 0
    if not is_image or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise InputError(
            f"the image is {found}; allowed: a path, Pillow's image, or an array of uint8 or uint16, "
            "(height, width, 3) in RGB or (height, width) in grey"
        )
    pixels = image if image.dtype == np.uint8 else to_eight_bits(image)
    return np.asarray(pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2), np.uint8)
