"""The blocks of the U-Net, each (B, in, H, W) -> (B, out, H, W), and what joins encoder and decoder."""

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Normalisation = Literal["batch", "group", "instance", "none"]
Activation = Literal["relu", "leaky_relu", "gelu", "silu"]
BlockType = Literal["plain", "residual", "inverted"]
SkipType = Literal["concatenate", "add", "gated"]

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


def _convolution(
    in_channels: int, out_channels: int, size: int, normalisation: Normalisation, *, stride: int = 1, groups: int = 1
) -> tuple[nn.Conv2d, nn.Module]:
    """Makes a convolution and the normalisation that follows it, whose own offset makes a bias superfluous."""
    bias = normalisation == "none"
    convolution = nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=size // 2, groups=groups, bias=bias)
    return convolution, normalisation_layer(normalisation, out_channels)


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
            *_convolution(in_channels, out_channels, 3, normalisation, stride=stride), ACTIVATIONS[activation]()
        )


class PlainBlock(nn.Sequential):
    """Two convolution units, as in the first U-Net (Ronneberger et al., 2015)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, normalisation: Normalisation, activation: Activation
    ) -> None:
        make_unit = partial(ConvolutionUnit, normalisation=normalisation, activation=activation)
        super().__init__(make_unit(in_channels, out_channels), make_unit(out_channels, out_channels))


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut (He et al., Deep Residual Learning, 2016), which makes deep stages trainable."""

    def __init__(
        self, in_channels: int, out_channels: int, *, normalisation: Normalisation, activation: Activation
    ) -> None:
        super().__init__()
        self.first = ConvolutionUnit(in_channels, out_channels, normalisation=normalisation, activation=activation)
        self.second = nn.Sequential(*_convolution(out_channels, out_channels, 3, normalisation))
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.activation = ACTIVATIONS[activation]()

    def forward(self, features: Tensor) -> Tensor:
        """Returns activation(shortcut + convolutions)."""
        activated: Tensor = self.activation(self.shortcut(features) + self.second(self.first(features)))
        return activated


class InvertedBlock(nn.Module):
    """A large depthwise convolution, two pointwise ones with a wide middle, and a shortcut.

    The block follows Sandler et al. (MobileNetV2, 2018), in the order of Liu et al. (A ConvNet for the 2020s, 2022).
    A dense 3 x 3 convolution multiplies every channel by every other nine times; this whole block does so
    `2 * expansion` times, and its kernel of `kernel_size` pixels, an odd number, sees farther. The middle is
    `expansion` times as wide as the result.
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
        self.fit: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.fit = nn.Sequential(*_convolution(in_channels, out_channels, 1, normalisation))
        wide = out_channels * expansion
        self.residual = nn.Sequential(
            *_convolution(out_channels, out_channels, kernel_size, normalisation, groups=out_channels),
            nn.Conv2d(out_channels, wide, 1),
            ACTIVATIONS[activation](),
            *_convolution(wide, out_channels, 1, normalisation),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Returns shortcut + convolutions."""
        fitted = self.fit(features)
        added: Tensor = fitted + self.residual(fitted)
        return added


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
    make_block: Callable[..., nn.Module]
    if block == "plain":
        make_block = PlainBlock
    elif block == "residual":
        make_block = ResidualBlock
    elif block == "inverted":
        make_block = partial(InvertedBlock, kernel_size=kernel_size, expansion=expansion)
    else:
        raise ValueError(f"model.block is {block}; allowed: plain, residual, inverted")
    return make_block(in_channels, out_channels, normalisation=normalisation, activation=activation)


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
            *_convolution(channels + len(self.bins) * narrow, channels, 1, normalisation), ACTIVATIONS[activation]()
        )

    def forward(self, features: Tensor) -> Tensor:
        """Joins features with their pooled context: (B, channels, H, W) -> (B, channels, H, W)."""
        joined = [features]
        for bins, narrow in zip(self.bins, self.narrow, strict=True):
            pooled = narrow(functional.adaptive_avg_pool2d(features, bins))  # (B, channels / 4, bins, bins)
            joined.append(functional.interpolate(pooled, size=features.shape[-2:], mode="bilinear"))
        context: Tensor = self.join(torch.cat(joined, dim=1))
        return context


class Concatenate(nn.Module):
    """Concatenates the decoder's features and the encoder's of the same size (Ronneberger et al., U-Net, 2015)."""

    def __init__(self, channels: int, skip_channels: int) -> None:
        super().__init__()
        self.out_channels = channels + skip_channels

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Joins (B, channels, H, W) and (B, skip_channels, H, W) to (B, out_channels, H, W)."""
        return torch.cat([features, skip], dim=1)


class Add(nn.Module):
    """Adds both (Chaurasia & Culurciello, LinkNet, 2017), which about halves the work of the following block.

    If the encoder's width differs from the decoder's, a pointwise convolution narrows its features first.
    """

    def __init__(self, channels: int, skip_channels: int) -> None:
        super().__init__()
        self.out_channels = channels
        self.narrow: nn.Module = nn.Identity()
        if channels != skip_channels:
            self.narrow = nn.Conv2d(skip_channels, channels, 1)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Adds (B, skip_channels, H, W) to (B, channels, H, W)."""
        added: Tensor = features + self.narrow(skip)
        return added


class Gate(Concatenate):
    """Concatenates both after the decoder has weighted the skip (Oktay et al., Attention U-Net, 2018, figure 2)."""

    def __init__(self, channels: int, skip_channels: int) -> None:
        super().__init__(channels, skip_channels)
        narrow = max(skip_channels // 2, 1)
        self.from_features = nn.Conv2d(channels, narrow, 1)
        self.from_skip = nn.Conv2d(skip_channels, narrow, 1, bias=False)
        self.attention = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(narrow, 1, 1), nn.Sigmoid())

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Joins (B, channels, H, W) and (B, skip_channels, H, W) to (B, out_channels, H, W)."""
        attention = self.attention(self.from_features(features) + self.from_skip(skip))  # (B, 1, H, W) in 0..1
        return super().forward(features, skip * attention)


SKIPS: dict[SkipType, type[Concatenate | Add]] = {"concatenate": Concatenate, "add": Add, "gated": Gate}
