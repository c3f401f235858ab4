import pytest
import torch

from lesionseg.loss.pixels import pixel_rows


def test_rows_keep_the_order_of_images_and_pixels() -> None:
    logits = torch.arange(8.0).reshape(2, 1, 2, 2)
    rows, _ = pixel_rows(logits, torch.zeros(2, 1, 2, 2))
    assert rows.tolist() == [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]


@pytest.mark.parametrize("logits_dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("mask_dtype", [torch.uint8, torch.bool, torch.float32])
def test_rows_are_float32_whatever_comes_in(logits_dtype: torch.dtype, mask_dtype: torch.dtype) -> None:
    rows, target = pixel_rows(torch.ones(1, 1, 2, 2, dtype=logits_dtype), torch.ones(1, 1, 2, 2).to(mask_dtype))
    assert rows.dtype == target.dtype == torch.float32
    assert rows.tolist() == target.tolist() == [[1.0] * 4]


@pytest.mark.parametrize(
    ("logits_shape", "mask_shape"),
    [
        ((2, 1, 4, 4), (2, 4, 4)),  # broadcasts to (2, 2, 4, 4) if nobody looks
        ((2, 1, 4, 4), (1, 1, 4, 4)),
        ((2, 1, 4, 4), (2, 1, 8, 8)),
        ((2, 3, 4, 4), (2, 3, 4, 4)),
        ((2, 4, 4), (2, 4, 4)),
        ((0, 1, 4, 4), (0, 1, 4, 4)),  # a mean over nothing is NaN
    ],
)
def test_shapes_that_would_give_a_wrong_number_are_refused(
    logits_shape: tuple[int, ...], mask_shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"\(B, 1, H, W\)") as error:
        pixel_rows(torch.zeros(logits_shape), torch.zeros(mask_shape))
    assert str(logits_shape) in str(error.value)
    assert str(mask_shape) in str(error.value)


def test_a_mask_in_place_of_the_logits_is_refused() -> None:
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"torch\.uint8"):
        pixel_rows(mask, mask)
