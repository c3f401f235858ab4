"""The drawn source: its parts never share an image, and its seeds never change meaning."""

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import pytest
from omegaconf import DictConfig

from lesionseg.config.build import build
from lesionseg.data.source import SUBSETS
from lesionseg.data.synthetic import Synthetic, trains_on_drawn_images
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError

SMALL: dict[str, Any] = {"size": 32, "train": 5, "validation": 3, "test": 2}

Open = Callable[..., Synthetic]


@pytest.fixture
def synthetic(compose: Callable[[list[str]], DictConfig]) -> Open:
    """Opens a small source with the settings of conf/data/synthetic.yaml, some of them changed."""
    cfg = compose(["data=synthetic"])
    return lambda **changes: build("data", cfg.data, **(SMALL | changes))


def seeds(source: Synthetic) -> dict[str, list[int]]:
    return {part: [sample.seed for sample in source.samples(part)] for part in SUBSETS}  # type: ignore[attr-defined]


def test_parts_have_as_many_images_as_asked_for_under_plain_names(synthetic: Open) -> None:
    listing = synthetic().listing()
    assert listing.ids() == {
        "train": ["train_0000", "train_0001", "train_0002", "train_0003", "train_0004"],
        "validation": ["validation_0000", "validation_0001", "validation_0002"],
        "test": ["test_0000", "test_0001"],
    }
    assert listing.official


def test_no_drawing_is_in_two_parts(synthetic: Open) -> None:
    drawn = list(chain(*seeds(synthetic(train=200, validation=200, test=200)).values()))
    assert len(drawn) == len(set(drawn)) == 600


def test_more_images_leave_the_first_ones_as_they_were(synthetic: Open) -> None:
    few, many = seeds(synthetic()), seeds(synthetic(train=9))
    assert many["train"][:5] == few["train"]
    assert many["validation"] == few["validation"]


def test_another_seed_gives_other_images(synthetic: Open) -> None:
    assert not set(chain(*seeds(synthetic(seed=0)).values())) & set(chain(*seeds(synthetic(seed=1)).values()))


def test_seeds_are_the_same_on_every_machine_and_in_every_version(synthetic: Open) -> None:
    """NumPy's SeedSequence promises its stream for good; the numbers are pinned so that results stay comparable."""
    sequences = {part: np.random.SeedSequence([0, number, 0]) for number, part in enumerate(SUBSETS)}
    first = {part: [int(sequence.generate_state(1)[0])] for part, sequence in sequences.items()}
    assert {part: found[:1] for part, found in seeds(synthetic()).items()} == first


def test_reading_gives_image_and_mask_of_the_size(synthetic: Open) -> None:
    (sample, *_) = synthetic(size=40).samples("train")
    image, mask = sample.read()
    drawn = draw_dermoscopy(sample.seed, 40)  # type: ignore[attr-defined]
    for found, alone, expected in ((image, sample.image(), drawn[0]), (mask, sample.mask(), drawn[1])):
        assert np.array_equal(found, expected)
        assert np.array_equal(alone, expected)
    assert image.shape == (40, 40, 3)
    assert mask.shape == (40, 40)


def test_drawings_at_the_networks_size_are_used_as_they_are(synthetic: Open) -> None:
    (sample, *_) = synthetic().samples("train")
    image, mask = sample.read()
    resized = sample.read_resized(32)
    assert np.array_equal(resized.image, image)
    assert np.array_equal(resized.mask, mask)
    assert resized.lesion_share == pytest.approx(mask.mean())


def test_drawings_have_no_files_and_no_groups(synthetic: Open) -> None:
    assert {(sample.files, sample.group) for sample in synthetic().listing().samples()} == {((), None)}


def test_no_test_images_means_no_test_part(synthetic: Open) -> None:
    assert synthetic(test=0).samples("test") == []


@pytest.mark.parametrize(
    "change",
    [{"train": 0}, {"validation": 0}, {"test": -1}, {"size": 31}, {"train": 10**15}, {"test": 100_001}, {"size": 4097}],
)
def test_numbers_out_of_range_are_refused(synthetic: Open, change: dict[str, int]) -> None:
    with pytest.raises(InputError, match=rf"{next(iter(change.values()))}.*allowed: at least 1"):
        synthetic(**change)


def test_the_disk_cache_is_refused_because_it_knows_images_by_their_files(synthetic: Open) -> None:
    with pytest.raises(
        InputError, match=r"data\.cache is disk, but drawn images have no files.*; allowed: memory, none"
    ):
        synthetic(cache="disk")


def test_the_size_is_the_networks_unless_said_otherwise(compose: Callable[[list[str]], DictConfig]) -> None:
    assert build("data", compose(["data=synthetic", "image_size=64"]).data).size == 64


DRAWN = {"_target_": f"{Synthetic.__module__}.{Synthetic.__qualname__}", "train": 320}
PHOTOGRAPHS = {"_target_": "lesionseg.data.folder.Folder", "root": "a"}


def combined(**train: object) -> dict[str, object]:
    return {"_target_": "lesionseg.data.combined.Combined", "train": train, "test": {"a": PHOTOGRAPHS}}


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (DRAWN, True),
        (PHOTOGRAPHS, False),
        (combined(a=DRAWN, b=None), True),
        (combined(a=DRAWN, b=PHOTOGRAPHS), False),
        (combined(a=None), False),
        (None, False),
        ("text", False),
    ],
)
def test_only_what_is_drawn_throughout_counts(node: object, expected: bool) -> None:
    assert trains_on_drawn_images(node) is expected
