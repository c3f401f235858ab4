"""Draws dermoscopic photographs with an exact lesion mask, for a first run without any download.

Skin and lesion absorb light (Beer-Lambert law), so that colours mix as they do in skin. Artefacts are painted on top,
and the camera adds uneven light, blur, noise and JPEG compression. Every noise field is drawn on its own grid and then
enlarged, so that a seed shows one scene at every image size.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
ByteImage = NDArray[np.uint8]
Points = NDArray[np.float64]
"""x and y, (n, 2) or (2,), as fractions of the image side."""

SMALLEST_SIZE = 32  # below this a small lesion has too few pixels to be one region
OUTLINE_GRID = 64  # pixels a side that the outline is drawn at: its finest noise has 48 cells
SHIFT = 4  # OpenCV draws at a sixteenth of a pixel
BROWN, TAN, RED, PINK = (0.58, 1.0, 1.3), (0.3, 0.75, 1.25), (0.22, 0.78, 0.68), (0.42, 0.88, 0.95)
GREY, BLACK, BLUE_GREY = (0.92, 0.96, 0.92), (1.25, 1.4, 1.38), (1.15, 0.98, 0.78)
"""Absorption of red, green and blue by one unit of pigment (exponent of the Beer-Lambert law)."""
MAIN_PIGMENTS = np.array([BROWN, BROWN, BROWN, TAN, PINK, PINK, GREY, GREY, BLACK], np.float32)[..., None, None]
SECOND_PIGMENTS = np.array([BROWN, TAN, RED, BLACK, BLUE_GREY], np.float32)[..., None, None]
MELANIN, BLOOD = np.array([(0.45, 0.9, 1.3), (0.1, 0.85, 0.7)], np.float32)[..., None, None]
SKIN_TONES = np.array([(240, 232, 230), (240, 160, 150), (226, 212, 186), (176, 152, 142), (158, 116, 94)], np.float32)
"""Red, green and blue of skin in dermoscopic photographs: pale, pink, yellowish, greyish, dark."""


class Outline(NamedTuple):
    """Place and shape of a lesion; every field is (size, size)."""

    opacity: FloatImage  # 0..1, fading over a sharp or a soft border
    depth: FloatImage  # 0..1: 0 outside, 1 well inside
    mask: ByteImage  # {0, 1}, opacity of at least 0.5: one 4-connected region without holes
    distance: FloatImage  # from the mask, as a fraction of the image side, 0 on the mask


def draw_dermoscopy(seed: int, size: int) -> tuple[ByteImage, ByteImage]:
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
    outline = _draw_outline(rng, size)
    absorbance = _pigment(rng, outline) + _skin(rng, outline)
    image = _skin_tone(rng) * np.exp(-absorbance)
    for add, share in ARTEFACTS:
        if rng.random() < share:
            image = add(rng, image, outline)
    return _photograph(rng, image), outline.mask


def _smooth_noise(rng: np.random.Generator, size: int, cells: int) -> FloatImage:
    """Returns (size, size) noise of mean 0 and deviation near 0.8, with `cells` independent values per side."""
    return _enlarged(rng.standard_normal((cells, cells), dtype=np.float32), size)


def _fractal_noise(
    rng: np.random.Generator, size: int, cells: int, *, octaves: int = 3, roughness: float = 0.5
) -> FloatImage:
    """Returns (size, size) noise of mean 0: each octave is twice as fine and `roughness` times as strong."""
    noise = rng.standard_normal((cells, cells), dtype=np.float32)
    for octave in range(1, octaves):
        cells *= 2
        finer = rng.random((cells, cells), dtype=np.float32) - np.float32(0.5)  # quicker to draw than normal noise
        noise = _enlarged(noise, cells) + finer * np.float32(3.5 * roughness**octave)
    return _enlarged(noise, size)


def _enlarged(grid: FloatImage, size: int) -> FloatImage:
    return np.asarray(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _smoothstep(field: FloatImage, width: float) -> FloatImage:
    """Maps a field to 0..1: 0.5 where it is zero, an S-shaped ramp that is `width` wide in the field's own unit."""
    ramp = np.clip(field * np.float32(1 / width) + np.float32(0.5), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def _pixel_grid(size: int) -> tuple[FloatImage, FloatImage]:
    """Returns the x (1, size) and y (size, 1) of the pixel centres as fractions of the image side."""
    centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return centres[None, :], centres[:, None]


def _draw_outline(rng: np.random.Generator, size: int) -> Outline:
    """Draws an irregular outline that encloses, on average, a fifth of the image."""
    area = float(np.clip(rng.lognormal(math.log(0.145), 0.82), 0.04, 0.58))
    radius = math.sqrt(area / math.pi)
    field = _lobes(rng, radius)
    raggedness = radius * rng.uniform(0.02, 0.1 - 0.08 * radius)
    field += _fractal_noise(rng, OUTLINE_GRID, 12, roughness=0.7) * np.float32(raggedness)
    field = _enlarged(field - np.quantile(field, 1 - area).astype(np.float32), size)
    softness = radius * rng.uniform(0.1, 0.6)
    opacity = _smoothstep(field, softness)
    mask = _largest_region(opacity >= 0.5)
    distance = np.asarray(cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3), np.float32) / np.float32(size)
    # Make opacity and mask agree: gaps in the lesion stay pigmented, specks beside it are faint and fade with distance.
    outside = np.minimum(opacity, 0.4) * np.clip(1.5 - distance / np.float32(softness), 0, 1)
    opacity = np.where(mask > 0, np.maximum(opacity, 0.5), outside).astype(np.float32, copy=False)
    depth = _smoothstep(field - np.float32(0.4 * radius), 0.8 * radius) * opacity
    return Outline(opacity, depth, mask, distance)


def _lobes(rng: np.random.Generator, radius: float) -> FloatImage:
    """Returns a field that falls by about 1 per image side away from a union of one to three warped ellipses."""
    x, y = _pixel_grid(OUTLINE_GRID)
    warp = np.float32(radius * rng.uniform(0.06, 0.22))
    x = x + warp * _fractal_noise(rng, OUTLINE_GRID, 5, octaves=2)
    y = y + warp * _fractal_noise(rng, OUTLINE_GRID, 5, octaves=2)
    centre = rng.normal(0.5, 0.02 + 0.08 * (1 - radius), 2).clip(0.2, 0.8)
    field = _ellipse(rng, x, y, centre, radius)
    for _ in range(rng.choice(3, p=(0.6, 0.28, 0.12))):
        direction = rng.uniform(0, 2 * math.pi)
        shift = np.array([math.cos(direction), math.sin(direction)]) * radius * rng.uniform(0.5, 0.9)
        field = np.maximum(field, _ellipse(rng, x, y, centre + shift, radius * rng.uniform(0.5, 0.85)))
    return field


def _ellipse(rng: np.random.Generator, x: FloatImage, y: FloatImage, centre: Points, radius: float) -> FloatImage:
    """Returns the depth inside a randomly turned ellipse, in image sides, negative outside."""
    angle, elongation = rng.uniform(0, math.pi), np.float32(math.sqrt(rng.uniform(1.0, 1.8)))
    cosine, sine = np.float32(math.cos(angle)), np.float32(math.sin(angle))
    right, down = x - np.float32(centre[0]), y - np.float32(centre[1])
    along, across = (right * cosine + down * sine) / elongation, (down * cosine - right * sine) * elongation
    return np.float32(radius) - np.sqrt(along * along + across * across)


def _largest_region(inside: NDArray[np.bool_]) -> ByteImage:
    """Keeps the largest 4-connected region and fills its holes."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    region: ByteImage = (labels == 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(region, contours, -1, 1, cv2.FILLED)
    return region


def _pigment(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Returns the absorbance (3, size, size) of the lesion: grain and a network of two pigments."""
    size = outline.mask.shape[0]
    main, second = rng.choice(MAIN_PIGMENTS), rng.choice(SECOND_PIGMENTS)
    grain = _fractal_noise(rng, size, 8, octaves=5, roughness=0.8) * np.float32(rng.uniform(0.06, 0.22))
    meshes = np.float32(0.6) - np.abs(_smooth_noise(rng, size, int(rng.integers(44, 74))))
    grain += meshes * np.float32(max(rng.uniform(-0.3, 0.45), 0))
    contrast = np.float32(rng.uniform(0.28, 1.0) ** 1.3 * 1.4)
    amount = np.clip(1 + grain, 0.5, 2.2) * outline.opacity * contrast
    level = np.float32(rng.uniform(0.0, 1.5))  # how little of the lesion the second pigment takes
    zones = _smoothstep(_fractal_noise(rng, size, 4, octaves=5, roughness=0.65) - level, 2.0) * outline.depth
    return np.asarray(amount * (main + zones * (second - main)), np.float32)


def _skin_tone(rng: np.random.Generator) -> FloatImage:
    """Returns a skin colour (3, 1, 1) in 0..1, somewhere between two tones that photographs show."""
    first, second = SKIN_TONES[rng.integers(len(SKIN_TONES), size=2)] / 255
    tone = first + (second - first) * np.float32(rng.uniform(0, 0.5))
    return np.asarray(tone * rng.normal(1, 0.02, 3), np.float32)[:, None, None]


def _skin(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Returns the absorbance (3, size, size) of the skin's texture and of the naevi beside the lesion."""
    size = outline.mask.shape[0]
    melanin = _fractal_noise(rng, size, 6, octaves=5, roughness=0.7) * np.float32(rng.uniform(0.01, 0.06))
    melanin -= np.abs(_smooth_noise(rng, size, int(rng.integers(45, 80)))) * np.float32(rng.uniform(0.006, 0.03))
    redness = _fractal_noise(rng, size, 5, octaves=4, roughness=0.6) * np.float32(rng.uniform(0.1, 0.3) ** 2)
    return np.asarray((melanin + _naevi(rng, outline)) * MELANIN + redness * BLOOD, np.float32)


def _naevi(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Returns freckles and small naevi that keep clear of the lesion."""
    size = outline.mask.shape[0]
    layer = np.zeros((size, size), np.uint8)
    largest = min(0.055, 0.3 * math.sqrt(outline.mask.mean() / math.pi))  # the lesion is plainly the largest spot
    for x, y in rng.random((int(rng.geometric(0.1)), 2)):
        radius, darkness = rng.uniform(0.15, 1) ** 2 * largest, rng.uniform(0.3, 1) ** 2
        if outline.distance[int(y * size), int(x * size)] > radius + 0.03:
            left, top, wide = (np.array([x, y, radius]) * (size << SHIFT)).astype(int).tolist()
            cv2.circle(layer, (left, top), wide, int(darkness * 255), cv2.FILLED, cv2.LINE_AA, SHIFT)
    spots = cv2.GaussianBlur(layer * np.float32(rng.uniform(0.2, 0.9) / 255), (0, 0), 0.01 * size)
    return np.asarray(spots, np.float32)


def _photograph(rng: np.random.Generator, image: FloatImage) -> ByteImage:
    """Turns a scene (3, size, size) in 0..1 into the uint8 photograph a camera would store."""
    size = image.shape[1]
    x, y = _pixel_grid(size)
    centre_x, centre_y = rng.normal(0.5, 0.2, 2).astype(np.float32)
    falloff = np.float32(rng.uniform(0.1, 0.9)) * ((x - centre_x) ** 2 + (y - centre_y) ** 2)
    light = np.float32(rng.uniform(0.92, 1.12)) * (1 - falloff)
    pixels = cv2.merge(tuple(image * light * rng.normal(1, 0.02, (3, 1, 1)).astype(np.float32)))
    pixels = cv2.GaussianBlur(pixels, (0, 0), rng.uniform(0.0005, 0.004) * size)
    quality, grain = int(rng.integers(70, 96)), np.float32(rng.uniform(0.003, 0.014))
    # The only draw that depends on the size, so nothing that decides the scene may be drawn after it.
    pixels = pixels + rng.standard_normal((size, size, 1), dtype=np.float32) * grain
    pixels = cv2.convertScaleAbs(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), alpha=255)  # rounds, and cuts off at 255
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    compressed = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(compressed, cv2.COLOR_BGR2RGB), np.uint8)


# Every artefact takes a scene (3, size, size) in 0..1 and returns a new one. The mask stays: a lesion under a hair is
# lesion in the ground truth.


def _add_hairs(rng: np.random.Generator, image: FloatImage, outline: Outline) -> FloatImage:
    """Draws a few or many curved dark hairs, combed roughly in one direction."""
    layer = np.zeros_like(outline.mask)
    combed, spread = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 1.5)
    for _ in range(int(rng.choice((rng.integers(1, 6), rng.integers(6, 35))))):
        turning = rng.normal(0, 0.06) + rng.normal(0, 0.005) * np.arange(16)
        headings = combed + rng.normal(0, spread) + turning.cumsum()
        steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * rng.uniform(0.2, 0.9) / 16
        _draw_line(layer, rng.uniform(-0.1, 1.1, 2) + steps.cumsum(axis=0), width=rng.uniform(0.002, 0.006))
    return _painted(image, layer, rng.uniform(0.05, 0.4), opacity=rng.uniform(0.3, 0.9))


def _add_ruler(rng: np.random.Generator, image: FloatImage, outline: Outline) -> FloatImage:
    """Draws a millimetre scale beside the lesion: ticks along a line."""
    layer = np.zeros_like(outline.mask)
    places = rng.uniform(0.05, 0.95, (12, 2))
    columns, rows = (places * (len(layer) - 1)).astype(int).T
    angle, spacing, tick = rng.uniform(0, 2 * math.pi), rng.uniform(0.025, 0.05), rng.uniform(0.02, 0.04)
    along, across = np.array([[math.cos(angle), math.sin(angle)], [math.sin(angle), -math.cos(angle)]])
    start = places[outline.distance[rows, columns].argmax()] - along * spacing * 5.5
    _draw_line(layer, np.array([start, start + along * spacing * 11]), width=0.005)
    for step in range(12):
        foot = start + along * spacing * step
        _draw_line(layer, np.array([foot, foot + across * tick * (1.5 if step % 5 == 0 else 1)]), width=0.004)
    return _painted(image, layer, 0.1, opacity=rng.uniform(0.5, 0.9))


def _add_aperture(rng: np.random.Generator, image: FloatImage, outline: Outline) -> FloatImage:
    """Darkens what lies outside the dermatoscope's round field of view, unless that would hide lesion."""
    x, y = _pixel_grid(image.shape[1])
    centre_x, centre_y = rng.normal(0.5, 0.03, 2).astype(np.float32)
    radius, power, edge = rng.uniform(0.5, 0.68), np.float32(rng.uniform(2.0, 5.0)), rng.uniform(0.01, 0.1)
    beyond = (np.abs(x - centre_x) ** power + np.abs(y - centre_y) ** power) ** (1 / power) - np.float32(radius)
    layer, shade = _smoothstep(beyond, edge), rng.uniform(0.0, 0.16)
    hides_lesion = float((layer * outline.mask).sum()) > 0.01 * float(outline.mask.sum())
    return image if hides_lesion else _painted(image, layer, shade)


def _painted(image: FloatImage, layer: ByteImage | FloatImage, shade: float, *, opacity: float = 1.0) -> FloatImage:
    """Blends a grey shade in where the layer, uint8 in 0..255 or float32 in 0..1, covers the image."""
    cover = layer * np.float32(opacity / 255 if layer.dtype == np.uint8 else opacity)
    return image + cover * (np.float32(shade) - image)


def _draw_line(layer: ByteImage, points: Points, *, width: float) -> None:
    """Draws an antialiased line; one that is thinner than a pixel is drawn fainter instead."""
    pixels = width * len(layer)
    shade = int(255 * min(1.0, 0.35 + 0.65 * pixels))
    fixed = (points * (len(layer) << SHIFT)).astype(np.int32)
    cv2.polylines(layer, [fixed], False, shade, max(1, round(pixels)), cv2.LINE_AA, SHIFT)


Artefact = Callable[[np.random.Generator, FloatImage, Outline], FloatImage]
ARTEFACTS: tuple[tuple[Artefact, float], ...] = (
    (_add_hairs, 0.45),
    (_add_ruler, 0.35),
    (_add_aperture, 0.60),
)
"""Details in the order of drawing, with the share of images that show them."""
