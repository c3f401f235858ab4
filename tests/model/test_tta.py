from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lesionseg.model.tta import TRANSFORMS, mean_prediction, second_look

TURNS = {
    "flips": [lambda a: a, lambda a: a[..., ::-1], lambda a: a[..., ::-1, :], lambda a: np.rot90(a, 2, (-2, -1))],
    "turns": [
        *(lambda a, k=k: np.rot90(a, k, (-2, -1)) for k in range(4)),
        *(lambda a, k=k: np.rot90(a[..., ::-1], k, (-2, -1)) for k in range(4)),
    ],
}
"""What each augmentation leaves in place, by numpy."""
TURNS["sizes"] = TURNS["flips"]


def uneven(image: Tensor) -> Tensor:
    """A network that sees one side of each pixel alone, and its row's number."""
    rows = torch.arange(image.shape[-2], dtype=image.dtype)[:, None] / 100
    return torch.sigmoid(image[:, :1] - 2 * image[:, 1:2].roll(1, dims=-1) + rows)


def noise(height: int, width: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((2, 3, height, width), np.float32))


def test_without_augmentation_the_image_itself_is_predicted() -> None:
    image = noise(5, 7)
    assert torch.equal(mean_prediction(uneven, image, "none"), uneven(image))


@pytest.mark.parametrize("views", ["flips", "turns", "sizes"])
@pytest.mark.parametrize("size", [(6, 6), (5, 8)])
def test_what_turns_the_image_turns_the_prediction(views: Any, size: tuple[int, int]) -> None:
    image = noise(*size)
    predicted = mean_prediction(uneven, image, views).numpy()
    assert predicted.shape == (2, 1, *size)
    for turn in TURNS[views]:
        turned = torch.from_numpy(turn(image.numpy()).copy())
        np.testing.assert_allclose(mean_prediction(uneven, turned, views).numpy(), turn(predicted), atol=1e-6)
    quarter = torch.from_numpy(np.rot90(image.numpy(), 1, (-2, -1)).copy())
    alike = np.allclose(mean_prediction(uneven, quarter, views).numpy(), np.rot90(predicted, 1, (-2, -1)), atol=1e-6)
    assert alike == (views == "turns")


@pytest.mark.parametrize(("views", "count"), [("none", 1), ("flips", 4), ("turns", 8)])
def test_the_network_sees_so_many_different_images(views: Any, count: int) -> None:
    seen: list[bytes] = []

    def network(image: Tensor) -> Tensor:
        seen.append(image.numpy().tobytes())
        return image[:, :1]

    image = noise(4, 4)
    torch.testing.assert_close(mean_prediction(network, image, views), image[:, :1])
    assert len(seen) == len(set(seen)) == count


def test_a_hand_made_mean() -> None:
    """The network calls the left column lesion, so with mirror images left and right are half sure."""

    def left(image: Tensor) -> Tensor:
        found = torch.zeros_like(image[:, :1])
        found[..., 0] = 1
        return found

    assert mean_prediction(left, noise(2, 3), "flips")[0, 0].tolist() == [[0.5, 0, 0.5], [0.5, 0, 0.5]]
    assert mean_prediction(left, noise(3, 3), "turns")[0, 0].tolist() == [
        [0.5, 0.25, 0.5],
        [0.25, 0, 0.25],
        [0.5, 0.25, 0.5],
    ]


def test_a_transform_that_is_undone_gives_the_image() -> None:
    image = noise(4, 6)
    for transform in TRANSFORMS["turns"]:
        assert torch.equal(transform.undo(transform.apply(image), 4, 6), image)


def test_sizes_are_the_mirror_images_whole_and_at_three_quarters() -> None:
    seen: list[Tensor] = []

    def network(image: Tensor) -> Tensor:
        seen.append(image)
        return image[:, :1]

    image = (noise(8, 12) * 255).to(torch.uint8)
    predicted = mean_prediction(network, image, "sizes")
    assert [view.shape[-2:] for view in seen] == [(8, 12)] * 4 + [(6, 9)] * 4
    assert predicted.shape == (2, 1, 8, 12)
    # Four pixels become three: by hand, the first one's middle is a sixth of a pixel right of the middle of the first.
    assert seen[4][0, 0, 0, 0].item() == pytest.approx(
        (image[0, 0, :2, :2].float() * torch.tensor([[25, 5], [5, 1]]) / 36).sum().item(), abs=1e-3
    )


def test_a_network_that_is_the_same_everywhere_is_so_at_every_size() -> None:
    constant = mean_prediction(lambda image: torch.full_like(image[:, :1], 0.25), noise(5, 7), "sizes")
    torch.testing.assert_close(constant, torch.full((2, 1, 5, 7), 0.25))


def test_the_second_look_sees_the_image_upside_down_and_turns_back_what_it_saw() -> None:
    image = noise(41, 80)
    expected = np.rot90(uneven(torch.from_numpy(np.rot90(image.numpy(), 2, (-2, -1)).copy())).numpy(), 2, (-2, -1))
    np.testing.assert_allclose(second_look(uneven, image).numpy(), expected, atol=1e-6)
    assert not torch.allclose(second_look(uneven, image), uneven(image))
