"""How many changed copies of real pictures are found among all, kind by kind, and which pairs are no copies.

    python benchmarks/duplicate_recall.py --root FOLDER     # ISIC 2017 at 256 x 256 pixels: about two minutes

Each kind of change is made to pictures of its own, whose copies are put among all pictures of the folder, and all of
them are compared at once. Pairs of different pictures of the folder are listed: look at each.
"""

import argparse
import io
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from lesionseg.data.duplicates import clusters, find_duplicates

Pixels = np.ndarray
Change = Callable[[Pixels, np.random.Generator], Pixels]


def turned(*degrees: float, border: int = cv2.BORDER_CONSTANT) -> Change:
    """Turns by an angle between two, the corners black or mirrored."""

    def change(image: Pixels, random: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        angle = random.uniform(degrees[0], degrees[-1])
        warp = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1)
        return np.asarray(cv2.warpAffine(image, warp, (width, height), borderMode=border))

    return change


def turned_before_squashing(image: Pixels, random: np.random.Generator) -> Pixels:
    """Turns a 4:3 picture that was squashed to a square at its own aspect."""
    wide = cv2.resize(image, (image.shape[1] * 4 // 3, image.shape[0]))
    return cv2.resize(turned(0, 360)(wide, random), image.shape[1::-1], interpolation=cv2.INTER_AREA)


def quarter(image: Pixels, random: np.random.Generator) -> Pixels:
    """Turns by 90 degrees."""
    return np.rot90(image)


def cropped(share: float) -> Change:
    """Takes away a share of height and of width, anywhere."""

    def change(image: Pixels, random: np.random.Generator) -> Pixels:
        height, width = (round(side * (1 - share)) for side in image.shape[:2])
        top, left = random.integers(image.shape[0] - height + 1), random.integers(image.shape[1] - width + 1)
        return image[top : top + height, left : left + width]

    return change


def mirrored(image: Pixels, random: np.random.Generator) -> Pixels:
    """Mirrors left to right."""
    return image[:, ::-1]


def recoloured(image: Pixels, random: np.random.Generator) -> Pixels:
    """Draws gamma, white balance, contrast and brightness."""
    levels = (image / 255) ** random.uniform(0.6, 1.6) * random.uniform(0.75, 1.25, 3)
    return (np.clip(levels * random.uniform(0.6, 1) + random.uniform(0, 0.15), 0, 1) * 255).astype(np.uint8)


def compressed(image: Pixels, random: np.random.Generator) -> Pixels:
    """JPEG of quality 40."""
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=40)
    return np.asarray(Image.open(content))


def resized(width: int, height: int) -> Change:
    """Resizes, to another aspect too."""
    return lambda image, random: np.asarray(Image.fromarray(image).resize((width, height)))


def covered(count: int, share: float, level: int | None) -> Change:
    """Covers squares with one grey level, or with noise."""

    def change(image: Pixels, random: np.random.Generator) -> Pixels:
        image, side = image.copy(), round(share * image.shape[0])
        for _ in range(count):
            top, left = random.integers(np.array(image.shape[:2]) - side + 1)
            patch = random.integers(0, 256, (side, side, 3)) if level is None else level
            image[top : top + side, left : left + side] = patch
        return image

    return change


def letterboxed(image: Pixels, random: np.random.Generator) -> Pixels:
    """Puts a black bar above and below, an eighth of the height each."""
    bar = image.shape[0] // 8
    small = cv2.resize(image, (image.shape[1], image.shape[0] - 2 * bar), interpolation=cv2.INTER_AREA)
    return cv2.copyMakeBorder(small, bar, bar, 0, 0, cv2.BORDER_CONSTANT)


def round_field(image: Pixels, random: np.random.Generator) -> Pixels:
    """Blackens what is outside a circle."""
    y, x = np.mgrid[-1 : 1 : image.shape[0] * 1j, -1 : 1 : image.shape[1] * 1j]
    return np.asarray(image * (np.hypot(x, y) < 0.9)[..., None], np.uint8)


def after_another(*changes: Change) -> Change:
    """Makes several changes."""

    def change(image: Pixels, random: np.random.Generator) -> Pixels:
        for one in changes:
            image = np.ascontiguousarray(one(image, random))
        return image

    return change


CHANGES: dict[str, Change] = {
    "turned by 10 degrees": turned(10),
    "turned by 30 degrees": turned(30),
    "turned by any angle": turned(0, 360),
    "turned by any angle, corners mirrored": turned(0, 360, border=cv2.BORDER_REFLECT),
    "turned by any angle before squashing": turned_before_squashing,
    "turned by 90 degrees": quarter,
    "cropped by 5 %": cropped(0.05),
    "cropped by 15 %": cropped(0.15),
    "cropped by 20 %": cropped(0.20),
    "cropped by 25 %": cropped(0.25),
    "mirrored": mirrored,
    "recoloured": recoloured,
    "resized to 200 x 150": resized(200, 150),
    "compressed": compressed,
    "mirrored, turned by any angle, recoloured": after_another(mirrored, turned(0, 360), recoloured),
    "turned by any angle, resized, compressed": after_another(turned(0, 360), resized(200, 150), compressed),
    "cropped by 25 %, resized, compressed": after_another(cropped(0.25), resized(200, 150), compressed),
    "mirrored, cropped by 20 %, recoloured": after_another(mirrored, cropped(0.2), recoloured),
    "turned by any angle, cropped by 15 %": after_another(turned(0, 360), cropped(0.15)),
    "cropped by 25 %, recoloured, compressed": after_another(cropped(0.25), recoloured, compressed),
    "a third of the side covered, black": covered(1, 0.33, 0),
    "a third of the side covered, noise": covered(1, 0.33, None),
    "eight squares of an eighth covered": covered(8, 0.125, 128),
    "letterboxed": letterboxed,
    "round field of view": round_field,
}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="folder of photographs, searched with all below it")
    parser.add_argument("--each", type=int, default=60, help="pictures that each kind of change is made to")
    settings = parser.parse_args()
    paths = sorted(path for path in settings.root.rglob("*.jpg"))
    random = np.random.default_rng(0)
    order = random.permutation(len(paths))
    each = min(settings.each, len(paths) // len(CHANGES))
    copies = [
        (name, int(row)) for place, name in enumerate(CHANGES) for row in order[place * each : (place + 1) * each]
    ]

    def picture(row: int) -> Pixels:
        name, original = (None, row) if row < len(paths) else copies[row - len(paths)]
        pixels = np.asarray(Image.open(paths[original]).convert("RGB"))
        return pixels if name is None else np.ascontiguousarray(CHANGES[name](pixels, np.random.default_rng(row)))

    count = len(paths) + len(copies)
    wall, cpu = time.perf_counter(), time.process_time()
    pairs = find_duplicates(picture, count)
    print(f"{count} pictures: {time.perf_counter() - wall:.0f} s, {time.process_time() - cpu:.0f} s of CPU")
    label = clusters(count, [(pair.first, pair.second) for pair in pairs])
    found = Counter(name for row, (name, original) in enumerate(copies, len(paths)) if label[row] == label[original])
    for name in CHANGES:
        print(f"{name:45} {found[name]:3} of {each}")
    original_of = [*range(len(paths)), *(original for _, original in copies)]
    for pair in pairs:
        first, second = original_of[pair.first], original_of[pair.second]
        if first != second:
            print(f"different files: {paths[first].stem} {paths[second].stem} {pair.likeness:.3f}")


if __name__ == "__main__":
    main()
