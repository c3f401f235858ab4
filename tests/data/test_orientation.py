"""A mask turned back lies as its photograph's file does."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from lesionseg.data.orientation import as_stored, stored_orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(3, 5), (4, 4), (1, 6)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_turning_back_undoes_what_pillow_does(orientation: int, size: tuple[int, int], kind: type) -> None:
    """Every pixel is another one, so that no two ways of turning look alike."""
    stored = np.arange(size[0] * size[1], dtype=np.uint8).reshape(size)
    tags = Image.Exif()
    tags[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(stored).save(file, "PNG", exif=tags)
    with Image.open(file) as image:
        assert stored_orientation(image) == orientation
        upright = np.asarray(ImageOps.exif_transpose(image))
    found = as_stored(upright.astype(kind), orientation)
    assert found.dtype == kind
    assert np.array_equal(found, stored)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "BMP", "GIF"])
def test_without_exif_an_image_lies_upright(kind: str) -> None:
    file = io.BytesIO()
    Image.new("L", (5, 4)).save(file, kind)
    with Image.open(file) as image:
        assert stored_orientation(image) == 1
