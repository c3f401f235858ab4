"""The U-Net: encoder, bottleneck, decoder and the skips between them, readable from top to bottom."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Literal, TypedDict

from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from lesionseg.model.blocks import (
    SKIPS,
    Activation,
    Add,
    BlockType,
    ColourConstancy,
    Concatenate,
    ConvolutionUnit,
    InvertedBlock,
    Normalisation,
    PyramidPooling,
    ResidualBlock,
    SkipType,
    convolution_block,
)

Upsampling = Literal["bilinear", "nearest", "transposed"]
MakeLayer = Callable[..., nn.Module]

LESION_SHARE = 0.2
"""Lesions cover about a fifth of the pixels (ISIC 2017 training: 19.4 %); the first output starts there."""


class _Layers(TypedDict):
    normalisation: Normalisation
    activation: Activation


class UNet(nn.Module):
    """A U-Net (Ronneberger et al., 2015) for one foreground class; `conf/model/unet.yaml` explains every option.

    With `base_channels=32, depth=4` the stages are 32, 64, 128 and 256 channels wide and the bottleneck 512. A decoder
    may be narrower, as it only has to place the border, and has one block per stage. With `stem_stride` 2 or 4 the
    network starts with strided convolutions and ends with bilinear up-sampling of the logits: a lesion is one smooth
    blob, so little is lost and most of the time is saved. Recomputing activations does not change the result.

    Raises:
        ValueError: A number is out of its range, or there is no such option.
    """

    def __init__(
        self,
        *,
        base_channels: int,
        max_channels: int,
        decoder_max_channels: int,
        depth: int,
        blocks_per_stage: int,
        block: BlockType,
        normalisation: Normalisation,
        activation: Activation,
        upsampling: Upsampling,
        context: bool,
        stem_stride: Literal[1, 2, 4],
        dropout: float,
        activation_checkpointing: bool,
        # Older checkpoints do not name these options and have these values.
        kernel_size: int = 7,
        expansion: int = 2,
        skip: SkipType = "concatenate",
        colour_constancy: bool = False,
    ) -> None:
        super().__init__()
        _check_range("base_channels", base_channels, 1, 512)
        _check_range("max_channels", max_channels, base_channels, 4096)
        _check_range("decoder_max_channels", decoder_max_channels, 1, 4096)
        _check_range("depth", depth, 1, 7)
        _check_range("blocks_per_stage", blocks_per_stage, 1, 8)
        _check_range("kernel_size", kernel_size, 3, 31)
        _check_range("expansion", expansion, 1, 8)
        _check_choices(kernel_size, skip, dropout, stem_stride)
        self.stride = stem_stride * 2**depth
        self.stem_stride = stem_stride
        self.activation_checkpointing = activation_checkpointing
        layers: _Layers = {"normalisation": normalisation, "activation": activation}
        make_block = partial(convolution_block, block=block, kernel_size=kernel_size, expansion=expansion, **layers)
        widths = [min(base_channels * 2**level, max_channels) for level in range(depth + 1)]

        make_unit = partial(ConvolutionUnit, **layers)
        self.stem, stem_channels = _stem(make_unit, widths[0], stem_stride, colour_constancy)
        self._add_encoder(make_block, [stem_channels, *widths], blocks_per_stage)
        self.context: nn.Module = PyramidPooling(widths[-1], **layers) if context else nn.Identity()
        self.dropout = nn.Dropout2d(dropout)
        self._add_decoder(make_block, widths, decoder_max_channels, SKIPS[skip], upsampling)
        _initialise(self)

    def _add_encoder(self, make_block: MakeLayer, widths: Sequence[int], blocks_per_stage: int) -> None:
        """Adds the stages and the bottleneck; the first of the widths is the stem's."""
        stages = [_stage(make_block, before, after, blocks_per_stage) for before, after in pairwise(widths)]
        self.encoder = nn.ModuleList(stages[:-1])
        self.downsample = nn.MaxPool2d(2)
        self.bottleneck = stages[-1]

    def _add_decoder(
        self,
        make_block: MakeLayer,
        widths: Sequence[int],
        max_channels: int,
        make_join: type[Concatenate | Add],
        upsampling: Upsampling,
    ) -> None:
        """Adds what leads from the bottleneck back to the first of the widths, and the head."""
        *skipped, deepest = widths
        skipped.reverse()  # 256, 128, 64, 32
        decoded = [min(width, max_channels) for width in skipped]
        self.upsample = nn.ModuleList(
            _upsampling_layer(upsampling, deep, shallow) for deep, shallow in pairwise([deepest, *decoded])
        )
        joins = [make_join(*pair) for pair in zip(decoded, skipped, strict=True)]
        self.join = nn.ModuleList(joins)
        self.decoder = nn.ModuleList(
            _stage(make_block, join.out_channels, width, 1) for join, width in zip(joins, decoded, strict=True)
        )
        self.head = nn.Conv2d(decoded[-1], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Computes the logits (B, 1, H, W) of a normalised image (B, 3, H, W), floating point.

        They are float32 if the stem has a stride, else of the image's dtype (under autocast, of the autocast's).

        Raises:
            ValueError: H or W is no multiple of `stride`.
        """
        if image.shape[-2] % self.stride or image.shape[-1] % self.stride:
            raise ValueError(
                f"the image is {image.shape[-2]} x {image.shape[-1]} pixels; "
                f"this U-Net takes multiples of {self.stride}"
            )
        # Shapes for stem_stride 1, base_channels 32, depth 4; with a stem, H and W are 2 or 4 times smaller.
        features = self.stem(image)  # (B, 3, H, W); with colour constancy (B, 6, H, W)
        skips: list[Tensor] = []
        for stage in self.encoder:
            features = self._run(stage, features)  # (B, 32, H, W), (B, 64, H/2, W/2) ...
            skips.append(features)
            features = self.downsample(features)
        features = self.dropout(self.context(self._run(self.bottleneck, features)))  # (B, 512, H/16, W/16)
        for upsample, join, stage in zip(self.upsample, self.join, self.decoder, strict=True):
            features = join(upsample(features), skips.pop())  # (B, 256 + 256, H/8, W/8) ...
            features = self._run(stage, features)  # (B, 256, H/8, W/8) ...
        logits: Tensor = self.head(features)  # (B, 1, H, W)
        if self.stem_stride > 1:
            # In float32, because in bf16 the sum of the gradients of 16 or more pixels would lose their differences.
            logits = functional.interpolate(logits.float(), scale_factor=float(self.stem_stride), mode="bilinear")
        return logits

    def _run(self, stage: nn.Module, features: Tensor) -> Tensor:
        """Runs a stage, keeping its activations or, when asked to, only its input."""
        if self.activation_checkpointing and self.training:
            recomputed: Tensor = checkpoint(stage, features, use_reentrant=False)
            return recomputed
        kept: Tensor = stage(features)
        return kept


def _check_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"model.{name} is {value}; allowed: {lowest} to {highest}")


def _check_choices(kernel_size: int, skip: str, dropout: float, stem_stride: int) -> None:
    if kernel_size % 2 == 0:
        raise ValueError(f"model.kernel_size is {kernel_size}; allowed: odd numbers")
    if skip not in SKIPS:
        raise ValueError(f"model.skip is {skip}; allowed: {', '.join(SKIPS)}")
    if not 0 <= dropout < 1:
        raise ValueError(f"model.dropout is {dropout}; allowed: 0 (none) to below 1")
    if stem_stride not in (1, 2, 4):
        raise ValueError(f"model.stem_stride is {stem_stride}; allowed: 1, 2, 4")


def _stem(make_unit: MakeLayer, width: int, stride: int, colour_constancy: bool) -> tuple[nn.Sequential, int]:
    """Makes the layers before the first stage and returns them with the number of their channels: 3, 6 or `width`."""
    stem = nn.Sequential(ColourConstancy()) if colour_constancy else nn.Sequential()
    channels = 6 if colour_constancy else 3
    for halving in range(stride.bit_length() - 1):
        # Stride 4: 3 -> width / 2 -> width channels.
        out_channels = width if stride == 2 ** (halving + 1) else max(width // 2, 1)
        stem.append(make_unit(channels, out_channels, stride=2))
        channels = out_channels
    return stem, channels


def _stage(make_block: MakeLayer, in_channels: int, out_channels: int, blocks: int) -> nn.Sequential:
    """Chains blocks of the same resolution; the first one changes the width."""
    channels = [in_channels] + [out_channels] * blocks
    return nn.Sequential(*(make_block(before, after) for before, after in pairwise(channels)))


def _upsampling_layer(upsampling: Upsampling, deep: int, shallow: int) -> nn.Module:
    """Doubles the resolution and narrows: (B, deep, H, W) -> (B, shallow, 2 H, 2 W)."""
    if upsampling == "transposed":
        return nn.ConvTranspose2d(deep, shallow, 2, stride=2)
    # Narrowing before upsampling is the same linear map as narrowing after it, at a quarter of the cost.
    return nn.Sequential(nn.Conv2d(deep, shallow, 1, bias=False), nn.Upsample(scale_factor=2, mode=upsampling))


def _initialise(network: UNet) -> None:
    """Initialises weights so that the variance stays the same through the layers (He et al., 2015).

    A residual block starts as its shortcut: its last scale is 0 (Goyal et al., Accurate, Large Minibatch SGD, 2017).
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if isinstance(layer, ResidualBlock | InvertedBlock):
            last = (layer.second if isinstance(layer, ResidualBlock) else layer.residual)[-1]
            if isinstance(scale := getattr(last, "weight", None), Tensor) and not isinstance(last, nn.Conv2d):
                nn.init.zeros_(scale)
    # Every pixel starts at the lesions' usual share: small weights, and the bias at its logit.
    nn.init.normal_(network.head.weight, std=0.01)
    nn.init.constant_(network.head.bias, math.log(LESION_SHARE / (1 - LESION_SHARE)))  # type: ignore[arg-type]
