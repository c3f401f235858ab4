"""What a picture looks like counts, not its numbers: profiles are followed, and each mode gives its colours."""

import io
import struct
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from lesionseg.data.colours import profile_name, rgb_of
from lesionseg.data.image_file import photograph_of, read_image, read_photograph
from lesionseg.errors import InputError

D50 = (0.9642, 1.0, 0.8249)
PRIMARIES = {
    "Display P3": ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)),
    "Adobe RGB (1998)": ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)),
    "ProPhoto RGB": ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)),
}
"""XYZ of red, green and blue, adapted to D50, as their definitions give them."""
GAMMAS = {"Display P3": None, "Adobe RGB (1998)": 563 / 256, "ProPhoto RGB": 1.8}
"""None for sRGB's own curve."""


def tag(kind: bytes, data: bytes) -> bytes:
    return kind + bytes(4) + data


def fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))


def curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return tag(b"curv", struct.pack(">IH", 1, round(gamma * 256)))
    x = np.linspace(0, 1, 1024)
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return tag(b"curv", struct.pack(">I1024H", 1024, *(linear * 65535).round().astype(int).tolist()))


def icc(space: bytes, tags: dict[bytes, bytes], name: str) -> bytes:
    """Writes a profile of ICC's version 2 (specification ICC.1:2001-04)."""
    text = name.encode() + b"\0"
    description = tag(b"desc", struct.pack(">I", len(text)) + text + bytes(4 + 4 + 2 + 1 + 67))
    tags = {b"desc": description, b"cprt": tag(b"text", b"none\0"), b"wtpt": tag(b"XYZ ", fixed(*D50)), **tags}
    position, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for signature, data in tags.items():
        table += struct.pack(">4sII", signature, position + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = position + len(body)
    header = struct.pack(">I4sI4s4s4s12s4s", size, bytes(4), 0x02100000, b"mntr", space, b"XYZ ", bytes(12), b"acsp")
    header = (header + bytes(28) + fixed(*D50)).ljust(128, b"\0")
    return header + struct.pack(">I", len(tags)) + table + body


def profile(name: str) -> bytes:
    colorants = zip((b"rXYZ", b"gXYZ", b"bXYZ"), PRIMARIES[name], strict=True)
    curves = {signature: curve(GAMMAS[name]) for signature in (b"rTRC", b"gTRC", b"bTRC")}
    return icc(b"RGB ", {s: tag(b"XYZ ", fixed(*xyz)) for s, xyz in colorants} | curves, name)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def picture(colour: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    return Image.new(mode, size, colour if len(colour) > 1 else colour[0])


KNOWN: list[tuple[str, tuple[int, int, int], tuple[int, int, int]]] = [
    ("Display P3", (234, 51, 35), (255, 0, 0)),
    ("Display P3", (117, 251, 76), (0, 255, 0)),
    ("Adobe RGB (1998)", (219, 0, 0), (255, 0, 0)),
    ("Adobe RGB (1998)", (144, 255, 60), (0, 255, 0)),
    ("ProPhoto RGB", (179, 70, 26), (255, 0, 0)),
]
"""sRGB's own primaries in other spaces, as colour calculators (Lindbloom's, Apple's ColorSync) give them."""
SAVINGS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 100, "subsampling": 0},
    ".png": {},
    ".tif": {},
    ".webp": {"lossless": True},
}


@pytest.mark.parametrize("suffix", SAVINGS)
@pytest.mark.parametrize(("name", "stored", "seen"), KNOWN)
def test_a_profile_is_followed(
    tmp_path: Path, suffix: str, name: str, stored: tuple[int, int, int], seen: tuple[int, int, int]
) -> None:
    path = tmp_path / f"a{suffix}"
    picture(stored).save(path, icc_profile=profile(name), **SAVINGS[suffix])
    assert np.abs(read_image(path).astype(int) - seen).max() <= 5
    with Image.open(path) as opened:
        assert profile_name(opened) == name
        assert np.array_equal(photograph_of(opened).pixels, read_image(path))


def test_a_turned_jpeg_at_a_reduced_scale_follows_its_profile(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture((219, 0, 0), size=(640, 320)).save(
        tmp_path / "a.jpg", icc_profile=profile("Adobe RGB (1998)"), exif=exif, quality=95
    )
    photograph = read_photograph(tmp_path / "a.jpg", for_size=64)
    assert photograph.pixels.shape[0] < 640
    assert (photograph.shape, photograph.orientation) == ((640, 320), 6)
    assert np.abs(photograph.pixels.astype(int) - (255, 0, 0)).max() <= 5


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_without_a_profile_or_with_srgbs_pixels_stay_as_they_are(tmp_path: Path, mode: str) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    image = Image.fromarray(colours).convert(mode)
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "srgb.png", icc_profile=srgb_profile())
    plain = read_image(tmp_path / "plain.png")
    assert np.array_equal(plain, np.asarray(image.convert("RGB")))
    assert np.array_equal(read_image(tmp_path / "srgb.png"), plain)
    with Image.open(tmp_path / "srgb.png") as opened:
        assert profile_name(opened) is None


def test_grey_follows_its_profile(tmp_path: Path) -> None:
    """A grey of 128 under gamma 1 is half the light, which sRGB writes as 188."""
    grey = icc(b"GRAY", {b"kTRC": curve(1.0)}, "linear grey")
    for mode in ("L", "LA"):
        picture((128, 255)[: len(mode)], mode).save(tmp_path / "a.png", icc_profile=grey)
        assert np.abs(read_image(tmp_path / "a.png").astype(int) - 188).max() <= 1
    sixteen = Image.fromarray(np.full((9, 9), 128 * 257, np.uint16))
    sixteen.save(tmp_path / "a.png", icc_profile=grey)
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - 188).max() <= 1


def damaged() -> dict[str, bytes]:
    whole = profile("Display P3")
    holes = {f"cut at {kept}": whole[:kept] for kept in (1, 64, 127, 131, 150, len(whole) // 2)}
    noise = np.random.default_rng(0).bytes(len(whole))
    return holes | {"noise": noise, "noise in the tags": whole[:140] + noise[140:], "text": b"no profile at all"}


@pytest.mark.parametrize("suffix", SAVINGS)
@pytest.mark.parametrize("kind", damaged())
def test_a_damaged_profile_counts_as_none_or_is_followed(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"a{suffix}"
    picture((200, 120, 40)).save(path, icc_profile=damaged()[kind], **SAVINGS[suffix])
    found = read_image(path)
    assert found.shape == (64, 96, 3)
    if kind in ("text", "noise", "cut at 64"):
        assert np.abs(found.astype(int) - (200, 120, 40)).max() <= 3
        with Image.open(path) as opened:
            assert profile_name(opened) is None


@pytest.mark.parametrize(
    ("mode", "colour", "given"),
    [
        ("RGB", (200, 120, 40), icc(b"GRAY", {b"kTRC": curve(1.0)}, "grey")),
        ("CMYK", (200, 0, 0, 0), profile("Display P3")),
    ],
)
def test_a_profile_of_another_kind_of_image_is_left_alone(
    tmp_path: Path, mode: str, colour: tuple[int, ...], given: bytes
) -> None:
    picture(colour, mode).save(tmp_path / "with.tif", icc_profile=given)
    picture(colour, mode).save(tmp_path / "without.tif")
    assert np.array_equal(read_image(tmp_path / "with.tif"), read_image(tmp_path / "without.tif"))


@pytest.mark.parametrize("name", [None, "", " "])
def test_a_profile_without_a_name_is_followed_and_told(tmp_path: Path, name: str | None) -> None:
    given = profile("Adobe RGB (1998)")
    if name is None:
        given = given.replace(b"desc", b"none")
    else:
        given = given.replace(b"Adobe RGB (1998)", name.encode().ljust(16, b"\0"))
    picture((219, 0, 0)).save(tmp_path / "a.png", icc_profile=given)
    assert np.abs(read_image(tmp_path / "a.png").astype(int) - (255, 0, 0)).max() <= 5
    with Image.open(tmp_path / "a.png") as opened:
        assert profile_name(opened) == "without a name"


def test_grey_with_a_colour_profile_stays_grey(tmp_path: Path) -> None:
    picture((128,), "L").save(tmp_path / "a.png", icc_profile=profile("ProPhoto RGB"))
    found = read_image(tmp_path / "a.png").astype(int)
    assert np.ptp(found) <= 1
    assert abs(found[0, 0, 0] - 255 * (1.055 * (128 / 255) ** (1.8 / 2.4) - 0.055)) <= 2


def test_threads_share_a_conversion(tmp_path: Path) -> None:
    gradient = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(gradient).save(tmp_path / "a.png", icc_profile=profile("ProPhoto RGB"))
    alone, together = read_image(tmp_path / "a.png"), threading.Barrier(4)

    def read(_: int) -> bool:
        together.wait()
        return all(np.array_equal(read_image(tmp_path / "a.png"), alone) for _ in range(5))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))


SEEN: list[tuple[str, Callable[[], Image.Image]]] = [
    ("1", lambda: Image.new("1", (8, 8), 1)),
    ("L", lambda: Image.new("L", (8, 8), 255)),
    ("LA", lambda: Image.new("LA", (8, 8), (255, 3))),
    ("La", lambda: Image.new("LA", (8, 8), (255, 255)).convert("La")),
    ("P", lambda: Image.new("RGB", (8, 8), (255, 255, 255)).convert("P")),
    ("PA", lambda: Image.new("RGBA", (8, 8), (255, 255, 255, 9)).convert("PA")),
    ("RGB", lambda: Image.new("RGB", (8, 8), (255, 255, 255))),
    ("RGBA", lambda: Image.new("RGBA", (8, 8), (255, 255, 255, 0))),
    ("RGBa", lambda: Image.new("RGBA", (8, 8), (255, 255, 255, 255)).convert("RGBa")),
    ("RGBX", lambda: Image.new("RGB", (8, 8), (255, 255, 255)).convert("RGBX")),
    ("CMYK", lambda: Image.new("CMYK", (8, 8), (0, 0, 0, 0))),
    ("YCbCr", lambda: Image.new("RGB", (8, 8), (255, 255, 255)).convert("YCbCr")),
    ("HSV", lambda: Image.new("RGB", (8, 8), (255, 255, 255)).convert("HSV")),
    ("LAB", lambda: Image.new("LAB", (8, 8), (255, 128, 128))),
    ("I;16", lambda: Image.fromarray(np.full((8, 8), 65535, np.uint16))),
    ("I", lambda: Image.fromarray(np.full((8, 8), 65535, np.int32))),
]


@pytest.mark.parametrize(("mode", "make"), SEEN, ids=[mode for mode, _ in SEEN])
def test_white_is_white_in_every_mode(mode: str, make: Callable[[], Image.Image]) -> None:
    image = make()
    assert image.mode == mode
    assert rgb_of(image, "a").min() >= 253


@pytest.mark.parametrize("bits", [np.uint16, np.int32])
def test_16_bits_are_not_clipped_to_white(bits: type) -> None:
    """Pillow's own conversion to RGB takes whatever is above 255 for white."""
    image = Image.fromarray(np.array([[0, 257, 25_700, 65_535]], bits))
    assert rgb_of(image, "a")[0, :, 0].tolist() == [0, 1, 100, 255]


@pytest.mark.parametrize("values", [[0.0, 0.5, 1.0], [-1.0, 300.0, 7.0]])
def test_fractions_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError, match=r"the image: has 32 bits a pixel \(Pillow's mode F\)"):
        photograph_of(Image.fromarray(np.array([values], np.float32)))


def test_negative_whole_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="has 32 bits a pixel"):
        photograph_of(Image.fromarray(np.array([[-1, 5]], np.int32)))


def test_pillows_image_that_is_cut_short_is_refused() -> None:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(file, "PNG")
    with pytest.raises(InputError, match="the image: cannot be read as an image"):
        photograph_of(Image.open(io.BytesIO(file.getvalue()[:4000])))
