"""The convolution blocks of the U-Net; each maps (B, in, H, W) to (B, out, H, W)."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Normalisation = Literal["batch", "group", "instance", "none"]
Activation = Literal["relu", "leaky_relu", "gelu", "silu"]
BlockType = Literal["plain", "residual", "inverted"]

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "gelu": nn.GELU,
    "silu": lambda: nn.SiLU(inplace=True),
}


def normalisation_layer(normalisation: Normalisation, channels: int) -> nn.Module:
    """Makes a layer that normalises `channels` feature maps.

    `group` uses the largest number of groups up to 8 that divides `channels` (Wu & He, Group Normalization, 2018), so
    any width works. `group` and `instance` do not depend on the batch, as batches of one or two images require.
    """
    if normalisation == "batch":
        return nn.BatchNorm2d(channels)
    if normalisation == "group":
        groups = next(count for count in range(min(8, channels), 0, -1) if channels % count == 0)
        return nn.GroupNorm(groups, channels)
    if normalisation == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if normalisation == "none":
        return nn.Identity()
    raise ValueError(f"model.normalisation is {normalisation}; allowed: batch, group, instance, none")


class ColourConstancy(nn.Module):
    """Appends each channel relative to its own mean and contrast over the image.

    This removes the influence of lamp, camera and skin on the whole photograph, as grey-world colour constancy does
    (Barata et al., Improving Dermoscopy Image Classification Using Color Constancy, 2015). The plain channels stay,
    because how dark a lesion is also matters.
    """

    faintest = 0.1
    """Contrast that is added to every channel's, so that noise is not amplified, in the input's units."""

    def forward(self, image: Tensor) -> Tensor:
        """Joins image and relative image: (B, C, H, W) float -> (B, 2 C, H, W); a uniform image becomes 0."""
        centred = image - image.mean((-2, -1), keepdim=True)  # (B, C, H, W)
        variance = (centred * centred).mean((-2, -1), keepdim=True)  # (B, C, 1, 1)
        return torch.cat([image, centred / (variance + self.faintest**2).sqrt()], dim=1)


class ConvolutionUnit(nn.Sequential):
    """Convolution, normalisation, activation: (B, in, H, W) -> (B, out, H / stride, W / stride)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        normalisation: Normalisation,
        activation: Activation,
        stride: int = 1,
    ) -> None:
        super().__init__(
            # The normalisation layer that follows has its own offset, so a bias would be learnt twice.
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=normalisation == "none"),
            normalisation_layer(normalisation, out_channels),
            ACTIVATIONS[activation](),
        )


class PlainBlock(nn.Sequential):
    """Two convolution units, as in the first U-Net (Ronneberger et al., 2015)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, normalisation: Normalisation, activation: Activation
    ) -> None:
        super().__init__(
            ConvolutionUnit(in_channels, out_channels, normalisation=normalisation, activation=activation),
            ConvolutionUnit(out_channels, out_channels, normalisation=normalisation, activation=activation),
        )


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut (He et al., Deep Residual Learning, 2016), which makes deep stages trainable."""

    def __init__(
        self, in_channels: int, out_channels: int, *, normalisation: Normalisation, activation: Activation
    ) -> None:
        super().__init__()
        self.first = ConvolutionUnit(in_channels, out_channels, normalisation=normalisation, activation=activation)
        self.second = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=normalisation == "none"),
            normalisation_layer(normalisation, out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, features: Tensor) -> Tensor:
        """Returns activation(shortcut + convolutions): (B, in, H, W) -> (B, out, H, W)."""
        activated: Tensor = self.activation(self.shortcut(features) + self.second(self.first(features)))
        return activated


class InvertedBlock(nn.Module):
    """A large depthwise convolution, two pointwise ones with a wide middle, and a shortcut.

    The block follows Sandler et al. (MobileNetV2, 2018), in the order of Liu et al. (A ConvNet for the 2020s, 2022).
    A dense 3 x 3 convolution multiplies every channel by every other nine times; this whole block does so
    `2 * expansion` times, and its kernel sees farther.

    Args:
        in_channels: Width of the input; if it differs from `out_channels`, a pointwise convolution comes first.
        out_channels: Width of the result.
        normalisation: Follows the first, the depthwise and the last convolution.
        activation: Follows the convolution to the wide middle.
        kernel_size: Height and width of the depthwise convolution, an odd number of pixels.
        expansion: Width of the middle, as a multiple of `out_channels`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        normalisation: Normalisation,
        activation: Activation,
        kernel_size: int,
        expansion: int,
    ) -> None:
        super().__init__()
        bias = normalisation == "none"
        self.fit: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.fit = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=bias), normalisation_layer(normalisation, out_channels)
            )
        wide = out_channels * expansion
        depthwise = nn.Conv2d(
            out_channels, out_channels, kernel_size, padding=kernel_size // 2, groups=out_channels, bias=bias
        )
        self.residual = nn.Sequential(
            depthwise,
            normalisation_layer(normalisation, out_channels),
            nn.Conv2d(out_channels, wide, 1),
            ACTIVATIONS[activation](),
            nn.Conv2d(wide, out_channels, 1, bias=bias),
            normalisation_layer(normalisation, out_channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Returns shortcut + convolutions: (B, in, H, W) -> (B, out, H, W)."""
        fitted = self.fit(features)
        added: Tensor = fitted + self.residual(fitted)
        return added


class PyramidPooling(nn.Module):
    """Adds the context of the whole image, its halves and its thirds (Zhao et al., PSPNet, 2017).

    A U-Net of moderate depth sees a neighbourhood, but telling the lesion from other dark spots takes the whole image.
    """

    bins = (1, 2, 3)

    def __init__(self, channels: int, *, normalisation: Normalisation, activation: Activation) -> None:
        super().__init__()
        narrow = max(channels // 4, 1)
        self.narrow = nn.ModuleList(nn.Conv2d(channels, narrow, 1, bias=False) for _ in self.bins)
        self.join = nn.Sequential(
            nn.Conv2d(channels + len(self.bins) * narrow, channels, 1, bias=normalisation == "none"),
            normalisation_layer(normalisation, channels),
            ACTIVATIONS[activation](),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Joins features with their pooled context: (B, channels, H, W) -> (B, channels, H, W)."""
        joined = [features]
        for bins, narrow in zip(self.bins, self.narrow, strict=True):
            pooled = narrow(functional.adaptive_avg_pool2d(features, bins))  # (B, channels / 4, bins, bins)
            joined.append(functional.interpolate(pooled, size=features.shape[-2:], mode="bilinear"))
        context: Tensor = self.join(torch.cat(joined, dim=1))
        return context


def convolution_block(
    in_channels: int,
    out_channels: int,
    *,
    block: BlockType,
    normalisation: Normalisation,
    activation: Activation,
    kernel_size: int,
    expansion: int,
) -> nn.Module:
    """Makes a block of the chosen type; `kernel_size` and `expansion` apply to inverted blocks only.

    Raises:
        ValueError: There is no such type.
    """
    if block == "plain":
        return PlainBlock(in_channels, out_channels, normalisation=normalisation, activation=activation)
    if block == "residual":
        return ResidualBlock(in_channels, out_channels, normalisation=normalisation, activation=activation)
    if block == "inverted":
        return InvertedBlock(
            in_channels,
            out_channels,
            normalisation=normalisation,
            activation=activation,
            kernel_size=kernel_size,
            expansion=expansion,
        )
    raise ValueError(f"model.block is {block}; allowed: plain, residual, inverted")
