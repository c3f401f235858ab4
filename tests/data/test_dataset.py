"""The dataset: samples at the network's size, read once or every time, augmented by a seed; and their batches."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from lesionseg.data.dataset import Array, Item, LesionDataset, collate, read_all, resize_image, resize_mask
from lesionseg.data.sample import FilePair, Sample
from lesionseg.errors import InputError


@dataclass(frozen=True)
class Disc(Sample):
    """A bright disc on dark ground, on a picture of any size; counts nothing, reads nothing."""

    height: int = 41
    width: int = 57
    spoilt: bool = False

    def mask(self) -> Array:
        y, x = np.ogrid[: self.height, : self.width]
        radius = min(self.height, self.width) / 3
        return (np.hypot(y - self.height / 2, x - self.width / 2) < radius).astype(np.uint8)

    def image(self) -> Array:
        if self.spoilt:
            raise InputError(f"{self.id} is spoilt")
        return np.dstack([self.mask() * np.uint8(level) for level in (200, 100, 50)])


def dataset(samples: list[Sample], **changes: Any) -> LesionDataset:
    options: dict[str, Any] = {"image_size": 32, "cache": "none", "augment": None, "full_size_masks": False}
    return LesionDataset(samples, **(options | changes))


def add_seed(image: Array, mask: Array, seed: int) -> tuple[Array, Array]:
    """An augmentation that shows which seed it got."""
    return np.full_like(image, seed), 1 - mask


def test_a_mask_pixel_is_lesion_where_at_least_half_of_its_area_is() -> None:
    mask = np.array([[1, 1, 1, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], np.uint8)  # 3, 1, 2 and 0 of 4
    assert resize_mask(mask, 2).tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize("size", [32, 33, 64])
@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (97, 50), (31, 200), (7, 5)])
def test_a_resized_mask_stays_binary_and_keeps_its_share(shape: tuple[int, int], size: int) -> None:
    mask = Disc("a", *shape).mask()
    resized = resize_mask(mask, size)
    assert resized.shape == (size, size)
    assert resized.dtype == np.uint8
    assert np.unique(resized).tolist() == [0, 1]
    assert resized.mean() == pytest.approx(mask.mean(), abs=0.05)


@pytest.mark.parametrize("value", [0, 1])
def test_an_empty_or_full_mask_stays_so(value: int) -> None:
    assert (resize_mask(np.full((33, 47), value, np.uint8), 32) == value).all()


def test_a_shrunken_image_is_the_mean_over_areas() -> None:
    """A chequerboard of single pixels becomes grey; taking every second pixel would keep one colour only."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 200).astype(np.uint8)
    assert (resize_image(np.dstack([board] * 3), 32) == 100).all()


def test_an_image_of_the_right_size_is_untouched() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert np.array_equal(resize_image(image, 32), image)


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("shape", [(41, 57), (32, 32), (20, 90), (97, 50)])
def test_items_have_the_networks_size_whatever_the_files_have(cache: str, shape: tuple[int, int]) -> None:
    item = dataset([Disc("a", *shape)], cache=cache)[0, 0]
    assert item["image"].shape == (32, 32, 3)
    assert item["mask"].shape == (32, 32)
    assert item["id"] == "a"
    assert "full_size_mask" not in item
    assert np.array_equal(item["image"][16, 16], [200, 100, 50])
    assert item["mask"][16, 16] == 1
    assert item["mask"][0, 0] == 0


def test_cache_makes_no_difference_to_what_is_read() -> None:
    samples: list[Sample] = [Disc("a"), Disc("b", 50, 40)]
    for index in range(2):
        kept, read = (dataset(samples, cache=cache)[index, 0] for cache in ("memory", "none"))
        assert np.array_equal(kept["image"], read["image"])
        assert np.array_equal(kept["mask"], read["mask"])


def test_memory_reads_each_file_once_and_none_reads_it_again(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / "a.png")
    Image.new("L", (32, 32)).save(tmp_path / "m.png")
    samples: list[Sample] = [FilePair("a", tmp_path / "a.png", tmp_path / "m.png")]
    kept, read = dataset(samples, cache="memory"), dataset(samples, cache="none")
    Image.new("RGB", (32, 32), (77, 77, 77)).save(tmp_path / "a.png")
    assert kept[0, 0]["image"].max() == 9
    assert read[0, 0]["image"].min() == 77


def test_each_item_is_augmented_with_the_seed_it_is_asked_for_with() -> None:
    samples: list[Sample] = [Disc("a")]
    item = dataset(samples, augment=add_seed)[0, 7]
    assert (item["image"] == 7).all()
    assert np.array_equal(item["mask"], 1 - dataset(samples)[0, 7]["mask"])


def test_augmenting_leaves_what_is_kept_in_memory_alone() -> None:
    augmented = dataset([Disc("a")], cache="memory", augment=add_seed)
    before = augmented[0, 1]["mask"].copy()
    augmented[0, 2]
    assert np.array_equal(augmented[0, 1]["mask"], before)


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_full_size_masks_are_the_truth_untouched(cache: str) -> None:
    sample = Disc("a", 41, 57)
    item = dataset([sample], cache=cache, full_size_masks=True)[0, 0]
    assert np.array_equal(item["full_size_mask"], sample.mask())


@pytest.mark.parametrize(
    ("cache", "augment", "costly"),
    [("memory", None, False), ("memory", add_seed, True), ("none", None, True), ("none", add_seed, True)],
)
def test_an_item_is_costly_when_it_is_read_or_augmented(cache: str, augment: Any, costly: bool) -> None:
    assert dataset([Disc("a")], cache=cache, augment=augment).is_costly == costly


def test_reading_all_keeps_the_samples_order() -> None:
    heights = [33 + index for index in range(12)]
    images, masks = read_all([Disc(str(height), height, 40) for height in heights], 32)
    assert images.shape == (12, 32, 32, 3)
    for index, height in enumerate(heights):
        assert np.array_equal(masks[index], resize_mask(Disc("", height, 40).mask(), 32))


def test_all_faults_are_listed_at_once_with_what_to_do() -> None:
    samples = [Disc("one", spoilt=True), Disc("fine"), Disc("two", spoilt=True), Disc("three", spoilt=True)]
    with pytest.raises(InputError) as error:
        dataset(list(samples), cache="memory")
    message = str(error.value)
    assert "mend the files or take them out" in message
    assert all(f"{name} is spoilt" in message for name in ("one", "two", "three"))
    assert "fine" not in message


def test_without_a_cache_a_fault_is_told_when_it_is_met() -> None:
    with pytest.raises(InputError, match="one is spoilt"):
        dataset([Disc("one", spoilt=True)])[0, 0]


def item(name: str, full_size: tuple[int, int] | None = None) -> Item:
    rng = np.random.default_rng(len(name))
    made: Item = {
        "image": rng.integers(0, 256, (5, 7, 3), dtype=np.uint8),
        "mask": rng.integers(0, 2, (5, 7), dtype=np.uint8),
        "id": name,
    }
    if full_size is not None:
        made["full_size_mask"] = np.ones(full_size, np.uint8)
    return made


def test_a_batch_keeps_the_contract() -> None:
    items = [item("a"), item("bb"), item("ccc")]
    batch = collate(items)
    assert batch["image"].shape == (3, 3, 5, 7)
    assert batch["image"].dtype == batch["mask"].dtype == torch.uint8
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    assert batch["mask"].shape == (3, 1, 5, 7)
    assert set(batch["mask"].unique().tolist()) == {0, 1}
    assert batch["id"] == ["a", "bb", "ccc"]
    assert "full_size_mask" not in batch


def test_a_batch_holds_every_pixel_where_it_was() -> None:
    items = [item("a"), item("bb")]
    batch = collate(items)
    for index, one in enumerate(items):
        assert np.array_equal(batch["image"][index].permute(1, 2, 0), one["image"])
        assert np.array_equal(batch["mask"][index, 0], one["mask"])


def test_a_batch_owns_its_memory() -> None:
    one = item("a")
    batch = collate([one])
    batch["image"].zero_()
    assert one["image"].any()


def test_full_size_masks_of_different_sizes_travel_as_a_list() -> None:
    batch = collate([item("a", (9, 4)), item("bb", (3, 8))])
    assert [tuple(mask.shape) for mask in batch["full_size_mask"]] == [(1, 9, 4), (1, 3, 8)]
    assert all(mask.dtype == torch.uint8 for mask in batch["full_size_mask"])
