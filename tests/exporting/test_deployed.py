import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from lesionseg.data.image_file import resize_image
from lesionseg.exporting.deployed import Deployed, exported
from lesionseg.model.segmenter import Segmenter


class Brightness(nn.Module):
    """Gives the normalised red channel as logits, so that what comes out can be told without a network."""

    stride = 1

    def forward(self, image: Tensor) -> Tensor:
        return image[:, :1]


class Edges(nn.Module):
    """A network with a stride that no size here is a multiple of."""

    stride = 8

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.convolution = nn.Conv2d(3, 1, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.convolution(image)
        return logits


def deployed(network: nn.Module, image_size: int, threshold: float = 0.5) -> Deployed:
    segmenter = Segmenter(network, mean=[128.0] * 3, std=[32.0] * 3, threshold=threshold)
    return Deployed(segmenter.eval(), image_size)


def noise(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def test_an_image_of_the_networks_size_gets_the_segmenters_probabilities_to_the_last_bit() -> None:
    model, image = deployed(Edges(), 50), noise(3, 50, 50, 3)
    with torch.inference_mode():
        probability, _ = model(image)
        assert torch.equal(probability, model.segmenter.probability(image.permute(0, 3, 1, 2))[:, 0])


@pytest.mark.parametrize(("height", "width"), [(301, 170), (20, 33), (1, 1), (50, 50)])
def test_results_are_of_the_photographs_own_size(height: int, width: int) -> None:
    with torch.inference_mode():
        probability, mask = deployed(Edges(), 50)(noise(2, height, width, 3))
    assert probability.shape == mask.shape == (2, height, width)
    assert (probability.dtype, mask.dtype) == (torch.float32, torch.uint8)


def test_the_stored_threshold_decides() -> None:
    with torch.inference_mode():
        probability, mask = deployed(Edges(), 50, threshold=0.3)(noise(2, 60, 70, 3))
    assert torch.equal(mask.bool(), probability > 0.3)
    assert 0 < mask.float().mean() < 1
    assert set(mask.unique().tolist()) <= {0, 1}


def test_a_large_photograph_is_averaged_as_pillow_does_it() -> None:
    image = noise(1, 320, 240, 3)
    red = Image.fromarray(image[0, ..., 0].numpy().astype(np.float32))  # in float32 Pillow does not round
    resized = torch.from_numpy(np.array(red.resize((40, 40), Image.Resampling.BILINEAR)))
    with torch.inference_mode():
        found = deployed(Brightness(), 40)(image)[0]
    small = torch.sigmoid((resized - 128) / 32)[None, None]
    expected = torch.nn.functional.interpolate(small, size=(320, 240), mode="bilinear")[:, 0]
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize(("height", "width"), [(100, 1000), (1000, 100), (90, 333)])
def test_the_graph_resizes_as_training_and_prediction_do(height: int, width: int) -> None:
    """Hairs of one pixel across the longer side, on a lesion: they must not alias on either way."""
    image = np.full((height, width, 3), 90, np.uint8)
    image[height // 4 : -height // 4, width // 4 : -width // 4] = 5
    image[(slice(None), slice(None, None, 2)) if width > height else (slice(None, None, 2),)] += 140
    model = deployed(Brightness(), 160)
    with torch.inference_mode():
        _, mask = model(torch.from_numpy(image)[None])
        small = model.segmenter.probability(torch.from_numpy(resize_image(image, 160)).permute(2, 0, 1)[None])
    expected = torch.nn.functional.interpolate(small, size=(height, width), mode="bilinear")[0] <= 0.5
    agreed = 2 * (~mask.bool() & expected).sum() / ((1 - mask).sum() + expected.sum())
    assert 0.2 < expected.float().mean() < 0.9
    assert agreed > 0.99


def test_the_trace_holds_for_one_image_of_one_pixel_and_for_any_other() -> None:
    model = deployed(Edges(), 48)
    traced = exported(model).module()
    for shape in [(1, 1, 1, 3), (1, 48, 48, 3), (5, 30, 90, 3)]:
        image = noise(*shape)
        with torch.inference_mode():
            expected = model(image)
        found = traced(image)
        assert torch.equal(found[0], expected[0])
        assert torch.equal(found[1], expected[1])
