"""Drawn dermoscopic photographs with an exact lesion mask, for a first run without any download.

Skin and lesion are layers of pigment that absorb light (Beer-Lambert), so colours mix as they do in skin; then come the
artefacts that lie on the skin, and last the camera: uneven light, blur, noise and JPEG.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data import synthetic_artefact as artefact
from lesionseg.data.synthetic_lesion import draw_outline, draw_pigment
from lesionseg.data.synthetic_skin import draw_skin, skin_tone
from lesionseg.data.synthetic_texture import ByteImage, FloatImage, pixel_grid, smooth_noise

SMALLEST_SIZE = 32  # below this a small lesion has too few pixels to be one region

# In the order they are drawn, with the share of images that show them.
ARTEFACTS: tuple[tuple[Callable[[np.random.Generator, FloatImage, ByteImage], FloatImage], float], ...] = (
    (artefact.add_ink, 0.08),
    (artefact.add_bubbles, 0.15),
    (artefact.add_glare, 0.20),
    (artefact.add_hairs, 0.45),
    (artefact.add_ruler, 0.35),
    (artefact.add_sticker, 0.10),
    (artefact.add_aperture, 0.60),
)


def draw_dermoscopy(seed: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw one photograph and its ground truth.

    The same seed and size always give the same bytes, and the same seed at another size gives the same scene.

    Args:
        seed: Any integer from 0 on; it alone decides what is drawn.
        size: Side of the square image in pixels, at least 32.

    Returns:
        The image (size, size, 3) uint8 RGB 0..255, and the mask (size, size) uint8 in {0, 1}: the pixels that the
        lesion covers at least half, one region without holes, about 3 % to 60 % of the image.

    Raises:
        ValueError: The seed is negative or the size is less than 32.
    """
    if seed < 0 or size < SMALLEST_SIZE:
        raise ValueError(f"seed={seed}, size={size}: the seed must be 0 or more and the size {SMALLEST_SIZE} or more")
    rng = np.random.default_rng(seed)
    outline = draw_outline(rng, size)
    mask = outline.mask
    absorbance = draw_pigment(rng, outline) + draw_skin(rng, outline)
    image = skin_tone(rng) * np.exp(-absorbance)
    for add, share in ARTEFACTS:
        if rng.random() < share:
            image = add(rng, image, mask)
    return _photograph(rng, image), mask


def _photograph(rng: np.random.Generator, image: FloatImage) -> ByteImage:
    """Turn a scene (3, size, size) float32 in 0..1 into the uint8 photograph a camera would store."""
    image = image * _illumination(rng, image.shape[1]) * rng.normal(1, 0.02, (3, 1, 1)).astype(np.float32)
    pixels = cv2.GaussianBlur(cv2.merge(tuple(image)), (0, 0), rng.uniform(0.0005, 0.004) * image.shape[1])
    return _compress(rng, _add_sensor_noise(rng, np.asarray(pixels, dtype=np.float32)))


def _illumination(rng: np.random.Generator, size: int) -> FloatImage:
    """Return a light field (size, size) around 1 with a bright spot off the centre and a slow unevenness."""
    x, y = pixel_grid(size)
    centre_x, centre_y = rng.normal(0.5, 0.2, 2).astype(np.float32)
    falloff: FloatImage = np.float32(rng.uniform(0.1, 0.9)) * ((x - centre_x) ** 2 + (y - centre_y) ** 2)
    unevenness = np.float32(rng.uniform(0.0, 0.05)) * smooth_noise(rng, size, 3)
    return np.float32(rng.uniform(0.92, 1.12)) * (1 - falloff + unevenness)


def _add_sensor_noise(rng: np.random.Generator, image: FloatImage) -> FloatImage:
    """Add grain of up to 1.4 % of full scale to the brightness of each pixel."""
    # The only draw that depends on the size, so nothing that decides the scene may be drawn after it.
    deviation = np.float32(rng.uniform(0.003, 0.014))
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * deviation
    return image + cv2.merge((grain, grain, grain))


def _compress(rng: np.random.Generator, image: FloatImage) -> ByteImage:
    """Round to 8 bits and pass the image through JPEG, which coarsens its colours."""
    pixels = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), alpha=255)  # rounds, and cuts off at 255
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])
    compressed = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(compressed, cv2.COLOR_BGR2RGB), dtype=np.uint8)
