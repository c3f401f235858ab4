"""The pipeline runs named steps in order on image and mask together."""

import random
from typing import Any

import albumentations
import numpy as np
import pytest

import lesionseg.data.augmentation
from lesionseg.data.augmentation.pipeline import Augmentation
from lesionseg.errors import InputError

IMAGE = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
MASK = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]], np.uint8)
FLIP = albumentations.HorizontalFlip(p=1.0)
TRANSPOSE = albumentations.Transpose(p=1.0)


def test_image_and_mask_are_changed_together() -> None:
    image, mask = Augmentation({"flip": FLIP})(IMAGE, MASK, 0)
    assert np.array_equal(image, IMAGE[:, ::-1])
    assert mask.tolist() == [[0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]


def test_steps_run_in_the_order_they_are_written() -> None:
    flipped_first, _ = Augmentation({"b": FLIP, "a": TRANSPOSE})(IMAGE, MASK, 0)
    turned_first, _ = Augmentation({"a": TRANSPOSE, "b": FLIP})(IMAGE, MASK, 0)
    assert np.array_equal(flipped_first, IMAGE[:, ::-1].transpose(1, 0, 2))
    assert np.array_equal(turned_first, IMAGE.transpose(1, 0, 2)[:, ::-1])


@pytest.mark.parametrize("steps", [{}, {"flip": None}, {"flip": albumentations.HorizontalFlip(p=0.0)}])
def test_nothing_to_do_changes_nothing(steps: dict[str, Any]) -> None:
    image, mask = Augmentation(steps)(IMAGE, MASK, 0)
    assert np.array_equal(image, IMAGE)
    assert np.array_equal(mask, MASK)


def test_a_step_set_to_null_is_left_out() -> None:
    image, _ = Augmentation({"flip": None, "transpose": TRANSPOSE})(IMAGE, MASK, 0)
    assert np.array_equal(image, IMAGE.transpose(1, 0, 2))


def test_steps_may_be_compositions_of_albumentations() -> None:
    image, _ = Augmentation({"one": albumentations.OneOf([FLIP], p=1.0)})(IMAGE, MASK, 0)
    assert np.array_equal(image, IMAGE[:, ::-1])


@pytest.mark.parametrize("step", [3, "HorizontalFlip", albumentations.HorizontalFlip, np.flip])
def test_what_is_no_transform_is_refused_by_name(step: Any) -> None:
    with pytest.raises(InputError, match=r"augmentation\.steps\.mine is .*; allowed: an albumentations transform"):
        Augmentation({"flip": FLIP, "mine": step})


def test_a_seed_gives_the_same_whatever_was_done_before_and_whatever_the_global_state() -> None:
    flip = Augmentation({"maybe": albumentations.HorizontalFlip(p=0.5)})

    def outcomes() -> list[bool]:
        return [bool((flip(IMAGE, MASK, seed)[0] != IMAGE).any()) for seed in range(30)]

    first = outcomes()
    random.seed(1)
    np.random.seed(1)
    flip(IMAGE, MASK, 99)
    assert outcomes() == first
    assert 5 < sum(first) < 25


@pytest.mark.parametrize("seed", [0, 2**63 - 1])
def test_any_seed_of_the_sampler_will_do(seed: int) -> None:
    image, mask = Augmentation({"flip": FLIP})(IMAGE, MASK, seed)
    assert np.array_equal(image, IMAGE[:, ::-1])
    assert np.array_equal(mask, MASK[:, ::-1])


def test_results_can_become_tensors() -> None:
    """A flip is a view with negative strides, which torch refuses."""
    image, mask = Augmentation({"flip": FLIP})(IMAGE, MASK, 0)
    assert image.flags.c_contiguous
    assert mask.flags.c_contiguous


def test_albumentations_asks_no_server_for_its_newest_version() -> None:
    assert lesionseg.data.augmentation.os.environ["NO_ALBUMENTATIONS_UPDATE"] == "1"


@pytest.mark.parametrize(
    "step",
    [
        albumentations.D4(p=1),
        albumentations.ColorJitter(p=1),
        albumentations.Affine(rotate=30, p=1),
        albumentations.ElasticTransform(p=1),
        albumentations.CoarseDropout(p=1),
        albumentations.RandomShadow(p=1),
        albumentations.ChannelShuffle(p=1),
        albumentations.GaussNoise(p=1),
    ],
    ids=lambda step: type(step).__name__,
)
def test_steps_work_on_read_only_arrays_as_caches_give_them(step: albumentations.BasicTransform) -> None:
    image, mask = np.tile(IMAGE, (16, 16, 1)), np.tile(MASK, (16, 16))
    writable = Augmentation({"step": step})(image.copy(), mask.copy(), 3)
    image.flags.writeable = mask.flags.writeable = False
    read_only = Augmentation({"step": step})(image, mask, 3)
    assert all(np.array_equal(one, other) for one, other in zip(writable, read_only, strict=True))
