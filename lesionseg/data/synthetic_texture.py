"""Noise fields and soft edges, the raw material of synthetic skin and lesions.

Every field is drawn on a grid of its own and then enlarged, so a seed shows the same scene at every image size.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

FloatImage = NDArray[np.float32]
ByteImage = NDArray[np.uint8]


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> FloatImage:
    """Return (size, size) float32 noise of mean 0 and deviation near 0.8, with `cells` independent values per side."""
    return _enlarge(rng.standard_normal((cells, cells), dtype=np.float32), size)


def fractal_noise(
    rng: np.random.Generator, size: int, cells: int, *, octaves: int = 3, roughness: float = 0.5
) -> FloatImage:
    """Return (size, size) float32 noise of mean 0: each octave is twice as fine and `roughness` times as strong."""
    noise = rng.standard_normal((cells, cells), dtype=np.float32)
    for octave in range(1, octaves):
        cells *= 2
        finer = rng.random((cells, cells), dtype=np.float32) - np.float32(0.5)  # quicker to draw than normal noise
        noise = _enlarge(noise, cells) + finer * np.float32(3.5 * roughness**octave)
    return _enlarge(noise, size)


def streak_noise(rng: np.random.Generator, size: int, cells: int, *, stretch: float, angle: float) -> FloatImage:
    """Return (size, size) float32 noise of grains `stretch` times as long as wide, at an angle in radians."""
    grid = rng.standard_normal((64, 64), dtype=np.float32)
    cosine, sine = math.cos(angle) * cells / size, math.sin(angle) * cells / size
    to_grid = np.array([[cosine / stretch, sine / stretch, 0.0], [-sine, cosine, 0.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(grid, to_grid, (size, size), flags=flags, borderMode=cv2.BORDER_WRAP), np.float32)


def _enlarge(grid: FloatImage, size: int) -> FloatImage:
    """Resize a square grid to (size, size) by cubic interpolation."""
    return np.asarray(cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def smoothstep(field: FloatImage, width: float) -> FloatImage:
    """Map a field to 0..1: 0.5 where it is zero, an S-shaped ramp that is `width` wide in the field's own unit."""
    ramp = np.clip(field * np.float32(1 / width) + np.float32(0.5), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), dtype=np.float32)


def pixel_grid(size: int) -> tuple[FloatImage, FloatImage]:
    """Return the x (1, size) and y (size, 1) of the pixel centres, float32, as fractions of the image side."""
    centres = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return centres[None, :], centres[:, None]


def blur(layer: FloatImage, sigma: float) -> FloatImage:
    """Blur a layer (size, size) by a Gaussian of `sigma` as a fraction of the image side."""
    pixels = max(sigma * layer.shape[0], 0.05)
    return np.asarray(cv2.GaussianBlur(layer, (0, 0), pixels), dtype=np.float32)
