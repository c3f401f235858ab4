"""The outline and the pigment of a synthetic skin lesion."""

import math
from typing import NamedTuple

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
    streak_noise,
)

# How strongly one unit of pigment darkens red, green and blue (exponent of the Beer-Lambert law).
BROWN = (0.58, 1.00, 1.30)
TAN = (0.30, 0.75, 1.25)
RED = (0.22, 0.78, 0.68)
PINKISH_BROWN = (0.42, 0.88, 0.95)
GREY = (0.92, 0.96, 0.92)
BLACK = (1.25, 1.40, 1.38)
BLUE_GREY = (1.15, 0.98, 0.78)
MAIN_PIGMENTS = np.array([BROWN, BROWN, BROWN, TAN, PINKISH_BROWN, PINKISH_BROWN, GREY, GREY, BLACK], dtype=np.float32)
SECOND_PIGMENTS = np.array([BROWN, TAN, RED, BLACK, BLUE_GREY], dtype=np.float32)

OUTLINE_GRID = 64  # enough: the outline's finest noise has 48 cells per side


class Outline(NamedTuple):
    """Where a lesion is; every field is (size, size)."""

    opacity: FloatImage  # 0..1, fading over a sharp or a soft border
    depth: FloatImage  # 0..1: 0 outside, 1 well inside
    mask: ByteImage  # {0, 1}, opacity of at least 0.5: one 4-connected region without holes
    distance: FloatImage  # from the mask, as a fraction of the image side, 0 on the mask


def draw_outline(rng: np.random.Generator, size: int) -> Outline:
    """Draw an irregular outline that encloses, on average, a fifth of the image."""
    area = float(np.clip(rng.lognormal(math.log(0.145), 0.82), 0.04, 0.58))
    radius = math.sqrt(area / math.pi)
    field = _lobes(rng, radius)
    raggedness = radius * rng.uniform(0.02, 0.1 - 0.08 * radius)
    field += fractal_noise(rng, OUTLINE_GRID, 12, roughness=0.7) * np.float32(raggedness)
    field -= np.quantile(field, 1 - area).astype(np.float32)
    field = np.asarray(cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    softness = radius * rng.uniform(0.1, 0.6)
    opacity = smoothstep(field, softness)
    mask = _largest_region(opacity >= 0.5)
    distance = np.asarray(cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3), dtype=np.float32) / np.float32(size)
    # Make opacity and mask agree: gaps in the lesion stay pigmented, specks beside it are faint and fade with distance.
    outside = np.minimum(opacity, 0.4) * np.clip(1.5 - distance / np.float32(softness), 0, 1)
    opacity = np.where(mask > 0, np.maximum(opacity, 0.5), outside).astype(np.float32, copy=False)
    depth = smoothstep(field - np.float32(0.4 * radius), 0.8 * radius) * opacity
    return Outline(opacity, depth, mask, distance)


def _lobes(rng: np.random.Generator, radius: float) -> FloatImage:
    """Return a field that falls by about 1 per image side away from a union of one to three warped ellipses."""
    x, y = pixel_grid(OUTLINE_GRID)
    warp = np.float32(radius * rng.uniform(0.06, 0.22))
    x = x + warp * fractal_noise(rng, OUTLINE_GRID, 5, octaves=2)
    y = y + warp * fractal_noise(rng, OUTLINE_GRID, 5, octaves=2)
    centre = rng.normal(0.5, 0.02 + 0.08 * (1 - radius), 2).clip(0.2, 0.8)
    field = _ellipse(rng, x, y, centre, radius)
    for _ in range(rng.choice(3, p=(0.6, 0.28, 0.12))):
        direction = rng.uniform(0, 2 * math.pi)
        shift = np.array([math.cos(direction), math.sin(direction)]) * radius * rng.uniform(0.5, 0.9)
        field = np.maximum(field, _ellipse(rng, x, y, centre + shift, radius * rng.uniform(0.5, 0.85)))
    return field


def _ellipse(
    rng: np.random.Generator, x: FloatImage, y: FloatImage, centre: NDArray[np.float64], radius: float
) -> FloatImage:
    """Return the depth inside a randomly turned ellipse, in image sides, negative outside."""
    angle, elongation = rng.uniform(0, math.pi), math.sqrt(rng.uniform(1.0, 1.8))
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    right, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    along = (right * cosine + down * sine) / np.float32(elongation)
    across = (down * cosine - right * sine) * np.float32(elongation)
    return np.float32(radius) - np.sqrt(along * along + across * across)


def _largest_region(inside: NDArray[np.bool_]) -> ByteImage:
    """Keep the largest 4-connected region and fill its holes."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    region: ByteImage = (labels == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(region, contours, -1, 1, cv2.FILLED)
    return region


def draw_pigment(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Return the absorbance (3, size, size) float32 of the lesion; it darkens skin by exp(-absorbance)."""
    size = outline.mask.shape[0]
    main = MAIN_PIGMENTS[rng.integers(len(MAIN_PIGMENTS))]
    second = SECOND_PIGMENTS[rng.integers(len(SECOND_PIGMENTS))]
    contrast = np.float32(rng.uniform(0.28, 1.0) ** 1.3 * 1.4)
    amount = np.clip(1 + _structures(rng, size), 0.5, 2.2) * outline.opacity * contrast
    amount *= _regression(rng, outline.depth)
    level = np.float32(rng.uniform(0.0, 1.5))  # how little of the lesion the second pigment takes
    zones = smoothstep(fractal_noise(rng, size, 4, octaves=5, roughness=0.65) - level, 2.0) * outline.depth * amount
    blotches = _blotches(rng, outline.depth) * contrast
    return _tint(amount - zones, main) + _tint(zones, second) + _tint(blotches, np.array(BLACK, dtype=np.float32))


def _tint(layer: FloatImage, pigment: FloatImage) -> FloatImage:
    """Return the absorbance (3, size, size) of an amount (size, size) of pigment."""
    return layer * pigment[:, None, None]


def _structures(rng: np.random.Generator, size: int) -> FloatImage:
    """Return the relative pigment variation: grain, and on it a network, globules or streaks."""
    variation = fractal_noise(rng, size, 8, octaves=5, roughness=0.8) * np.float32(rng.uniform(0.06, 0.22))
    kind = rng.choice(4, p=(0.3, 0.3, 0.25, 0.15))
    strength, cells = np.float32(rng.uniform(0.15, 0.45)), int(rng.integers(44, 74))
    if kind == 1:  # a network: dark meshes between pale holes
        variation += strength * (np.float32(0.6) - np.abs(smooth_noise(rng, size, cells)))
    elif kind == 2:  # globules: scattered dark dots
        variation += strength * 2 * np.maximum(smooth_noise(rng, size, cells) - np.float32(0.6), 0)
    elif kind == 3:  # streaks
        angle = rng.uniform(0, math.pi)
        variation += strength * np.float32(0.6) * streak_noise(rng, size, cells, stretch=3.0, angle=angle)
    return variation


def _regression(rng: np.random.Generator, depth: FloatImage) -> FloatImage | np.float32:
    """Return the share of pigment left, below 1 in an inner part of one in four lesions: scar-like regression."""
    if rng.random() > 0.25:
        return np.float32(1)
    bleached = smoothstep(fractal_noise(rng, depth.shape[0], 5, roughness=0.6) - np.float32(0.4), 1.5) * depth
    return 1 - np.float32(rng.uniform(0.3, 0.65)) * bleached


def _blotches(rng: np.random.Generator, depth: FloatImage) -> FloatImage:
    """Return dark irregular areas, more of them near the core, in half of the lesions."""
    if rng.random() > 0.5:
        return np.zeros_like(depth)
    noise = fractal_noise(rng, depth.shape[0], 6, octaves=4, roughness=0.65)
    blotches = smoothstep(noise + 2 * depth - np.float32(rng.uniform(1.8, 3.2)), 2.0)
    return blotches * depth * np.float32(rng.uniform(0.2, 0.7))
