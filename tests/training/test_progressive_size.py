from types import SimpleNamespace
from typing import Any

import pytest
import torch

from lesionseg.training.progressive_size import ProgressiveSize


def seen_sizes(callback: ProgressiveSize, *, epochs: int, size: int) -> list[int]:
    sizes = []
    for epoch in range(epochs):
        batch: Any = {
            "image": torch.zeros(2, 3, size, size, dtype=torch.uint8),
            "mask": torch.zeros(2, 1, size, size, dtype=torch.uint8),
        }
        trainer: Any = SimpleNamespace(max_epochs=epochs, current_epoch=epoch)
        callback.on_train_batch_start(trainer, SimpleNamespace(), batch, 0)  # type: ignore[arg-type]
        assert batch["image"].shape[-2:] == batch["mask"].shape[-2:]
        sizes.append(batch["image"].shape[-1])
    return sizes


def test_only_the_first_epochs_are_small() -> None:
    assert seen_sizes(ProgressiveSize(size=32, share=0.5), epochs=4, size=64) == [32, 32, 64, 64]


def test_images_are_never_enlarged() -> None:
    assert seen_sizes(ProgressiveSize(size=128, share=1.0), epochs=2, size=64) == [64, 64]


def test_image_and_mask_stay_aligned_and_the_mask_binary() -> None:
    image = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    image[..., :32] = 200  # the left half is bright
    batch: Any = {"image": image, "mask": (image[:, :1] > 100).to(torch.uint8)}
    trainer: Any = SimpleNamespace(max_epochs=1, current_epoch=0)
    ProgressiveSize(size=32, share=1.0).on_train_batch_start(trainer, SimpleNamespace(), batch, 0)  # type: ignore[arg-type]
    assert batch["image"].dtype == torch.uint8
    assert torch.equal(batch["mask"], (batch["image"][:, :1] > 100).to(torch.uint8))
    assert batch["mask"].sum() == 32 * 16


@pytest.mark.parametrize(
    "setting", [{"size": 16, "share": 0.5}, {"size": 64, "share": 1.5}, {"size": 64, "share": -0.1}]
)
def test_numbers_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="progressive_size"):
        ProgressiveSize(**setting)
