"""One image in, one mask out: the segmenter as Python code uses it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lesionseg.data.image_file import read_photograph
from lesionseg.data.orientation import stored_orientation
from lesionseg.data.resize import resize_image
from lesionseg.errors import InputError
from lesionseg.prediction.engine import Engine
from lesionseg.prediction.prediction import Prediction

Picture = str | Path | Image.Image | NDArray[np.uint8]
"""A photograph: the path of a file, Pillow's image, or an array (H, W, 3) of RGB or (H, W) of grey, uint8 0..255."""


class Predictor:
    """A model that is ready to predict, as `lesionseg.load` returns it; may be used from several threads.

    Example:
        segmenter = lesionseg.load("best.ckpt")
        mask = segmenter.predict("photo.jpg")
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def name(self) -> str:
        """The name of the run that trained the model."""
        return self._engine.facts.name

    @property
    def image_size(self) -> int:
        """Height and width in pixels that images are resized to for the network."""
        return self._engine.facts.image_size

    @property
    def threshold(self) -> float:
        """A pixel is lesion where its probability is above this."""
        return self._engine.facts.threshold

    @property
    def device(self) -> str:
        """What the model runs on, in words."""
        return self._engine.device

    def predict(self, image: Picture) -> NDArray[np.bool_]:
        """Outlines the lesion.

        Args:
            image: Of any size. EXIF's orientation of a file or of Pillow's image is honoured: the network sees the
                image upright.

        Returns:
            (H, W) bool, true where the lesion is, for the image's pixels as they are stored.

        Raises:
            InputError: The file cannot be read, or the array is no image.
        """
        return self._prediction(image).runs().mask().view(np.bool_)

    def probability(self, image: Picture) -> NDArray[np.float32]:
        """Returns each pixel's lesion probability, (H, W) in [0, 1], as `predict` takes and places them.

        A model whose decision keeps the largest region alone or fills holes does so to the mask, not to these.
        """
        return self._prediction(image).enlarged()

    def _prediction(self, image: Picture) -> Prediction:
        pixels, shape, orientation = _upright(image, self.image_size)
        batch = resize_image(pixels, self.image_size)[None]
        return Prediction(
            upright=self._engine.probability(np.ascontiguousarray(batch))[0],
            shape=shape,
            orientation=orientation,
            decision=self._engine.facts.decision,
        )


def _upright(image: Picture, size: int) -> tuple[NDArray[np.uint8], tuple[int, int], int]:
    """Returns RGB pixels, perhaps at a reduced scale, the (H, W) of the whole image, and EXIF's orientation."""
    if isinstance(image, str | Path):
        photograph = read_photograph(Path(image), for_size=size)
        return photograph.pixels, photograph.shape, photograph.orientation
    if isinstance(image, Image.Image):
        pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        return pixels, pixels.shape[:2], stored_orientation(image)
    pixels = _rgb(image)
    return pixels, pixels.shape[:2], 1


def _rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Checks an array and repeats grey in all channels."""
    found = f"{type(image).__name__} {getattr(image, 'shape', '')} {getattr(image, 'dtype', '')}".strip()
    is_image = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.size > 0
    if not is_image or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise InputError(
            f"the image is {found}; allowed: a path, Pillow's image, or a uint8 array of (height, width, 3) in RGB or "
            "(height, width) in grey"
        )
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
