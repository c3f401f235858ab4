"""A network to be measured, with its number format, memory layout and device."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lesionseg.benchmarking.timing import first_line
from lesionseg.checkpoint.engine import PRECISIONS, SHORT_NAMES
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of
from lesionseg.config.build import build
from lesionseg.config.explain import explain
from lesionseg.config.schema import CONF, PeerConfig
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter
from lesionseg.system.device import fastest_precision, pick_device

CONTRACT = "allowed: a network that maps an image (B, 3, H, W) to one tensor of logits (B, 1, H, W)"


@dataclass(frozen=True)
class SubjectSettings:
    """Plain values that a subject is built from, also in another process.

    Attributes:
        name: Name in tables.
        node: Key of the network in the configuration, for messages.
        network: Node with a `_target_`; None with a checkpoint.
        checkpoint: File of a checkpoint.
        precision: `fp32`, `bf16` or `fp16`.
        channels_last: Memory layout of weights and images.
        stride: Pixels to whose multiples images are padded; None for the network's own `stride`.
        device: Name of the device.
    """

    name: str
    node: str
    network: Mapping[str, Any] | None
    checkpoint: str | None
    precision: str
    channels_last: bool
    stride: int | None
    device: str

    @property
    def words(self) -> str:
        """Number format and memory layout for tables."""
        return f"{self.precision}, {'channels last' if self.channels_last else 'channels first'}"

    @property
    def layout(self) -> torch.memory_format:
        """Memory layout of weights and images."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


@dataclass(frozen=True)
class Subject:
    """A segmenter in evaluation mode, on its device and in its memory layout."""

    settings: SubjectSettings
    segmenter: Segmenter

    @property
    def name(self) -> str:
        """Name in tables."""
        return self.settings.name

    @property
    def device(self) -> torch.device:
        """Device of the segmenter."""
        return torch.device(self.settings.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """Returns the context in which the network computes in its number format."""
        dtype = PRECISIONS[self.settings.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)

    def laid_out(self, image: Tensor) -> Tensor:
        """Returns (B, C, H, W) in the subject's memory layout."""
        return image.contiguous(memory_format=self.settings.layout)

    def wait(self) -> None:
        """Waits until a GPU has finished its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


class PeerNetwork(nn.Module):
    """A network from outside lesionseg, with the `stride` that the segmenter pads to.

    Args:
        network: Maps an image (B, 3, H, W) float to logits (B, 1, H, W).
        name: Key in the configuration, for messages.
        stride: Pixels of which H and W are multiples.
    """

    def __init__(self, network: nn.Module, *, name: str, stride: int) -> None:
        super().__init__()
        self.network, self.name, self.stride = network, name, stride

    def forward(self, image: Tensor) -> Tensor:
        """Computes logits: (B, 3, H, W) -> (B, 1, H, W).

        Raises:
            InputError: The network's output is anything else.
        """
        logits: Any = self.network(image)
        expected = (image.shape[0], 1, *image.shape[-2:])
        if isinstance(logits, Tensor) and logits.shape == expected:
            return logits
        found = f"of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"({type(logits).__name__})"
        raise InputError(f"{self.name}: for an image {tuple(image.shape)} it gives an output {found}; {CONTRACT}")


def subject_settings(cfg: DictConfig) -> list[SubjectSettings]:
    """Returns the settings of the network itself and then of its peers.

    Raises:
        InputError: A peer's setting is wrong, or there is no such device.
    """
    device = pick_device(cfg.device)
    own = SubjectSettings(
        name=cfg.name,
        node="model",
        network=None if cfg.checkpoint is not None else _plain(cfg.model),
        checkpoint=cfg.checkpoint,
        precision=_precision("precision", cfg.precision, device),
        channels_last=True,
        stride=None,
        device=str(device),
    )
    return [own, *_peers(cfg, device)]


def build_subject(settings: SubjectSettings) -> Subject:
    """Builds a subject with the checkpoint's weights, or with random ones.

    Raises:
        InputError: The network refuses its settings or is none.
    """
    if settings.checkpoint is not None:
        segmenter = segmenter_of(read(Path(settings.checkpoint)))
    else:
        network = build(settings.node, OmegaConf.create(dict(settings.network or {})))
        segmenter = Segmenter(_with_stride(network, settings), **segmenter_defaults())
    segmenter.eval().to(settings.device).to(memory_format=settings.layout)  # type: ignore[call-overload]  # torch's types lack it
    return Subject(settings, segmenter)


def segmenter_defaults() -> dict[str, Any]:
    """Returns the segmenter's arguments of `conf/train.yaml`, whose values do not change the speed."""
    defaults: dict[str, Any] = _plain(OmegaConf.load(CONF / "train.yaml").segmenter)
    return defaults


def try_out(subject: Subject, *, image_size: int, trains: bool) -> None:
    """Runs a peer once, backwards too if it has to train; its weights stay, but batch statistics change.

    Raises:
        InputError: Its output is no logits, or it fails on images of this size.
    """
    image = torch.zeros(2, 3, image_size, image_size, dtype=torch.uint8, device=subject.device)
    try:
        with torch.set_grad_enabled(trains), subject.autocast():
            logits = subject.segmenter.train(trains)(subject.laid_out(image))
        if trains:
            logits.mean().backward()
    except InputError:
        raise
    except Exception as error:  # a peer's network may raise anything
        raise InputError(
            f"{subject.settings.node}: fails on images of {image_size} x {image_size} pixels ({first_line(error)}); "
            f"give another image_size, or the peer's stride (now {subject.settings.stride})"
        ) from error
    finally:
        subject.segmenter.eval().zero_grad(set_to_none=True)


def parameter_count(module: nn.Module) -> int:
    """Counts a module's trainable and fixed weights, without buffers."""
    return sum(parameter.numel() for parameter in module.parameters())


def flops_of(module: nn.Module, image: Tensor) -> int:
    """Counts the floating-point operations of a forward pass: 2 for each multiplication with its addition.

    Convolutions, matrix products and attention count; normalisation, activations, pooling and up-sampling, a few
    percent of a U-Net's, do not (`torch.utils.flop_counter`). What papers give as MACs is half of this.
    """
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(image)
    return int(counter.get_total_flops())


def _peers(cfg: DictConfig, device: torch.device) -> Iterator[SubjectSettings]:
    for name, node in cfg.peers.items():
        peer = _peer(str(name), node)
        yield SubjectSettings(
            name=str(name),
            node=f"peers.{name}.network",
            network=_plain(peer.network),
            checkpoint=None,
            precision=_precision(f"peers.{name}.precision", peer.precision, device),
            channels_last=peer.channels_last,
            stride=peer.stride,
            device=str(device),
        )


def _peer(name: str, node: Any) -> Any:
    """Checks a peer's settings against their schema."""
    try:
        peer = OmegaConf.merge(OmegaConf.structured(PeerConfig), node)
    except (OmegaConfBaseException, ValueError) as error:  # ValueError: it is no mapping
        raise InputError(f"peers.{name}: {explain(error)}") from error
    if OmegaConf.is_missing(peer, "network") or "_target_" not in (peer.network or {}):
        raise InputError(f"peers.{name}.network has no _target_; give one, such as my_module.MyNetwork")
    if peer.stride < 1:
        raise InputError(f"peers.{name}.stride is {peer.stride}; allowed: at least 1")
    return peer


def _precision(key: str, name: str, device: torch.device) -> str:
    if name not in ("auto", *PRECISIONS):
        raise InputError(f"{key} is {name}; allowed: auto, {', '.join(PRECISIONS)}")
    return SHORT_NAMES[fastest_precision(device.type)] if name == "auto" else name


def _with_stride(network: Any, settings: SubjectSettings) -> nn.Module:
    """Returns a module that has the `stride` that the segmenter needs."""
    if not isinstance(network, nn.Module):
        raise InputError(f"{settings.node} is a {type(network).__name__}; allowed: a torch.nn.Module")
    if settings.stride is not None:
        return PeerNetwork(network, name=settings.node, stride=settings.stride)
    if not isinstance(getattr(network, "stride", None), int):
        raise InputError(
            f"{settings.node}: {type(network).__name__} has no stride, so it is no network of lesionseg's; measure it "
            "as a peer: +peers.mine.network._target_=..."
        )
    return network


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)
