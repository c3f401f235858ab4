"""The blocks: same size out, the channels asked for, and normalisation that does what its name says."""

from typing import get_args

import pytest
import torch
from torch import nn

from lesionseg.model.blocks import (
    ACTIVATIONS,
    BlockType,
    ColourConstancy,
    ConvolutionUnit,
    PlainBlock,
    PyramidPooling,
    ResidualBlock,
    convolution_block,
    normalisation_layer,
)

NORMALISATIONS = ["batch", "group", "instance", "none"]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("block", get_args(BlockType))
def test_a_block_changes_the_channels_and_keeps_the_size(block: str, normalisation: str, activation: str) -> None:
    layer = convolution_block(
        3,
        8,
        block=block,  # type: ignore[arg-type]
        normalisation=normalisation,  # type: ignore[arg-type]
        activation=activation,  # type: ignore[arg-type]
        kernel_size=3,
        expansion=2,
    )
    assert layer(torch.randn(2, 3, 5, 7)).shape == (2, 8, 5, 7)


@pytest.mark.parametrize(("stride", "size"), [(1, (6, 8)), (2, (3, 4))])
def test_a_unit_shrinks_by_its_stride(stride: int, size: tuple[int, int]) -> None:
    unit = ConvolutionUnit(3, 4, normalisation="batch", activation="relu", stride=stride)
    assert unit(torch.randn(1, 3, 6, 8)).shape == (1, 4, *size)


@pytest.mark.parametrize(
    ("activation", "at_minus_one", "at_one"),
    [("relu", 0.0, 1.0), ("leaky_relu", -0.01, 1.0), ("gelu", -0.158655, 0.841345), ("silu", -0.268941, 0.731059)],
)
def test_activations_have_their_textbook_values(activation: str, at_minus_one: float, at_one: float) -> None:
    """GELU is x Phi(x) and SiLU x sigmoid(x): Phi(1) = 0.841345, sigmoid(1) = 0.731059."""
    values = ACTIVATIONS[activation]()(torch.tensor([-1.0, 1.0]))  # type: ignore[index]
    torch.testing.assert_close(values, torch.tensor([at_minus_one, at_one]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("normalisation", "axes"), [("batch", (0, 2, 3)), ("group", (2, 3)), ("instance", (2, 3))])
def test_normalised_features_have_mean_0_and_variance_1_over_the_right_axes(
    normalisation: str, axes: tuple[int, ...]
) -> None:
    """With up to 8 channels, each group is one channel, so that group and instance normalise over the same axes."""
    features = torch.randn(4, 8, 16, 16) * torch.arange(1, 9).view(1, 8, 1, 1) + torch.arange(4).view(4, 1, 1, 1)
    normalised = normalisation_layer(normalisation, 8)(features)  # type: ignore[arg-type]
    mean, variance = normalised.mean(axes), normalised.var(axes, correction=0)
    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=1e-5, rtol=0)
    torch.testing.assert_close(variance, torch.ones_like(variance), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (4, 4), (8, 8), (12, 6), (13, 1), (20, 5), (64, 8)])
def test_groups_are_the_most_up_to_eight_that_divide_the_channels(channels: int, groups: int) -> None:
    layer = normalisation_layer("group", channels)
    assert isinstance(layer, nn.GroupNorm)
    assert layer.num_groups == groups


@pytest.mark.parametrize("normalisation", ["group", "instance", "none"])
def test_only_batch_normalisation_mixes_images(normalisation: str) -> None:
    block = PlainBlock(3, 4, normalisation=normalisation, activation="relu")  # type: ignore[arg-type]
    images = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(block(images)[:1], block(images[:1]))


def test_a_residual_block_whose_convolutions_are_zero_is_its_shortcut() -> None:
    block = ResidualBlock(4, 4, normalisation="none", activation="relu")
    for parameter in block.second.parameters():
        nn.init.zeros_(parameter)
    features = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(block(features), features.clamp_min(0))


def test_a_shortcut_is_a_convolution_only_where_the_channels_change() -> None:
    options = {"normalisation": "batch", "activation": "relu"}
    assert isinstance(ResidualBlock(4, 4, **options).shortcut, nn.Identity)  # type: ignore[arg-type]
    shortcut = ResidualBlock(4, 6, **options).shortcut  # type: ignore[arg-type]
    assert isinstance(shortcut, nn.Conv2d)
    assert shortcut.kernel_size == (1, 1)


def test_activations_in_place_do_not_change_a_blocks_input() -> None:
    for block in (PlainBlock, ResidualBlock):
        features = torch.randn(1, 4, 6, 6)
        before = features.clone()
        block(4, 4, normalisation="none", activation="relu")(features)
        assert torch.equal(features, before)


@pytest.mark.parametrize(("normalisation", "has_bias"), [("batch", False), ("group", False), ("none", True)])
def test_a_bias_is_learnt_only_where_no_normalisation_has_one(normalisation: str, has_bias: bool) -> None:
    for block in (PlainBlock, ResidualBlock):
        layers = block(4, 4, normalisation=normalisation, activation="relu").modules()  # type: ignore[arg-type]
        assert all((layer.bias is not None) == has_bias for layer in layers if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize("size", [(2, 2), (3, 7), (8, 8)])
@pytest.mark.parametrize("channels", [1, 6, 16])
def test_context_keeps_channels_and_size(channels: int, size: tuple[int, int]) -> None:
    pooling = PyramidPooling(channels, normalisation="batch", activation="relu")
    assert pooling(torch.randn(2, channels, *size)).shape == (2, channels, *size)


def test_context_of_one_bin_is_the_mean_of_the_whole_image_everywhere() -> None:
    """All weights but the path through the first bin are 0, and that path passes on the mean of the first channel."""
    pooling = PyramidPooling(4, normalisation="none", activation="relu")
    for parameter in pooling.parameters():
        nn.init.zeros_(parameter)
    with torch.no_grad():
        pooling.narrow[0].weight[0, 0] = 1.0  # type: ignore[index, union-attr]
        pooling.join[0].weight[0, 4] = 1.0  # type: ignore[index, union-attr]
        features = torch.rand(1, 4, 6, 6)
        context = pooling(features)
    torch.testing.assert_close(context[0, 0], features[0, 0].mean().expand(6, 6))
    assert not context[0, 1:].any()


def test_colour_constancy_takes_lamp_and_exposure_out_of_the_added_channels() -> None:
    """Each channel brighter and of more contrast by its own factor, as by another lamp; the plain channels show it."""
    image = torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0)) * 200
    factors, offsets = torch.tensor([1.5, 0.7, 2.0]).view(1, 3, 1, 1), torch.tensor([20.0, -9.0, 0.0]).view(1, 3, 1, 1)
    here, there = ColourConstancy()(image), ColourConstancy()(image * factors + offsets)
    torch.testing.assert_close(here[:, 3:], there[:, 3:], rtol=0, atol=0.01)
    assert torch.equal(there[:, :3], image * factors + offsets)


def test_colour_constancy_has_mean_0_and_deviation_1_and_sees_each_image_by_itself() -> None:
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 100
    relative = ColourConstancy()(image)[:, 3:]
    torch.testing.assert_close(relative.mean((2, 3)), torch.zeros(2, 3), rtol=0, atol=1e-4)
    torch.testing.assert_close(relative.std((2, 3), unbiased=False), torch.ones(2, 3), rtol=0, atol=0.01)
    torch.testing.assert_close(ColourConstancy()(image[1:])[0, 3:], relative[1])


def test_colour_constancy_makes_nothing_of_an_image_of_one_colour() -> None:
    image = torch.full((1, 3, 8, 8), 7.0, requires_grad=True)
    relative = ColourConstancy()(image)[:, 3:]
    assert torch.equal(relative, torch.zeros(1, 3, 8, 8))
    relative.square().sum().backward()
    assert image.grad is not None
    assert torch.equal(image.grad, torch.zeros(1, 3, 8, 8))
