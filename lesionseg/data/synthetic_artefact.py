"""What lies between the skin and the camera: hairs, rulers, ink, gel bubbles, glare, stickers, the dark aperture.

Every `add_*` takes a photograph (3, size, size) float32 in 0..1 and the lesion's mask (size, size) uint8 in {0, 1}, and
returns a new photograph. Nothing here changes the mask: the lesion under a hair is lesion in the ground truth.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionseg.data.synthetic_texture import (
    ByteImage,
    FloatImage,
    fractal_noise,
    pixel_grid,
    smooth_noise,
    smoothstep,
)

Points = NDArray[np.float64]  # x and y, (n, 2) or (2,), as fractions of the image side
Colour = tuple[float, float, float]  # red, green, blue in 0..1
STICKER_COLOURS = ((0.38, 0.76, 0.72), (0.72, 0.72, 0.70), (0.86, 0.84, 0.88), (0.93, 0.60, 0.30), (0.35, 0.45, 0.78))
LETTER_M = np.array([(0, 0), (0, 1), (0.5, 0.8), (0.5, 0), (0.5, 0.8), (1, 1), (1, 0)])
SHIFT = 4  # OpenCV draws at a sixteenth of a pixel


def add_hairs(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draw a few or many curved hairs, most of them dark, combed roughly in one direction."""
    layer = _empty_layer(mask)
    combed, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 1.5)
    for _ in range(int(rng.choice((rng.integers(1, 6), rng.integers(6, 35)), p=(0.5, 0.5)))):
        curve = _curve(rng, rng.uniform(-0.1, 1.1, 2), combed + rng.normal(0, spread), rng.uniform(0.2, 0.9))
        _draw_line(layer, curve, width=rng.uniform(0.002, 0.006), value=rng.uniform(0.5, 1.0))
    shade = rng.uniform(0.8, 0.95) if rng.random() < 0.1 else rng.uniform(0.05, 0.4)
    return _paint(image, layer, (shade, 0.75 * shade, 0.6 * shade), opacity=rng.uniform(0.5, 0.9))


def add_ruler(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draw a millimetre scale: ticks along a line, often with "mm", or bare ticks that run out of the image."""
    layer = _empty_layer(mask)
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
    """Draw one to three crosshatched violet pen marks beside the lesion."""
    layer = _empty_layer(mask)
    for _ in range(rng.integers(1, 4)):
        place = _far_point(rng, mask, 0.0, 1.0)
        for _ in range(rng.integers(4, 12)):
            stroke = _curve(rng, place + rng.normal(0, 0.03, 2), rng.uniform(0, 2 * math.pi), rng.uniform(0.04, 0.13))
            _draw_line(layer, stroke, width=0.004)
    return _paint(image, layer, (0.36, 0.25, 0.62), opacity=rng.uniform(0.4, 0.85))


def add_bubbles(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draw gel bubbles: a bright rim with a brighter crescent on one side and a faint shadow inside."""
    rims, shadows = _empty_layer(mask), _empty_layer(mask)
    light = rng.uniform(0, 360)
    for _ in range(rng.integers(1, 9)):
        centre, axes = rng.random(2), rng.uniform(0.008, 0.045) * np.array([1, rng.uniform(0.7, 1.0)])
        _draw_arc(shadows, centre, axes * 0.85, (0, 360), value=0.45)
        _draw_arc(rims, centre, axes, (0, 360), value=0.45)
        _draw_arc(rims, centre, axes, (light, light + 100), value=1.0)
    image = _paint(image, shadows, (0.2, 0.2, 0.2), opacity=0.6)
    return _paint(image, rims, (0.97, 0.97, 0.97), opacity=rng.uniform(0.5, 0.9))


def add_glare(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draw specular highlights: small white flecks that gather in one part of the image."""
    size = mask.shape[0]
    flecks = smoothstep(smooth_noise(rng, size, 60) + fractal_noise(rng, size, 3, octaves=1) - np.float32(3.0), 0.5)
    return _paint(image, flecks, (0.98, 0.98, 0.98), opacity=rng.uniform(0.5, 0.9))


def add_sticker(rng: np.random.Generator, image: FloatImage, mask: ByteImage) -> FloatImage:
    """Draw a round colour-chart patch that reaches in from the border, where it hides no lesion."""
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
    """Darken what lies outside the dermatoscope's round field of view, or letterbox the image; hide no lesion."""
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


def _empty_layer(mask: ByteImage) -> ByteImage:
    """Return a layer (size, size) uint8 of zeros: antialiased lines need 8-bit images."""
    return np.zeros_like(mask)


def _paint(image: FloatImage, layer: ByteImage | FloatImage, colour: Colour, *, opacity: float = 1.0) -> FloatImage:
    """Blend `colour` in where the layer, uint8 in 0..255 or float32 in 0..1, covers the image."""
    cover = layer * np.float32(opacity / 255 if layer.dtype == np.uint8 else opacity)
    return image + cover * (np.array(colour, dtype=np.float32)[:, None, None] - image)


def _hides_lesion(layer: FloatImage, mask: ByteImage) -> bool:
    """Say whether an opaque layer covers more than one part in a hundred of the lesion."""
    return float((layer * mask).sum()) > 0.01 * float(mask.sum())


def _far_point(rng: np.random.Generator, mask: ByteImage, low: float, high: float) -> Points:
    """Return, out of twelve random places, the (x, y) farthest from the lesion."""
    size = mask.shape[0]
    distance = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    places = rng.uniform(low, high, (12, 2))
    columns, rows = (places * (size - 1)).astype(int).T
    return np.asarray(places[distance[rows, columns].argmax()])


def _curve(rng: np.random.Generator, start: Points, heading: float, length: float) -> Points:
    """Return 16 points of an arc whose curvature drifts along the way."""
    turning = rng.normal(0, 0.06) + rng.normal(0, 0.005) * np.arange(16)
    headings = heading + turning.cumsum()
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * length / 16
    return np.asarray(start + steps.cumsum(axis=0))


def _draw_line(layer: ByteImage, points: Points, *, width: float, value: float = 1.0) -> None:
    """Draw an antialiased line; one that is thinner than a pixel is drawn fainter instead."""
    pixels = width * layer.shape[0]
    shade = int(255 * value * min(1.0, 0.35 + 0.65 * pixels))
    fixed = (points * (layer.shape[0] << SHIFT)).astype(np.int32)
    cv2.polylines(layer, [fixed], False, shade, max(1, round(pixels)), cv2.LINE_AA, SHIFT)


def _draw_arc(layer: ByteImage, centre: Points, axes: Points, angles: tuple[float, float], *, value: float) -> None:
    """Draw an antialiased arc of an upright ellipse between two angles in degrees."""
    place, half_axes = (np.array([centre, axes]) * (layer.shape[0] << SHIFT)).astype(int).tolist()
    thickness = max(1, round(0.006 * layer.shape[0]))
    cv2.ellipse(layer, place, half_axes, 0, *angles, int(255 * value), thickness, cv2.LINE_AA, SHIFT)
