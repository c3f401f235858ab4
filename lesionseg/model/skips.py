"""Ways to join the decoder's features with the encoder's of the same resolution."""

from typing import Literal

import torch
from torch import Tensor, nn

SkipType = Literal["concatenate", "add", "gated"]


class Concatenate(nn.Module):
    """Concatenates both (Ronneberger et al., U-Net, 2015).

    Args:
        channels: Width of the decoder's features.
        skip_channels: Width of the encoder's features.
    """

    def __init__(self, channels: int, skip_channels: int) -> None:
        super().__init__()
        self.out_channels = channels + skip_channels

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Joins (B, channels, H, W) and (B, skip_channels, H, W) to (B, channels + skip_channels, H, W)."""
        return torch.cat([features, skip], dim=1)


class Add(nn.Module):
    """Adds both (Chaurasia & Culurciello, LinkNet, 2017), which about halves the work of the following block.

    Args:
        channels: Width of the decoder's features and of the sum.
        skip_channels: Width of the encoder's features; if it differs, a pointwise convolution narrows them.
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


class Gate(nn.Module):
    """Concatenates both after the decoder has weighted the skip (Oktay et al., Attention U-Net, 2018, figure 2).

    Args:
        channels: Width of the decoder's features.
        skip_channels: Width of the encoder's features.
    """

    def __init__(self, channels: int, skip_channels: int) -> None:
        super().__init__()
        self.out_channels = channels + skip_channels
        narrow = max(skip_channels // 2, 1)
        self.from_features = nn.Conv2d(channels, narrow, 1)
        self.from_skip = nn.Conv2d(skip_channels, narrow, 1, bias=False)
        self.attention = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(narrow, 1, 1), nn.Sigmoid())

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Joins (B, channels, H, W) and (B, skip_channels, H, W) to (B, channels + skip_channels, H, W)."""
        attention = self.attention(self.from_features(features) + self.from_skip(skip))  # (B, 1, H, W) in 0..1
        return torch.cat([features, skip * attention], dim=1)


SKIPS: dict[SkipType, type[Concatenate] | type[Add] | type[Gate]] = {
    "concatenate": Concatenate,
    "add": Add,
    "gated": Gate,
}
