"""The dataset: samples at the network's size, augmented by a seed; and their batches."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch

from lesionseg.data.cache import open_cache
from lesionseg.data.loader import Array, Item, LesionDataset, collate
from lesionseg.data.source import CacheName, Sample


@dataclass(frozen=True)
class Disc(Sample):
    """A bright disc on dark ground, on a picture of any size."""

    height: int = 41
    width: int = 57

    def mask(self) -> Array:
        y, x = np.ogrid[: self.height, : self.width]
        radius = min(self.height, self.width) / 3
        return (np.hypot(y - self.height / 2, x - self.width / 2) < radius).astype(np.uint8)

    def image(self) -> Array:
        return np.dstack([self.mask() * np.uint8(level) for level in (200, 100, 50)])


def dataset(
    *samples: Sample, cache: CacheName = "none", rows: tuple[int, ...] | None = None, **changes: Any
) -> LesionDataset:
    options: dict[str, Any] = {"augment": None, "full_size_masks": False}
    kept = open_cache(cache, samples, 32, None)
    return LesionDataset(kept, range(len(samples)) if rows is None else rows, **(options | changes))


def add_seed(image: Array, mask: Array, seed: int) -> tuple[Array, Array]:
    """An augmentation that shows which seed it got."""
    return np.full_like(image, seed), 1 - mask


@pytest.mark.parametrize("cache", ["memory", "none"])
@pytest.mark.parametrize("shape", [(41, 57), (32, 32), (20, 90), (97, 50)])
def test_items_have_the_networks_size_whatever_the_files_have(cache: CacheName, shape: tuple[int, int]) -> None:
    item = dataset(Disc("a", *shape), cache=cache)[0, 0]
    assert item["image"].shape == (32, 32, 3)
    assert item["mask"].shape == (32, 32)
    assert item["id"] == "a"
    assert "full_size_mask" not in item
    assert np.array_equal(item["image"][16, 16], [200, 100, 50])
    assert item["mask"][16, 16] == 1
    assert item["mask"][0, 0] == 0


def test_it_has_the_rows_it_was_given_in_their_order() -> None:
    some = dataset(Disc("a"), Disc("b", 33), Disc("c", 90), rows=(2, 0), full_size_masks=True)
    assert len(some) == 2
    assert [some[index, 0]["id"] for index in (0, 1)] == ["c", "a"]
    assert [some[index, 0]["full_size_mask"].shape[0] for index in (0, 1)] == [90, 41]


def test_each_item_is_augmented_with_the_seed_it_is_asked_for_with() -> None:
    item = dataset(Disc("a"), augment=add_seed)[0, 7]
    assert (item["image"] == 7).all()
    assert np.array_equal(item["mask"], 1 - dataset(Disc("a"))[0, 7]["mask"])


def invert_in_place(image: Array, mask: Array, _: int) -> tuple[Array, Array]:
    np.subtract(255, image, out=image)
    np.subtract(1, mask, out=mask)
    return image, mask


def test_augmenting_in_place_is_refused_rather_than_spoiling_what_is_kept() -> None:
    with pytest.raises(ValueError, match="read-only"):
        dataset(Disc("a"), cache="memory", augment=invert_in_place)[0, 1]


@pytest.mark.parametrize("cache", ["memory", "none"])
def test_full_size_masks_are_the_truth_untouched(cache: CacheName) -> None:
    sample = Disc("a", 41, 57)
    item = dataset(sample, cache=cache, full_size_masks=True)[0, 0]
    assert np.array_equal(item["full_size_mask"], sample.mask())


@pytest.mark.parametrize(
    ("cache", "augment", "full_size_masks", "costly"),
    [
        ("memory", None, False, False),
        ("memory", add_seed, False, True),
        ("memory", None, True, True),
        ("none", None, False, True),
    ],
)
def test_an_item_is_costly_when_it_is_read_or_augmented(
    cache: CacheName, augment: Any, full_size_masks: bool, costly: bool
) -> None:
    assert dataset(Disc("a"), cache=cache, augment=augment, full_size_masks=full_size_masks).is_costly == costly


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
