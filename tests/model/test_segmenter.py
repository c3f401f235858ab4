"""The segmenter: the one way from 8-bit pixels to a mask."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lesionseg.model.segmenter import Segmenter, pad_to_multiple


class Echo(nn.Module):
    """A network that gives its input's red channel as logits and remembers what it got."""

    def __init__(self, stride: int = 8) -> None:
        super().__init__()
        self.stride = stride
        self.seen: Tensor | None = None

    def forward(self, image: Tensor) -> Tensor:
        self.seen = image
        return image[:, :1]


def segmenter(network: nn.Module | None = None, **changes: Any) -> Segmenter:
    options: dict[str, Any] = {"mean": [100.0, 50.0, 20.0], "std": [10.0, 5.0, 2.0], "threshold": 0.5}
    return Segmenter(network or Echo(), **(options | changes))


def test_means_of_whole_numbers_do_not_make_images_whole_numbers() -> None:
    echo = Echo(stride=1)
    segmenter(echo, mean=[128, 128, 128], std=[64, 64, 64])(torch.full((1, 3, 4, 4), 160.5))
    assert echo.seen is not None
    assert echo.seen.unique().tolist() == [32.5 / 64]


def test_each_channel_is_normalised_by_its_own_mean_and_deviation() -> None:
    network = Echo()
    image = torch.tensor([110, 45, 20], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    segmenter(network)(image)  # (110 - 100) / 10, (45 - 50) / 5, (20 - 20) / 2
    assert network.seen is not None
    torch.testing.assert_close(network.seen, torch.tensor([1.0, -1.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 8, 8))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
def test_pixels_of_any_type_give_the_same_float32_logits(dtype: torch.dtype) -> None:
    image = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)
    logits = segmenter()(image.to(dtype))
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, segmenter()(image))


@pytest.mark.parametrize("size", [(8, 8), (9, 15), (1, 1), (97, 50), (33, 47)])
def test_any_size_comes_back_as_it_went_in(size: tuple[int, int]) -> None:
    network = Echo(stride=16)
    image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
    logits = segmenter(network)(image)
    assert network.seen is not None
    assert all(side % 16 == 0 for side in network.seen.shape[-2:])
    torch.testing.assert_close(logits, (image[:, :1].float() - 100) / 10)


def test_padding_repeats_the_last_row_and_column_at_the_right_and_bottom() -> None:
    image = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view(1, 1, 2, 3)
    expected = [[1, 2, 3, 3], [4, 5, 6, 6], [4, 5, 6, 6], [4, 5, 6, 6]]
    assert pad_to_multiple(image, 4)[0, 0].tolist() == expected


def test_a_size_that_fits_is_not_copied() -> None:
    image = torch.zeros(1, 3, 8, 16)
    assert pad_to_multiple(image, 8) is image


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.9])
def test_the_mask_is_where_the_probability_is_above_the_threshold(threshold: float) -> None:
    model = segmenter(threshold=threshold)
    image = torch.randint(60, 141, (2, 3, 9, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    probability, mask = model.probability(image), model.mask(image)
    assert probability.min() >= 0
    assert probability.max() <= 1
    torch.testing.assert_close(probability, 1 / (1 + torch.exp(-model(image))))
    assert mask.dtype == torch.bool
    assert torch.equal(mask, probability > threshold)
    assert mask.any()
    assert not mask.all()


def test_a_probability_of_exactly_the_threshold_is_skin() -> None:
    image = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8)  # logit 0, probability 0.5
    assert not segmenter().mask(image).any()


def test_a_mask_is_what_the_decision_leaves_of_it() -> None:
    image = torch.full((2, 3, 8, 8), 90, dtype=torch.uint8)
    image[0, 0, 1:4, 1:4] = 130
    image[0, 0, 2, 2] = 90
    image[0, 0, 6, 6] = 130
    expected = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    expected[0, 0, 1:4, 1:4] = True
    assert torch.equal(segmenter(largest_component=True, fill_holes=True).mask(image), expected)
    assert segmenter().mask(image).sum() == 9


def test_training_goes_without_views() -> None:
    image = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(segmenter(views="flips")(image), segmenter()(image))


def test_normalisation_travels_in_the_state_dict() -> None:
    state = segmenter(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]).state_dict()
    restored = segmenter()
    restored.load_state_dict(state)
    assert restored.mean.flatten().tolist() == [1, 2, 3]
    assert restored.std.flatten().tolist() == [4, 5, 6]


def test_the_image_is_left_alone() -> None:
    image = torch.randint(0, 256, (1, 3, 9, 9)).float()
    before = image.clone()
    segmenter()(image)
    assert torch.equal(image, before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": [1.0, 2.0]}, "three numbers each"),
        ({"std": [1.0, 2.0, 3.0, 4.0]}, "three numbers each"),
        ({"mean": [256.0, 0.0, 0.0]}, "mean in 0..255"),
        ({"mean": [-1.0, 0.0, 0.0]}, "mean in 0..255"),
        ({"std": [1.0, 0.0, 1.0]}, "std above 0"),
        ({"std": [1.0, -2.0, 1.0]}, "std above 0"),
        ({"threshold": 0.0}, "threshold is 0.0; allowed: between 0 and 1"),
        ({"threshold": 1.0}, "threshold is 1.0; allowed: between 0 and 1"),
        ({"views": "all"}, "views is all; allowed: none, flips, turns, sizes"),
    ],
)
def test_numbers_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        segmenter(**change)


def test_whole_numbers_in_the_configuration_are_as_good_as_fractions() -> None:
    image = torch.full((1, 3, 8, 8), 110, dtype=torch.uint8)
    torch.testing.assert_close(segmenter(mean=[100, 50, 20], std=[10, 5, 2])(image), segmenter()(image))
