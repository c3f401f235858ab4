"""Photographs that the project draws itself, for benchmarks without any at hand."""

import shutil
from pathlib import Path

from PIL import Image

from lesionseg.data.synthetic_image import draw_dermoscopy

WIDTH, HEIGHT = 1024, 768
"""Pixels; the most common size in ISIC 2017 is 1022 x 767."""
DISTINCT, FILES = 8, 64
QUALITY = 90


def draw_photographs(folder: Path, *, seed: int) -> None:
    """Writes JPEGs into a new folder; each picture stands there several times, as drawing takes half a second."""
    folder.mkdir()
    for number in range(DISTINCT):
        square, _ = draw_dermoscopy(seed + number, WIDTH)
        Image.fromarray(square[:HEIGHT]).save(folder / f"{number:02d}.jpg", quality=QUALITY)
    for number in range(DISTINCT, FILES):
        shutil.copyfile(folder / f"{number % DISTINCT:02d}.jpg", folder / f"{number:02d}.jpg")
