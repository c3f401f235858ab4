"""The same picture twice, however it was changed on the way; and never two different ones."""

import functools
import io
import os
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from lesionseg.data.duplicates import MOST_CANDIDATES, SAME, Duplicate, clusters, find_duplicates
from lesionseg.data.synthetic_image import draw_dermoscopy

REAL = Path(os.environ.get("LESIONSEG_ISIC2017", Path(__file__).parents[3] / "shared" / "data" / "isic2017_256"))
REAL_PAIRS = [
    ("ISIC_0012127", "ISIC_0012970"),
    ("ISIC_0012290", "ISIC_0013594"),
    ("ISIC_0012672", "ISIC_0012673"),
    ("ISIC_0012756", "ISIC_0013184"),
]

Change = Callable[[np.ndarray], np.ndarray]


@functools.cache
def drawn(seed: int) -> np.ndarray:
    picture = draw_dermoscopy(seed, 128)[0]
    picture.flags.writeable = False
    return picture


def duplicates(pictures: Sequence[np.ndarray]) -> list[Duplicate]:
    return find_duplicates(lambda row: np.ascontiguousarray(pictures[row]), len(pictures))


def resized(width: int, height: int) -> Change:
    return lambda image: np.asarray(Image.fromarray(image).resize((width, height)))


def levels(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Changes levels 0 to 1."""
    return lambda image: (np.clip(change(image / 255), 0, 1) * 255).astype(np.uint8)


def jpeg(image: np.ndarray) -> np.ndarray:
    content = io.BytesIO()
    Image.fromarray(image).save(content, "JPEG", quality=40)
    return np.asarray(Image.open(content))


def transposed(image: np.ndarray) -> np.ndarray:
    return image.transpose(1, 0, 2)


GAMMA = levels(lambda grey: grey**1.4)


def turned(degrees: float, border: int = cv2.BORDER_CONSTANT) -> Change:
    """Turns about the middle; corners are black, or mirrored."""

    def change(image: np.ndarray) -> np.ndarray:
        height, width = image.shape[:2]
        warp = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
        return np.asarray(cv2.warpAffine(image, warp, (width, height), borderMode=border))

    return change


def covered(image: np.ndarray) -> np.ndarray:
    changed = image.copy()
    changed[20:60, 60:100] = 0
    return changed


def letterboxed(image: np.ndarray) -> np.ndarray:
    small = np.asarray(Image.fromarray(image).resize((128, 96)))
    return np.pad(small, ((16, 16), (0, 0), (0, 0)))


def in_a_circle(radius: float, level: int = 0) -> Change:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    inside = (np.hypot(x, y) < radius)[..., None]
    return lambda image: np.where(inside, image, level).astype(np.uint8)


def vignetted(image: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    return np.asarray(image * np.clip(1.35 - 0.75 * (x**2 + y**2), 0, 1)[..., None], np.uint8)


FRAMES: dict[str, Change] = {
    "letterboxed": letterboxed,
    "letterboxed and compressed": lambda image: jpeg(letterboxed(image)),
    "pillarboxed": lambda image: transposed(letterboxed(transposed(image))),
    "in white bars": lambda image: np.where(letterboxed(image) == 0, 255, letterboxed(image)).astype(np.uint8),
    "in a circle": in_a_circle(0.95),
    "in a smaller circle": in_a_circle(0.7),
    "in a grey circle": in_a_circle(0.8, 60),
    "vignetted": vignetted,
}

CHANGES: dict[str, Change] = {
    "turned by 30": turned(30),
    "turned by 137, corners mirrored": turned(137, cv2.BORDER_REFLECT),
    "turned by 200, mirrored and recoloured": lambda image: levels(lambda grey: grey**1.4)(
        turned(200)(np.fliplr(image))
    ),
    "cropped by 15 %": lambda image: image[:109, 10:119],
    "cropped by 25 %": lambda image: image[20:116, 10:106],
    "cropped by 20 %, resized and compressed": lambda image: jpeg(resized(100, 90)(image[8:110, 20:122])),
    "partly covered": covered,
    **{name: change for name, change in FRAMES.items() if name != "vignetted"},
    "smaller": resized(90, 90),
    "larger and of another aspect": resized(200, 150),
    "white balance": levels(lambda image: image * (0.8, 1.0, 1.2)),
    "grey": lambda image: np.asarray(Image.fromarray(image).convert("L").convert("RGB")),
    "gamma": levels(lambda image: image**1.6),
    "less contrast and brighter": levels(lambda image: 0.5 * image + 0.3),
    "cropped by 6 %": lambda image: image[4:-4, 4:-4],
    "compressed": jpeg,
    "one pixel changed": lambda image: np.where(np.arange(image.size).reshape(image.shape) == 9, 0, image),
    "turned by 90": lambda image: np.rot90(image, 1),
    "turned by 180": lambda image: np.rot90(image, 2),
    "turned by 270": lambda image: np.rot90(image, 3),
    "mirrored left to right": np.fliplr,
    "mirrored top to bottom": np.flipud,
    "transposed": transposed,
    "transposed the other way": lambda image: transposed(np.rot90(image, 2)),
    "mirrored, compressed and recoloured": lambda image: jpeg(levels(lambda grey: grey**0.7)(np.fliplr(image))),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_copy_is_found_and_nothing_else(change: Change) -> None:
    originals = [drawn(1000), drawn(1020)]
    copies = [change(original).astype(np.uint8) for original in originals]
    pairs = duplicates([drawn(1001), *originals, drawn(1021), *copies])
    assert [(pair.first, pair.second) for pair in pairs] == [(1, 4), (2, 5)]
    assert all(SAME <= pair.likeness < 1 for pair in pairs)


def test_equal_pixels_alone_have_a_likeness_of_exactly_one() -> None:
    assert duplicates([drawn(0), drawn(1), drawn(0)]) == [(0, 2, 1.0, True)]


def test_of_several_equal_pictures_each_is_paired_with_the_first() -> None:
    copies = [drawn(1), drawn(0), drawn(2), drawn(0), drawn(0)]
    assert duplicates(copies) == [(1, 3, 1.0, True), (1, 4, 1.0, True)]


def test_a_changed_copy_of_a_picture_that_is_there_twice_joins_the_two() -> None:
    pairs = duplicates([drawn(0), np.fliplr(drawn(0)), drawn(0)])
    assert len(set(clusters(3, [(pair.first, pair.second) for pair in pairs]))) == 1


def test_among_many_different_pictures_there_is_no_pair() -> None:
    assert duplicates([drawn(seed) for seed in range(60)]) == []


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
def test_unrelated_pictures_in_one_frame_are_no_pair(frame: Change) -> None:
    assert duplicates([frame(drawn(seed)) for seed in range(MOST_CANDIDATES)]) == []  # all compared with all


def test_smooth_pictures_without_a_lesion_are_no_pair() -> None:
    y, x = np.mgrid[:1:128j, :1:128j]
    random = np.random.default_rng(0)
    slopes = [150 + 40 * a * x + 40 * b * y for a, b in random.uniform(-1, 1, (16, 2))]
    smooth = [np.repeat(slope[..., None], 3, axis=2) * (1, 0.8, 0.7) for slope in slopes]
    noisy = [picture + random.normal(0, 2, picture.shape) for picture in smooth]
    pictures = [picture.astype(np.uint8) for picture in smooth + noisy]
    assert duplicates(pictures + [vignetted(picture) for picture in pictures]) == []


def test_all_of_many_versions_of_a_picture_are_linked() -> None:
    """More of them than candidates are looked at for one picture."""
    random = np.random.default_rng(0)

    def version(image: np.ndarray) -> np.ndarray:
        top, left = random.integers(0, 20, 2)
        changed = turned(random.uniform(0, 360), cv2.BORDER_REFLECT)(image)[top : top + 108, left : left + 108]
        return levels(lambda grey: grey ** random.uniform(0.7, 1.4))(
            np.fliplr(changed) if random.random() < 0.5 else changed
        )

    originals = [drawn(seed) for seed in range(2)]
    pictures = [version(original) for original in originals for _ in range(MOST_CANDIDATES + 6)]
    labels = clusters(len(pictures), [(pair.first, pair.second) for pair in duplicates(pictures)])
    members = labels.reshape(len(originals), -1)
    assert len(set(labels)) == len(originals)
    assert all(len(set(versions)) == 1 for versions in members)


def test_only_copies_that_lie_as_they_are_count_as_straight() -> None:
    original = drawn(0)
    changed = [jpeg(original), turned(30)(original), np.fliplr(original)]
    assert [duplicates([original, picture])[0].is_straight for picture in changed] == [True, False, False]


def test_the_same_pairs_are_found_in_any_order_of_the_pictures() -> None:
    pictures = [drawn(0), drawn(1), jpeg(drawn(0)), drawn(2), np.fliplr(drawn(1))]
    found = {(pair.first, pair.second) for pair in duplicates(pictures)}
    backwards = {(4 - pair.second, 4 - pair.first) for pair in duplicates(pictures[::-1])}
    assert found == backwards == {(0, 2), (1, 4)}


def test_pictures_are_asked_for_once_each() -> None:
    asked: list[int] = []

    def picture(row: int) -> np.ndarray:
        asked.append(row)
        return drawn(row)

    find_duplicates(picture, 5)
    assert asked == [0, 1, 2, 3, 4]


def test_blank_pictures_look_like_nothing_but_their_equals() -> None:
    black, white = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 255, np.uint8)
    assert duplicates([black, white, drawn(0), white // 2]) == []
    assert duplicates([black, white, black]) == [(0, 2, 1.0, True)]


def test_equal_bytes_of_another_shape_are_another_picture() -> None:
    assert duplicates([np.zeros((64, 32, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)]) == []


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_have_no_pair(count: int) -> None:
    assert duplicates([drawn(0)] * count) == []


@pytest.mark.parametrize(
    ("count", "links", "expected"),
    [
        (0, [], []),
        (3, [], [{0}, {1}, {2}]),
        (5, [(3, 1)], [{0}, {1, 3}, {2}, {4}]),
        (6, [(0, 1), (4, 5), (1, 4)], [{0, 1, 4, 5}, {2}, {3}]),
        (3, [(0, 0), (2, 2)], [{0}, {1}, {2}]),
    ],
)
def test_rows_that_are_linked_directly_or_not_share_a_label(
    count: int, links: list[tuple[int, int]], expected: list[set[int]]
) -> None:
    labels = clusters(count, iter(links))
    assert labels.shape == (count,)
    for one, other in combinations(range(count), 2):
        together = any({one, other} <= members for members in expected)
        assert (labels[one] == labels[other]) == together


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real ISIC 2017 is not at {REAL}; set LESIONSEG_ISIC2017")
def test_the_known_pairs_of_isic_2017_are_found_and_no_others() -> None:
    paths = {path.stem: path for path in sorted(REAL.glob("ISIC-2017_*_Data/ISIC_*.jpg"))}
    known = {id_ for pair in REAL_PAIRS for id_ in pair}
    others = [id_ for id_ in sorted(paths) if id_ not in known]
    ids = sorted([*known, *others[:: len(others) // 60][:60]])
    found = duplicates([np.asarray(Image.open(paths[id_])) for id_ in ids])
    assert [(ids[pair.first], ids[pair.second]) for pair in found] == REAL_PAIRS
