"""A network with everything its speed depends on: number format, memory layout and device."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor, nn

from lesionseg.benchmarking.foreign import Foreign
from lesionseg.checkpoint.engine import PRECISIONS, SHORT_NAMES
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of
from lesionseg.config.build import build
from lesionseg.config.explain import explain
from lesionseg.config.schema import CONF, PeerConfig
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter
from lesionseg.system.device import fastest_precision, pick_device


@dataclass(frozen=True)
class SubjectSettings:
    """What a subject is built from; plain values, so that another process can build it too."""

    name: str
    node: str
    """Its place in the configuration, for messages."""
    network: Mapping[str, Any] | None
    """A node with a `_target_`; None with a checkpoint."""
    checkpoint: str | None
    precision: str
    """`fp32`, `bf16` or `fp16`."""
    channels_last: bool
    stride: int | None
    """Images are padded to multiples of so many pixels; None: the network has a `stride` of its own."""
    device: str

    @property
    def words(self) -> str:
        """Number format and memory layout, for tables."""
        return f"{self.precision}, {'channels last' if self.channels_last else 'channels first'}"


@dataclass(frozen=True)
class Subject:
    """A segmenter that is ready to be measured."""

    settings: SubjectSettings
    segmenter: Segmenter
    """In evaluation mode, on the device, in its memory layout."""

    @property
    def name(self) -> str:
        """What tables call it."""
        return self.settings.name

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return torch.device(self.settings.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """Opens its number format."""
        dtype = PRECISIONS[self.settings.precision]
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)

    def laid_out(self, image: Tensor) -> Tensor:
        """Returns (B, C, H, W) in its memory layout."""
        layout = torch.channels_last if self.settings.channels_last else torch.contiguous_format
        return image.contiguous(memory_format=layout)

    def wait(self) -> None:
        """Waits until a GPU has done what it was asked for; a CPU has."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def subject_settings(cfg: DictConfig) -> list[SubjectSettings]:
    """Lists the network itself, then its peers.

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
    """Builds a subject with random weights, or the checkpoint's.

    Raises:
        InputError: The network refuses its settings, or it is none.
    """
    if settings.checkpoint is not None:
        segmenter = segmenter_of(read(Path(settings.checkpoint)))
    else:
        network = build(settings.node, OmegaConf.create(dict(settings.network or {})))
        segmenter = Segmenter(_with_stride(network, settings), **segmenter_defaults())
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    segmenter.eval().to(settings.device).to(memory_format=layout)  # type: ignore[call-overload]  # torch's types lack it
    return Subject(settings, segmenter)


def segmenter_defaults() -> dict[str, Any]:
    """Returns what a training's segmenter is told; which numbers these are takes no time."""
    defaults: dict[str, Any] = _plain(OmegaConf.load(CONF / "train.yaml").segmenter)
    return defaults


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
    """Holds a peer's settings against their schema."""
    try:
        peer = OmegaConf.merge(OmegaConf.structured(PeerConfig), node)
    except (OmegaConfBaseException, ValueError) as error:  # of wrong settings, and of what is no mapping
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
    """Returns a module that has a `stride`, as the segmenter needs it."""
    if not isinstance(network, nn.Module):
        raise InputError(f"{settings.node} is a {type(network).__name__}; allowed: a torch.nn.Module")
    if settings.stride is not None:
        return Foreign(network, name=settings.node, stride=settings.stride)
    if not isinstance(getattr(network, "stride", None), int):
        raise InputError(
            f"{settings.node}: {type(network).__name__} has no stride, so it is no network of lesionseg's; measure it "
            "as a peer: +peers.mine.network._target_=..."
        )
    return network


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True)
