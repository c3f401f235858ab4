"""Checks of one image."""

from collections.abc import Iterator

from PIL import Image

from lesionseg.data.orientation import UPRIGHT
from lesionseg.doctor.examination import Examination, FileFault, ImageFacts
from lesionseg.doctor.finding import Finding

SMALLEST = 32
"""Pixels a side below which the network cannot see a lesion."""
FLATTEST = 2.0
"""Standard deviation, in grey levels, below which there is no picture."""
LONGEST = 3.0
"""Longer side over shorter one."""
GREYEST = 2.0
"""Mean difference of the channels, in grey levels, below which there is no colour."""


def check_image(examination: Examination) -> Iterator[Finding]:
    """Yields what is wrong with a sample's image."""
    image = examination.image
    if isinstance(image, FileFault):
        name = {"empty": "empty_image_file", "truncated": "truncated_image"}.get(image.kind, "unreadable_image")
        yield Finding(name, (examination.id,), image.text, examination.part)
        return
    for name, text in (*_picture(image), *_file(image)):
        yield Finding(name, (examination.id,), f"{examination.id}: {text}", examination.part)


def _picture(image: ImageFacts) -> Iterator[tuple[str, str]]:
    """What the picture shows."""
    height, width = image.file.shape
    small = image.small.astype(float)
    if min(height, width) < SMALLEST:
        yield "tiny_image", f"{width} x {height} pixels"
    if max(height, width) > LONGEST * min(height, width):
        yield "elongated_image", f"{width} x {height} pixels"
    if small.std(axis=(0, 1)).max() < FLATTEST:
        yield "blank_image", f"all of it is about {small.mean(axis=(0, 1)).round().astype(int).tolist()}"
    elif (small.max(axis=2) - small.min(axis=2)).mean() < GREYEST:
        yield "grey_image", f"red, green and blue are the same (Pillow's mode {image.file.mode})"


def _file(image: ImageFacts) -> Iterator[tuple[str, str]]:
    """How it is stored."""
    file = image.file
    if file.mode.startswith("I"):
        yield "deep_image", f"Pillow's mode {file.mode}"
    if file.mode == "CMYK":
        yield "cmyk_image", "Pillow's mode CMYK"
    if file.mode in ("RGBA", "LA", "PA"):
        yield "transparent_image", f"Pillow's mode {file.mode}"
    if file.orientation != UPRIGHT:
        yield "turned_by_exif", f"EXIF orientation {file.orientation}"
    expected = Image.registered_extensions().get(file.suffix)
    if file.format is not None and expected not in (None, file.format, "JPEG" if file.format == "MPO" else None):
        yield "misnamed_image", f"named {file.suffix}, but it is {file.format}"
