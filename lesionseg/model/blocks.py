"""The convolution blocks the U-Net is made of; each maps (B, in, H, W) to (B, out, H, W) at the same size."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Normalisation = Literal["batch", "group", "instance", "none"]
Activation = Literal["relu", "leaky_relu", "gelu", "silu"]
BlockType = Literal["plain", "residual"]

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "gelu": nn.GELU,
    "silu": lambda: nn.SiLU(inplace=True),
}


def normalisation_layer(normalisation: Normalisation, channels: int) -> nn.Module:
    """Normalises `channels` feature maps.

    `group` uses the largest group count up to 8 that divides `channels` (Wu & He, Group Normalization, 2018), so
    that any width works; it and `instance` do not depend on the batch, which batches of one or two images need.
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
            # A normalisation layer right behind it has its own offset, so a bias would be learnt twice.
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
    """Two convolutions and a shortcut (He et al., Deep Residual Learning, 2016), which let deeper stages train."""

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


class PyramidPooling(nn.Module):
    """Adds what the whole image, its halves and its thirds look like (Zhao et al., PSPNet, 2017).

    A U-Net of moderate depth sees a neighbourhood; which of several dark spots is the lesion takes the whole picture.
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


BLOCKS: dict[BlockType, type[PlainBlock] | type[ResidualBlock]] = {"plain": PlainBlock, "residual": ResidualBlock}
