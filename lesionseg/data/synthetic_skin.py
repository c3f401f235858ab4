"""The healthy skin around a synthetic lesion: tone, redness, furrows, vessels and small naevi."""

import math

import cv2
import numpy as np

from lesionseg.data.synthetic_lesion import Outline
from lesionseg.data.synthetic_texture import FloatImage, blur, fractal_noise, smooth_noise, smoothstep, streak_noise

# How strongly one unit of melanin and of blood darkens red, green and blue.
MELANIN = np.array((0.45, 0.90, 1.30), dtype=np.float32)[:, None, None]
BLOOD = np.array((0.10, 0.85, 0.70), dtype=np.float32)[:, None, None]
# Red, green and blue of skin in dermoscopic photographs: pale, pink, orange, yellowish, greyish, mauve, brown, dark.
SKIN_TONES = np.array(
    [
        (240, 232, 230),
        (228, 200, 190),
        (240, 160, 150),
        (228, 180, 146),
        (226, 212, 186),
        (214, 214, 200),
        (176, 152, 142),
        (190, 180, 192),
        (204, 166, 144),
        (158, 116, 94),
    ],
    dtype=np.float32,
)


def skin_tone(rng: np.random.Generator) -> FloatImage:
    """Return a skin colour (3, 1, 1) in 0..1, somewhere between two tones that photographs show."""
    first, second = SKIN_TONES[rng.integers(len(SKIN_TONES), size=2)] / 255
    tone = first + (second - first) * np.float32(rng.uniform(0, 0.5))
    return np.asarray(tone * rng.normal(1, 0.02, 3), dtype=np.float32)[:, None, None]


def draw_skin(rng: np.random.Generator, outline: Outline) -> FloatImage:
    """Return the absorbance (3, size, size) float32 of the skin's texture and of the naevi beside the lesion."""
    size = outline.mask.shape[0]
    melanin = fractal_noise(rng, size, 6, octaves=5, roughness=0.7) * np.float32(rng.uniform(0.005, 0.035))
    melanin += _furrows(rng, size) + _sun_spots(rng, size) + _naevi(rng, outline)
    redness = fractal_noise(rng, size, 5, octaves=4, roughness=0.6) * np.float32(rng.uniform(0.1, 0.3) ** 2)
    return melanin * MELANIN + (redness + _vessels(rng, size)) * BLOOD


def _furrows(rng: np.random.Generator, size: int) -> FloatImage:
    """Return the fine net of skin lines, drawn out in one direction, with pores as dark specks."""
    lines = streak_noise(rng, size, 55, stretch=rng.uniform(1.5, 4), angle=rng.uniform(0, math.pi))
    net = smooth_noise(rng, size, int(rng.integers(45, 80)))
    pores: FloatImage = np.maximum(net - np.float32(1.5), 0) * np.float32(rng.uniform(0, 4))
    return (lines + pores - np.abs(net)) * np.float32(rng.uniform(0.006, 0.03))


def _sun_spots(rng: np.random.Generator, size: int) -> FloatImage | np.float32:
    """Return broad, faint and blurred pigment patches, in four of ten images."""
    if rng.random() > 0.4:
        return np.float32(0)
    noise = fractal_noise(rng, size, int(rng.integers(4, 10)), octaves=4, roughness=0.6)
    return smoothstep(noise - np.float32(rng.uniform(0.3, 1.2)), 2.0) * np.float32(rng.uniform(0.05, 0.18))


def _vessels(rng: np.random.Generator, size: int) -> FloatImage | np.float32:
    """Return blurred thin wavy vessels in a third of the images."""
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
    """Return freckles and small naevi that keep clear of the lesion, in seven of ten images."""
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
