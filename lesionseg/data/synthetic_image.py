"""Draws dermoscopic photographs with an exact lesion mask, for a first run without any download.

Skin and lesion absorb light (Beer-Lambert law), so that colours mix as they do in skin. Artefacts are painted on top,
and the camera adds uneven light, blur, noise and JPEG compression.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.synthetic_scene import (
    ByteImage,
    FloatImage,
    draw_outline,
    draw_pigment,
    draw_skin,
    fractal_noise,
    pixel_grid,
    skin_tone,
    smooth_noise,
    smoothstep,
)

SMALLEST_SIZE = 32  # below this a small lesion has too few pixels to be one region

Points = NDArray[np.float64]  # x and y, (n, 2) or (2,), as fractions of the image side
Colour = tuple[float, float, float]  # red, green, blue in 0..1
STICKER_COLOURS = ((0.38, 0.76, 0.72), (0.72, 0.72, 0.70), (0.86, 0.84, 0.88), (0.93, 0.60, 0.30), (0.35, 0.45, 0.78))
LETTER_M = np.array([(0, 0), (0, 1), (0.5, 0.8), (0.5, 0), (0.5, 0.8), (1, 1), (1, 0)])
SHIFT = 4  # OpenCV draws at a sixteenth of a pixel


def draw_dermoscopy(seed: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draws one photograph and its ground truth.

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
    """Turns a scene (3, size, size) float32 in 0..1 into the uint8 photograph a camera would store."""
    image = image * _illumination(rng, image.shape[1]) * rng.normal(1, 0.02, (3, 1, 1)).astype(np.float32)
    pixels = cv2.GaussianBlur(cv2.merge(tuple(image)), (0, 0), rng.uniform(0.0005, 0.004) * image.shape[1])
    return _compress(rng, _add_sensor_noise(rng, np.asarray(pixels, dtype=np.float32)))


def _illumination(rng: np.random.Generator, size: int) -> FloatImage:
    """Returns a light field (size, size) around 1 with a bright spot off the centre and a slow unevenness."""
    x, y = pixel_grid(size)
    centre_x, centre_y = rng.normal(0.5, 0.2, 2).astype(np.float32)
    falloff: FloatImage = np.float32(rng.uniform(0.1, 0.9)) * ((x - centre_x) ** 2 + (y - centre_y) ** 2)
    unevenness = np.float32(rng.uniform(0.0, 0.05)) * smooth_noise(rng, size, 3)
    return np.float32(rng.uniform(0.92, 1.12)) * (1 - falloff + unevenness)


def _add_sensor_noise(rng: np.random.Generator, image: FloatImage) -> FloatImage:
    """Adds grain of up to 1.4 % of full scale to the brightness of each pixel."""
    # The only draw that depends on the size, so nothing that decides the scene may be drawn after it.
    deviation = np.float32(rng.uniform(0.003, 0.014))
    grain = rng.standard_normal(image.shape[:2], dtype=np.float32) * deviation
    return image + cv2.merge((grain, grain, grain))


def _compress(rng: np.random.Generator, image: FloatImage) -> ByteImage:
    """Rounds to 8 bits and passes the image through JPEG, which coarsens its colours."""
    pixels = cv2.convertScaleAbs(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), alpha=255)  # rounds, and cuts off at 255
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))])
    compressed = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.asarray(cv2.cvtColor(compressed, cv2.COLOR_BGR2RGB), dtype=np.uint8)


# Every artefact takes a photograph (3, size, size) float32 in 0..1 and the lesion's mask (size, size) uint8 in {0, 1},
# and returns a new photograph. The mask stays: a lesion under a hair is lesion in the ground truth.


def add_hairs(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draws a few or many curved hairs, most of them dark, combed roughly in one direction."""
    layer = np.zeros_like(mask)
    combed, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 1.5)
    for _ in range(int(rng.choice((rng.integers(1, 6), rng.integers(6, 35)), p=(0.5, 0.5)))):
        curve = _curve(rng, rng.uniform(-0.1, 1.1, 2), combed + rng.normal(0, spread), rng.uniform(0.2, 0.9))
        _draw_line(layer, curve, width=rng.uniform(0.002, 0.006), value=rng.uniform(0.5, 1.0))
    shade = rng.uniform(0.8, 0.95) if rng.random() < 0.1 else rng.uniform(0.05, 0.4)
    return _paint(image, layer, (shade, 0.75 * shade, 0.6 * shade), opacity=rng.uniform(0.5, 0.9))


def add_ruler(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draws a millimetre scale: ticks along a line, often with "mm", or bare ticks that run out of the image."""
    layer = np.zeros_like(mask)
    angle = rng.normal(0, 0.3) + rng.choice((0.0, math.pi / 2), p=(0.7, 0.3))
    along, across = np.array([math.cos(angle), math.sin(angle)]), np.array([math.sin(angle), -math.cos(angle)])
    spacing, tick, bare = rng.uniform(0.025, 0.05), rng.uniform(0.02, 0.04), rng.random() < 0.3
    start = _far_point(rng, mask, 0.05, 0.95) - along * spacing * 5.5
    for step in range(12):
        foot = start + along * spacing * step
        _draw_line(layer, np.array([foot, foot + across * tick * (1.5 if step % 5 == 0 else 1)]), width=0.004)
    if not bare:
        _draw_line(layer, np.array([start, start + along * spacing * 11]), width=0.005)
        for letter in (start, start + along * 0.035):  # "mm"
            _draw_line(layer, letter + (LETTER_M @ (along, across) - 1.6 * across) * 0.024, width=0.004)
    return _paint(image, layer, (0.1, 0.1, 0.1), opacity=rng.uniform(0.5, 0.9))


def add_ink(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draws one to three crosshatched violet pen marks beside the lesion."""
    layer = np.zeros_like(mask)
    for _ in range(rng.integers(1, 4)):
        place = _far_point(rng, mask, 0.0, 1.0)
        for _ in range(rng.integers(4, 12)):
            stroke = _curve(rng, place + rng.normal(0, 0.03, 2), rng.uniform(0, 2 * math.pi), rng.uniform(0.04, 0.13))
            _draw_line(layer, stroke, width=0.004)
    return _paint(image, layer, (0.36, 0.25, 0.62), opacity=rng.uniform(0.4, 0.85))


def add_bubbles(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draws gel bubbles: a bright rim with a brighter crescent on one side and a faint shadow inside."""
    rims, shadows = np.zeros_like(mask), np.zeros_like(mask)
    light = rng.uniform(0, 360)
    for _ in range(rng.integers(1, 9)):
        centre, axes = rng.random(2), rng.uniform(0.008, 0.045) * np.array([1, rng.uniform(0.7, 1.0)])
        _draw_arc(shadows, centre, axes * 0.85, (0, 360), value=0.45)
        _draw_arc(rims, centre, axes, (0, 360), value=0.45)
        _draw_arc(rims, centre, axes, (light, light + 100), value=1.0)
    image = _paint(image, shadows, (0.2, 0.2, 0.2), opacity=0.6)
    return _paint(image, rims, (0.97, 0.97, 0.97), opacity=rng.uniform(0.5, 0.9))


def add_glare(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draws specular highlights: small white flecks that gather in one part of the image."""
    size = mask.shape[0]
    flecks = smoothstep(smooth_noise(rng, size, 60) + fractal_noise(rng, size, 3, octaves=1) - np.float32(3.0), 0.5)
    return _paint(image, flecks, (0.98, 0.98, 0.98), opacity=rng.uniform(0.5, 0.9))


def add_sticker(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draws a round colour-chart patch that reaches in from the border, where it hides no lesion."""
    x, y = pixel_grid(mask.shape[0])
    side, place = rng.integers(4), rng.random()
    radius, depth = rng.uniform(0.18, 0.4), rng.uniform(0.04, 0.25)
    near, far = depth - radius, 1 + radius - depth
    centre_x, centre_y = ((near, place), (far, place), (place, near), (place, far))[side]
    layer = smoothstep(np.float32(radius) - np.hypot(x - np.float32(centre_x), y - np.float32(centre_y)), 0.01)
    colour = STICKER_COLOURS[rng.integers(len(STICKER_COLOURS))]
    grain = smooth_noise(rng, mask.shape[0], 90) * np.float32(rng.uniform(0.01, 0.05))
    return image if _hides_lesion(layer, mask) else _paint(image, layer, colour) + grain * layer


def add_aperture(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Darkens what lies outside the dermatoscope's round field of view, or letterboxes the image; hides no lesion."""
    x, y = pixel_grid(mask.shape[0])
    centre_x, centre_y = rng.normal(0.5, 0.03, 2).astype(np.float32)
    radius, roundness, edge = rng.uniform(0.5, 0.68), rng.uniform(2.0, 5.0), rng.uniform(0.01, 0.1)
    if rng.random() < 0.12:
        beyond = np.abs(y - centre_y) - np.float32(rng.uniform(0.42, 0.47)) + 0 * x
        edge = 0.01
    else:
        power = np.float32(roundness)
        beyond = (np.abs(x - centre_x) ** power + np.abs(y - centre_y) ** power) ** (1 / power) - np.float32(radius)
    layer = smoothstep(beyond, edge)
    shade, warmth = rng.uniform(0.0, 0.16), rng.uniform(0.8, 1.2)
    return image if _hides_lesion(layer, mask) else _paint(image, layer, (warmth * shade, shade, shade / warmth))


def _paint(image: FloatImage, layer: ByteImage | FloatImage, colour: Colour, *, opacity: float = 1.0) -> FloatImage:
    """Blends `colour` in where the layer, uint8 in 0..255 or float32 in 0..1, covers the image."""
    cover = layer * np.float32(opacity / 255 if layer.dtype == np.uint8 else opacity)
    return image + cover * (np.array(colour, dtype=np.float32)[:, None, None] - image)


def _hides_lesion(layer: FloatImage, mask: ByteImage) -> bool:
    """Tells whether an opaque layer covers more than one part in a hundred of the lesion."""
    return float((layer * mask).sum()) > 0.01 * float(mask.sum())


def _far_point(rng: np.random.Generator, mask: ByteImage, low: float, high: float) -> Points:
    """Return, out of twelve random places, the (x, y) farthest from the lesion."""
    size = mask.shape[0]
    distance = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    places = rng.uniform(low, high, (12, 2))
    columns, rows = (places * (size - 1)).astype(int).T
    return np.asarray(places[distance[rows, columns].argmax()])


def _curve(rng: np.random.Generator, start: Points, heading: float, length: float) -> Points:
    """Returns 16 points of an arc whose curvature drifts along the way."""
    turning = rng.normal(0, 0.06) + rng.normal(0, 0.005) * np.arange(16)
    headings = heading + turning.cumsum()
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * length / 16
    return np.asarray(start + steps.cumsum(axis=0))


def _draw_line(layer: ByteImage, points: Points, *, width: float, value: float = 1.0) -> None:
    """Draws an antialiased line; one that is thinner than a pixel is drawn fainter instead."""
    pixels = width * layer.shape[0]
    shade = int(255 * value * min(1.0, 0.35 + 0.65 * pixels))
    fixed = (points * (layer.shape[0] << SHIFT)).astype(np.int32)
    cv2.polylines(layer, [fixed], False, shade, max(1, round(pixels)), cv2.LINE_AA, SHIFT)


def _draw_arc(layer: ByteImage, centre: Points, axes: Points, angles: tuple[float, float], *, value: float) -> None:
    """Draws an antialiased arc of an upright ellipse between two angles in degrees."""
    place, half_axes = (np.array([centre, axes]) * (layer.shape[0] << SHIFT)).astype(int).tolist()
    thickness = max(1, round(0.006 * layer.shape[0]))
    cv2.ellipse(layer, place, half_axes, 0, *angles, int(255 * value), thickness, cv2.LINE_AA, SHIFT)


# In the order they are drawn, with the share of images that show them.
ARTEFACTS: tuple[tuple[Callable[[np.random.Generator, FloatImage, ByteImage], FloatImage], float], ...] = (
    (add_ink, 0.08),
    (add_bubbles, 0.15),
    (add_glare, 0.20),
    (add_hairs, 0.45),
    (add_ruler, 0.35),
    (add_sticker, 0.10),
    (add_aperture, 0.60),
)
