"""Splits: seeded, sorted, disjoint, complete, and written down with a hash of exactly that."""

import random
from itertools import chain

import pytest

from lesionseg.data.split import hold_out, manifest
from lesionseg.errors import InputError

IDS = [f"{number:02d}" for number in range(12)]


@pytest.mark.parametrize(
    ("validation_share", "test_share", "sizes"),
    [(0.25, 0.25, (6, 3, 3)), (0.25, 0.0, (9, 3, 0)), (0.5, 0.1, (5, 6, 1)), (0.01, 0.01, (10, 1, 1))],
)
def test_parts_are_sorted_disjoint_complete_and_of_the_shares_sizes(
    validation_share: float, test_share: float, sizes: tuple[int, int, int]
) -> None:
    parts = hold_out(IDS, validation_share=validation_share, test_share=test_share, seed=0)
    assert tuple(map(len, parts)) == sizes
    assert sorted(chain(*parts)) == IDS
    assert all(part == sorted(part) for part in parts)


def test_the_seed_decides_and_the_order_of_the_ids_does_not() -> None:
    shuffled = random.Random(1).sample(IDS, len(IDS))
    first = hold_out(IDS, validation_share=0.25, test_share=0.25, seed=7)
    assert hold_out(shuffled, validation_share=0.25, test_share=0.25, seed=7) == first
    assert hold_out(IDS, validation_share=0.25, test_share=0.25, seed=8) != first


def test_a_split_made_today_is_the_split_of_tomorrow() -> None:
    """Written down from the first version: another library version must not move images into the training part."""
    assert hold_out(IDS, validation_share=0.25, test_share=0.25, seed=0) == (
        ["01", "03", "05", "07", "09", "10"],
        ["04", "06", "11"],
        ["00", "02", "08"],
    )


@pytest.mark.parametrize(("count", "test_share"), [(0, 0.2), (1, 0.0), (2, 0.2)])
def test_too_few_images_are_refused(count: int, test_share: float) -> None:
    with pytest.raises(InputError, match=f"{count} images are too few to split"):
        hold_out(IDS[:count], validation_share=0.2, test_share=test_share, seed=0)


def test_three_images_are_enough_for_three_parts() -> None:
    assert tuple(map(len, hold_out(IDS[:3], validation_share=0.2, test_share=0.2, seed=0))) == (1, 1, 1)


def test_the_manifest_is_the_sha256_of_the_parts_as_compact_json() -> None:
    """The hash is what `printf '{"test":[],"train":["a","b"],"validation":["c"]}' | sha256sum` prints."""
    written = manifest({"train": ["b", "a"], "validation": ["c"], "test": []})
    assert written["parts"] == {"train": ["a", "b"], "validation": ["c"], "test": []}
    assert written["sha256"] == "3855829d51684e30cd192e2b0a68d68e5437da66cc8fec9851b4522f12c98691"


def test_the_hash_does_not_depend_on_any_order() -> None:
    one = manifest({"train": ["a", "b"], "validation": ["c", "d"]})
    other = manifest({"validation": ["d", "c"], "train": ["b", "a"]})
    assert one["sha256"] == other["sha256"]


@pytest.mark.parametrize(
    "other", [{"train": ["a"], "validation": ["b", "c"]}, {"train": ["a", "b"], "validation": ["d"]}]
)
def test_another_split_has_another_hash(other: dict[str, list[str]]) -> None:
    assert manifest({"train": ["a", "b"], "validation": ["c"]})["sha256"] != manifest(other)["sha256"]


def test_an_image_in_two_parts_is_refused_and_every_one_is_named() -> None:
    with pytest.raises(InputError) as error:
        manifest({"train": ["a", "b", "c"], "validation": ["b", "d"], "test": ["c"]})
    message = str(error.value)
    assert "b is in train and in validation" in message
    assert "c is in test and in train" in message
    assert "take each image out of all parts but one" in message
