"""Draws the skin and the lesion of a synthetic dermoscopic photograph as layers of absorbing pigment.

Every noise field is drawn on its own grid and then enlarged, so that a seed shows one scene at every image size.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
ByteImage = NDArray[np.uint8]

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

# How strongly one unit of melanin and of blood darkens red, green and blue.
MELANIN = np.array((0.45, 0.90, 1.30), dtype=np.float32)[:, None, None]
BLOOD = np.array((0.10, 0.85, 0.70), dtype=np.float32)[:, None, None]
# Red, green and blue of skin in dermoscopic photographs: pale, pink, orange, yellowish, greyish, mauve, brown, dark.
# fmt: off
SKIN_TONES = np.array([
    (240, 232, 230), (228, 200, 190), (240, 160, 150), (228, 180, 146), (226, 212, 186),
    (214, 214, 200), (176, 152, 142), (190, 180, 192), (204, 166, 144), (158, 116, 94),
], dtype=np.float32)
# fmt: on


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> FloatImage:
    """Returns (size, size) float32 noise of mean 0 and deviation near 0.8, with `cells` independent values per side."""
    return _enlarge(rng.standard_normal((cells, cells), dtype=np.float32), size)


def fractal_noise(
    rng: np.random.Generator, size: int, cells: int, *, octaves: int = 3, roughness: float = 0.5
) -> FloatImage:
    """Returns (size, size) float32 noise of mean 0: each octave is twice as fine and `roughness` times as strong."""
    noise = rng.standard_normal((cells, cells), dtype=np.float32)
    for octave in range(1, octaves):
        cells *= 2
        finer = rng.random((cells, cells), dtype=np.float32) - np.float32(0.5)  # quicker to draw than normal noise
        noise = _enlarge(noise, cells) + finer * np.float32(3.5 * roughness**octave)
    return _enlarge(noise, size)


def streak_noise(rng: np.random.Generator, size: int, cells: int, *, stretch: float, angle: float) -> FloatImage:
    """Returns (size, size) float32 noise of grains `stretch` times as long as wide, at an angle in radians."""
    grid = rng.standard_normal((64, 64), dtype=np.float32)
    cosine, sine = math.cos(angle) * cells / size, math.sin(angle) * cells / size
    to_grid = np.array([[cosine / stretch, sine / stretch, 0.0], [-sine, cosine, 0.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grid, to_grid, (size, size), flags=flags, borderMode=cv2.BORDER_WRAP), np.float32)


def _enlarge(grid: FloatImage, size: int) -> FloatImage:
    """Resizes a square grid to (size, size) by cubic interpolation."""
    return np.asarray(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def smoothstep(field: FloatImage, width: float) -> FloatImage:
    """Maps a field to 0..1: 0.5 where it is zero, an S-shaped ramp that is `width` wide in the field's own unit."""
    ramp = np.clip(field * np.float32(1 / width) + np.float32(0.5), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), dtype=np.float32)


def pixel_grid(size: int) -> tuple[FloatImage, FloatImage]:
    """Returns the x (1, size) and y (size, 1) of the pixel centres, float32, as fractions of the image side."""
    centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return centres[None, :], centres[:, None]


def blur(layer: FloatImage, sigma: float) -> FloatImage:
    """Blurs a layer (size, size) by a Gaussian of `sigma` as a fraction of the image side."""
    pixels = max(sigma * layer.shape[0], 0.05)
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), pixels), dtype=np.float32)


class Outline(NamedTuple):
    """Where a lesion is; every field is (size, size)."""

    opacity: FloatImage  # 0..1, fading over a sharp or a soft border
    depth: FloatImage  # 0..1: 0 outside, 1 well inside
    mask: ByteImage  # {0, 1}, opacity of at least 0.5: one 4-connected region without holes
    distance: FloatImage  # from the mask, as a fraction of the image side, 0 on the mask


def draw_outline(rng: np.random.Generator, size: int) -> Outline:
    """Draws an irregular outline that encloses, on average, a fifth of the image."""
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
    """Returns a field that falls by about 1 per image side away from a union of one to three warped ellipses."""
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
    """Returns the depth inside a randomly turned ellipse, in image sides, negative outside."""
    angle, elongation = rng.uniform(0, math.pi), math.sqrt(rng.uniform(1.0, 1.8))
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    right, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    along = (right * cosine + down * sine) / np.float32(elongation)
    across = (down * cosine - right * sine) * np.float32(elongation)
    return np.float32(radius) - np.sqrt(along * along + across * across)


def _largest_region(inside: NDArray[np.bool_]) -> ByteImage:
    """Keeps the largest 4-connected region and fills its holes."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    region: ByteImage = (labels == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(region, contours, -1, 1, cv2.FILLED)
    return region


def draw_pigment(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Returns the absorbance (3, size, size) float32 of the lesion; it darkens skin by exp(-absorbance)."""
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
    """Returns the absorbance (3, size, size) of an amount (size, size) of pigment."""
    return layer * pigment[:, None, None]


def _structures(rng: np.random.Generator, size: int) -> FloatImage:
    """Returns the relative pigment variation: grain, and on it a network, globules or streaks."""
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
    """Returns the share of pigment left, below 1 in an inner part of one in four lesions: scar-like regression."""
    if rng.random() > 0.25:
        return np.float32(1)
    bleached = smoothstep(fractal_noise(rng, depth.shape[0], 5, roughness=0.6) - np.float32(0.4), 1.5) * depth
    return 1 - np.float32(rng.uniform(0.3, 0.65)) * bleached


def _blotches(rng: np.random.Generator, depth: FloatImage) -> FloatImage:
    """Returns dark irregular areas, more of them near the core, in half of the lesions."""
    if rng.random() > 0.5:
        return np.zeros_like(depth)
    noise = fractal_noise(rng, depth.shape[0], 6, octaves=4, roughness=0.65)
    blotches = smoothstep(noise + 2 * depth - np.float32(rng.uniform(1.8, 3.2)), 2.0)
    return blotches * depth * np.float32(rng.uniform(0.2, 0.7))


def skin_tone(rng: np.random.Generator) -> FloatImage:
    """Returns a skin colour (3, 1, 1) in 0..1, somewhere between two tones that photographs show."""
    first, second = SKIN_TONES[rng.integers(len(SKIN_TONES), size=2)] / 255
    tone = first + (second - first) * np.float32(rng.uniform(0, 0.5))
    return np.asarray(tone * rng.normal(1, 0.02, 3), dtype=np.float32)[:, None, None]


def draw_skin(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Returns the absorbance (3, size, size) float32 of the skin's texture and of the naevi beside the lesion."""
    size = outline.mask.shape[0]
    melanin = fractal_noise(rng, size, 6, octaves=5, roughness=0.7) * np.float32(rng.uniform(0.005, 0.035))
    melanin += _furrows(rng, size) + _sun_spots(rng, size) + _naevi(rng, outline)
    redness = fractal_noise(rng, size, 5, octaves=4, roughness=0.6) * np.float32(rng.uniform(0.1, 0.3) ** 2)
    return melanin * MELANIN + (redness + _vessels(rng, size)) * BLOOD


def _furrows(rng: np.random.Generator, size: int) -> FloatImage:
    """Returns the fine net of skin lines, drawn out in one direction, with pores as dark specks."""
    lines = streak_noise(rng, size, 55, stretch=rng.uniform(1.5, 4), angle=rng.uniform(0, math.pi))
    net = smooth_noise(rng, size, int(rng.integers(45, 80)))
    pores: FloatImage = np.maximum(net - np.float32(1.5), 0) * np.float32(rng.uniform(0, 4))
    return (lines + pores - np.abs(net)) * np.float32(rng.uniform(0.006, 0.03))


def _sun_spots(rng: np.random.Generator, size: int) -> FloatImage | np.float32:
    """Returns broad, faint and blurred pigment patches, in four of ten images."""
    if rng.random() > 0.4:
        return np.float32(0)
    noise = fractal_noise(rng, size, int(rng.integers(4, 10)), octaves=4, roughness=0.6)
    return smoothstep(noise - np.float32(rng.uniform(0.3, 1.2)), 2.0) * np.float32(rng.uniform(0.05, 0.18))


def _vessels(rng: np.random.Generator, size: int) -> FloatImage | np.float32:
    """Returns blurred thin wavy vessels in a third of the images."""
    if rng.random() > 0.35:
        return np.float32(0)
    layer = np.zeros((size, size), dtype=np.uint8)
    for _ in range(rng.integers(4, 16)):
        steps = rng.normal(0, 0.02, (10, 2)).cumsum(axis=0) + rng.normal(0, 0.015, 2) * np.arange(10)[:, None]
        points = ((rng.random(2) + steps) * size * 16).astype(np.int32)
        thickness = max(1, round(0.007 * size))
        cv2.polylines(layer, [points], False, int(rng.integers(60, 160)), thickness, cv2.LINE_AA, 4)
    return blur(layer * np.float32(0.4 / 255), 0.006)


def _naevi(rng: np.random.Generator, outline: Outline) -> FloatImage | np.float32:
    """Returns freckles and small naevi that keep clear of the lesion, in seven of ten images."""
    if rng.random() > 0.7:
        return np.float32(0)
    size = outline.mask.shape[0]
    layer = np.zeros((size, size), dtype=np.uint8)
    largest = min(0.055, 0.3 * math.sqrt(outline.mask.mean() / math.pi))  # the lesion is plainly the largest spot
    for x, y in rng.random((int(rng.geometric(0.08)), 2)):
        radius, flatness = rng.uniform(0.15, 1) ** 2 * largest, rng.uniform(0.6, 1)
        angle, darkness = rng.uniform(0, 180), rng.uniform(0.3, 1) ** 2
        if outline.distance[int(y * size), int(x * size)] > radius + 0.03:
            centre, axes = (np.array([(x, y), (radius, radius * flatness)]) * size * 16).astype(int).tolist()
            cv2.ellipse(layer, centre, axes, angle, 0, 360, int(darkness * 255), cv2.FILLED, cv2.LINE_AA, 4)
    spots = blur(layer * np.float32(rng.uniform(0.2, 0.9) / 255), 0.01)
    return spots * (1 + np.float32(0.3) * smooth_noise(rng, size, 40))
