"""Checking a composed configuration before any work: everything wrong, all at once."""

from collections.abc import Iterator
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

import lesionseg.augmentation  # noqa: F401  (keeps albumentations, named in YAMLs, from asking a server)
from lesionseg.arguments import argument_faults, target_nodes
from lesionseg.build import build
from lesionseg.errors import InputError, raise_all
from lesionseg.model.segmenter import build_segmenter
from lesionseg.ranges import RANGES, pair_faults, range_faults
from lesionseg.scheduler.length import TrainingLength


def check(cfg: DictConfig) -> None:
    """Checks a verb's whole configuration.

    Raises:
        InputError: Lists every fault: numbers out of range, unknown or missing arguments, values of a wrong type,
            parts that refuse their settings, an image size the model cannot take, a monitor that is not logged.
    """
    findings = list(_root_words(cfg))
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    findings += range_faults(plain)
    if plain.get("trainer", {}).get("precision") == "auto":  # lesionseg's own word, see lesionseg/hardware.py
        del plain["trainer"]["precision"]
    for path, node in target_nodes(plain, ""):
        findings += [f"{path}: {text}" for text in argument_faults(node)]
    if not findings:
        findings += _buildable(cfg)
    if not findings and "monitor" in cfg:
        findings += [*_monitor(cfg), *pair_faults(plain)]
    raise_all("The configuration has faults:", findings)


def _root_words(cfg: DictConfig) -> Iterator[str]:
    """Checks those of the root's values that are words."""
    for name in ("batch_size", "num_workers"):
        if isinstance(cfg.get(name), str) and cfg[name] != "auto":
            yield f"{name} is {cfg[name]}; allowed: a number from {RANGES[name][0]}, or auto"
    if "monitor_mode" in cfg and cfg.monitor_mode not in ("min", "max"):
        yield f"monitor_mode is {cfg.monitor_mode}; allowed: min, max"


def _buildable(cfg: DictConfig) -> Iterator[str]:
    """Builds the parts that are cheap to build, so that each can say what it refuses."""
    for name in ("data", "augmentation", "loss", "metrics", "callbacks", "evaluation"):
        if cfg.get(name) is not None:
            yield from _refusal(name, cfg[name], needs_files=name == "data" and "model" in cfg)
    if "model" in cfg:
        # On the meta device nothing is allocated, however large the network.
        with torch.device("meta"):
            refusals = list(_refusal("model", cfg.model))
        yield from refusals
        if not refusals:
            yield from _image_size(cfg)
        yield from _segmenter(cfg)
        yield from _refusal("decision", cfg.decision)
        yield from _optimisation(cfg)


def _refusal(name: str, node: DictConfig, *, needs_files: bool = False) -> Iterator[str]:
    try:
        part = build(name, node)
        if needs_files:
            part.require()
    except InputError as error:
        yield str(error)


def _segmenter(cfg: DictConfig) -> Iterator[str]:
    """Tries the segmenter's settings around no network."""
    settings: Any = OmegaConf.to_container(cfg.segmenter, resolve=True)
    try:
        build_segmenter(settings, torch.nn.Identity())
    except InputError as error:
        yield str(error)


def _optimisation(cfg: DictConfig) -> Iterator[str]:
    """Tries optimizer and scheduler, which are built only once there are weights, on a weight of one number."""
    try:
        optimizer = build("optimizer", cfg.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        yield f"optimizer: {error}"
        return
    try:
        build("scheduler", cfg.scheduler)(optimizer, TrainingLength(total_steps=10, steps_per_epoch=1))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        yield f"scheduler: {error}"


def _image_size(cfg: DictConfig) -> Iterator[str]:
    """Checks that the deepest features are at least 2 x 2: a single value per channel has no variance to normalise."""
    with torch.device("meta"):
        stride = build("model", cfg.model).stride
    if cfg.image_size < 2 * stride:
        yield (
            f"image_size is {cfg.image_size}; this model halves it down by {stride}, allowed: at least {2 * stride}. "
            "Give a larger image_size, or a smaller model.depth or model.stem_stride"
        )


def _monitor(cfg: DictConfig) -> Iterator[str]:
    """Checks that the monitored value is one that the validation logs."""
    names = ["val/loss", *(f"val/loss_{term}" for term, node in cfg.loss.terms.items() if node is not None)]
    names += [f"val/{metric}" for metric, node in cfg.metrics.items() if node is not None]
    if cfg.monitor not in names:
        yield f"monitor is {cfg.monitor}, which is not logged; allowed: {', '.join(names)}"
