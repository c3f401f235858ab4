"""The drawn source: its parts never share an image, and its seeds never change meaning."""

from itertools import chain
from typing import Any

import numpy as np
import pytest

from lesionseg.data.source import PARTS
from lesionseg.data.synthetic import Synthetic
from lesionseg.errors import InputError

OPTIONS: dict[str, Any] = {"cache": "none", "seed": 0, "size": 32, "train": 5, "validation": 3, "test": 2}


def seeds(**changes: Any) -> dict[str, list[int]]:
    source = Synthetic(**(OPTIONS | changes))
    return {part: [sample.seed for sample in source.samples(part)] for part in PARTS}


def test_parts_have_as_many_images_as_asked_for_under_plain_names() -> None:
    source = Synthetic(**OPTIONS)
    assert [sample.id for sample in source.samples("validation")] == [
        "validation_0000",
        "validation_0001",
        "validation_0002",
    ]
    assert len(source.samples("train")) == 5
    assert len(source.samples("test")) == 2


def test_no_drawing_is_in_two_parts() -> None:
    drawn = list(chain(*seeds(train=200, validation=200, test=200).values()))
    assert len(drawn) == len(set(drawn)) == 600


def test_more_images_leave_the_first_ones_as_they_were() -> None:
    assert seeds(train=9)["train"][:5] == seeds()["train"]
    assert seeds(train=9)["validation"] == seeds()["validation"]


def test_another_seed_gives_other_images() -> None:
    assert not set(chain(*seeds(seed=0).values())) & set(chain(*seeds(seed=1).values()))


def test_reading_gives_image_and_mask_of_the_size() -> None:
    (sample, *_) = Synthetic(**(OPTIONS | {"size": 40})).samples("train")
    image, mask = sample.read()
    assert image.shape == (40, 40, 3)
    assert mask.shape == (40, 40)
    assert np.array_equal(image, sample.image())
    assert np.array_equal(mask, sample.mask())


def test_no_test_images_means_no_test_part() -> None:
    assert Synthetic(**(OPTIONS | {"test": 0})).samples("test") == []


@pytest.mark.parametrize("change", [{"train": 0}, {"validation": 0}, {"test": -1}, {"size": 31}])
def test_numbers_out_of_range_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError, match=rf"{next(iter(change.values()))}.*allowed: at least 1"):
        Synthetic(**(OPTIONS | change))
