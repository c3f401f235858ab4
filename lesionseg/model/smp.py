"""The U-Net of segmentation-models-pytorch, whose encoder can start from weights trained on ImageNet."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lesionseg.errors import InputError, first_line
from lesionseg.model.segmenter import per_channel

UNFIT = ("timm-", "mit_")
"""Encoders that are deprecated there or cannot be built on the meta device, where checkpoints are opened."""


class SmpUnet(nn.Module):
    """A U-Net with an encoder of segmentation-models-pytorch (Iakubovskii, 2019), which is an optional extra.

    The segmenter normalises images by the mean and std of dermoscopy in grey levels 0..255, while pretrained weights
    expect images normalised by `weights_mean` and `weights_std` of their own training data. With such weights, the
    network first converts one into the other exactly. `conf/model/smp.yaml` explains the options.

    Weights are downloaded once, when a training starts, and stored in its checkpoints. On the meta device, where
    checkpoints are opened and configurations checked, nothing is downloaded or read.

    Raises:
        InputError: The extra is not installed, there is no such encoder, or its weights cannot be had.
        ValueError: A number is out of its range.
    """

    stride = 32
    """Pixels; the encoder halves the resolution five times."""
    scale: Tensor
    offset: Tensor

    def __init__(
        self,
        *,
        encoder: str,
        encoder_weights: str | None,
        decoder_channels: Sequence[int],
        mean: Sequence[float],
        std: Sequence[float],
        weights_mean: Sequence[float],
        weights_std: Sequence[float],
    ) -> None:
        super().__init__()
        if len(decoder_channels) != 5 or min(decoder_channels) < 1:
            raise ValueError(f"model.decoder_channels is {list(decoder_channels)}; allowed: five numbers, each above 0")
        if not (len(mean) == len(std) == len(weights_mean) == len(weights_std) == 3) or min(weights_std) <= 0:
            raise ValueError(
                f"model.weights_mean is {list(weights_mean)} and weights_std {list(weights_std)}; "
                "allowed: three numbers each, std above 0"
            )
        if encoder_weights is None:
            weights_mean, weights_std = mean, std
        # Both are in the state dict, so a checkpoint keeps them even if the library's own settings change.
        self.register_buffer("scale", per_channel(std) / per_channel(weights_std))
        self.register_buffer("offset", (per_channel(mean) - per_channel(weights_mean)) / per_channel(weights_std))
        self.unet = _unet(encoder, encoder_weights, list(decoder_channels))

    def forward(self, image: Tensor) -> Tensor:
        """Computes the logits (B, 1, H, W) of a normalised image (B, 3, H, W), in its dtype or the autocast's."""
        logits: Tensor = self.unet(image * self.scale + self.offset)
        return logits


def _unet(encoder: str, weights: str | None, decoder_channels: list[int]) -> nn.Module:
    library = _library()
    known = library.encoders.encoders
    if encoder not in known or encoder.startswith(UNFIT):
        allowed = ", ".join(name for name in known if not name.startswith(UNFIT))
        raise InputError(f"model.encoder is {encoder}; allowed: {allowed}")

    def build(named: str | None) -> nn.Module:
        network: nn.Module = library.Unet(encoder, encoder_weights=named, decoder_channels=decoder_channels, classes=1)
        return network

    if weights is None or torch.get_default_device().type == "meta":
        return build(None)
    if weights.endswith(".safetensors"):
        network = build(None)
        _load_file(network.encoder, encoder, Path(weights))  # type: ignore[arg-type]
        return network
    return _with_downloaded(build, encoder, weights, known[encoder]["pretrained_settings"])


def _with_downloaded(
    build: Callable[[str], nn.Module], encoder: str, weights: str, published: Mapping[str, Mapping[str, Any]]
) -> nn.Module:
    if weights not in published:
        names = ", ".join(published) or "nothing is published for it"
        raise InputError(
            f"model.encoder_weights is {weights}; allowed for {encoder}: {names}, a file that ends with .safetensors, "
            "or null"
        )
    try:
        return build(weights)
    except OSError as error:  # what the download raises, whether the server, the network or the disk fails
        repository = published[weights].get("repo_id", "its repository")
        raise InputError(
            f"model.encoder_weights={weights}: the weights of {encoder} cannot be downloaded "
            f"({first_line(error)}). Connect to the internet; or copy model.safetensors of "
            f"https://huggingface.co/{repository} here and give model.encoder_weights=FILE.safetensors; or start from "
            "random weights with model.encoder_weights=null"
        ) from error


def _load_file(encoder: nn.Module, name: str, path: Path) -> None:
    from safetensors.torch import load_file  # of the extra

    if not path.is_file():
        raise InputError(f"model.encoder_weights={path}: there is no file {path.absolute()}")
    try:
        encoder.load_state_dict(load_file(path))
    except Exception as error:  # a damaged file raises the library's own type, another encoder's RuntimeError
        raise InputError(
            f"model.encoder_weights={path}: these are no weights of {name} ({first_line(error)})"
        ) from error


def _library() -> Any:
    """Imports the extra.

    Raises:
        InputError: It is not installed, or torchvision, which it imports, was built for another PyTorch.
    """
    try:
        import segmentation_models_pytorch
    except ModuleNotFoundError as error:
        raise InputError(
            f"model=smp needs an extra ({error}); install it with pip install 'lesionseg[smp]', or choose another model"
        ) from error
    except (ImportError, RuntimeError) as error:  # torchvision's operators do not load
        raise InputError(
            f"model=smp: segmentation-models-pytorch cannot be imported ({error}); torch and torchvision have to be "
            "of one build: install both as https://pytorch.org says"
        ) from error
    return segmentation_models_pytorch
