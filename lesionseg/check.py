"""Checking a composed configuration before any work: everything wrong, all at once."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

import lesionseg.data.augmentation  # noqa: F401  (keeps albumentations, named in YAMLs, from asking a server)
from lesionseg.config.build import CONTRACTS, TrainingLength, argument_faults, build, class_faults, target_nodes
from lesionseg.config.value_checks import RANGES, pair_faults, range_faults, scoring_faults, trainer_faults
from lesionseg.errors import InputError, raise_all
from lesionseg.model.contract_trials import (
    augmentation_faults,
    is_foreign,
    loss_faults,
    metric_faults,
    network_faults,
)
from lesionseg.model.segmenter import build_segmenter
from lesionseg.system.device import accelerator_faults
from lesionseg.system.machine import usable_cores

WORKERS_A_CORE = 4
"""Largest useful number of worker processes for each core."""
FEW_WORKERS = 16
"""Number of worker processes that is always allowed, since settings may have been made for another machine."""
LONG = TrainingLength(total_steps=1_000_000, steps_per_epoch=1)
"""Length of training that schedules are tried with; longer than any allowed warm-up."""
TRIALS: Mapping[str, Callable[[Any], Iterator[str]]] = {
    "augmentation": augmentation_faults,
    "loss": lambda loss: loss_faults(loss.terms),
    "metrics": metric_faults,
}


def check(cfg: DictConfig) -> None:
    """Checks a verb's whole configuration.

    Raises:
        InputError: Lists every fault: numbers out of range, unknown or missing arguments, values of a wrong type,
            parts that refuse their settings, an image size the model cannot take, a monitor that is not logged.
    """
    findings = list(_root_words(cfg))
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    trainer = plain.get("trainer", {})
    findings += [*range_faults(plain), *_worker_faults(plain.get("num_workers"))]
    if trainer.get("precision") == "auto":  # lesionseg's own word, see lesionseg/system/device.py
        del trainer["precision"]
    for path, node in target_nodes(plain):
        findings += [f"{path}: {text}{_contract_of(path, text)}" for text in argument_faults(node)]
    later: Sequence[Callable[[], Iterable[str]]] = (  # each needs what those before it have found to be right
        lambda: accelerator_faults(str(trainer.get("accelerator")), trainer.get("devices")),
        lambda: trainer_faults(trainer) if "trainer" in plain else (),
        lambda: _buildable(cfg),
        lambda: [*_monitor(cfg), *pair_faults(plain)] if "monitor" in cfg else (),
        lambda: scoring_faults(plain) if "part" in cfg else (),
    )
    for find in later:
        findings = findings or list(find())
    raise_all("The configuration has faults:", findings)


def _contract_of(group: str, fault: str) -> str:
    """Returns what a part has to be where an argument is missing, which is because it is something else."""
    is_missing = group in ("loss", "optimizer", "scheduler") and " needs the argument " in fault
    return f"; allowed: {CONTRACTS[group].words}" if is_missing else ""


def _root_words(cfg: DictConfig) -> Iterator[str]:
    """Checks those values of the root that may be words."""
    for name in ("batch_size", "num_workers"):
        if isinstance(cfg.get(name), str) and cfg[name] != "auto":
            yield f"{name} is {cfg[name]}; allowed: a number from {RANGES[name][0]}, or auto"
    if "monitor_mode" in cfg and cfg.monitor_mode not in ("min", "max"):
        yield f"monitor_mode is {cfg.monitor_mode}; allowed: min, max"


def _worker_faults(workers: Any) -> Iterator[str]:
    """Finds more worker processes than the machine can use."""
    cores = usable_cores()
    most = max(WORKERS_A_CORE * cores, FEW_WORKERS)
    if isinstance(workers, int) and workers > most:
        yield f"num_workers is {workers}, but this machine has {cores} usable cores; allowed: at most {most}"


def _buildable(cfg: DictConfig) -> Iterator[str]:
    """Builds the parts that are cheap to build, so that each can refuse its settings."""
    for name in ("data", "augmentation", "loss", "metrics", "callbacks", "evaluation"):
        if cfg.get(name) is not None:
            yield from _refusal(name, cfg[name], needs_files=name == "data" and "model" in cfg)
    for name, node in (cfg.get("logger") or {}).items():  # not built, because some begin to write
        if node is not None:
            yield from class_faults(f"logger.{name}", node.get("_target_") if isinstance(node, DictConfig) else node)
    if "model" in cfg:
        yield from _network(cfg)
        yield from _segmenter(cfg)
        yield from _refusal("postprocessing", cfg.postprocessing)
        yield from _optimisation(cfg)


def _refusal(name: str, node: DictConfig, *, needs_files: bool = False) -> Iterator[str]:
    try:
        part = build(name, node)
        if needs_files:
            part.require()
    except InputError as error:
        yield str(error)
        return
    yield from TRIALS[name](part) if name in TRIALS else ()


def _segmenter(cfg: DictConfig) -> Iterator[str]:
    """Tries the segmenter's settings around an identity."""
    settings: Any = OmegaConf.to_container(cfg.segmenter, resolve=True)
    try:
        build_segmenter(settings, torch.nn.Identity())
    except InputError as error:
        yield str(error)


def _optimisation(cfg: DictConfig) -> Iterator[str]:
    """Tries optimizer and scheduler on one weight."""
    try:
        optimizer = build("optimizer", cfg.optimizer)([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        yield f"optimizer: {error}{_allowed('optimizer', error)}"
        return
    if not isinstance(optimizer, torch.optim.Optimizer):
        yield f"optimizer makes a {type(optimizer).__name__}; allowed: {CONTRACTS['optimizer'].words}"
        return
    try:
        schedules = build("scheduler", cfg.scheduler)(optimizer, LONG)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        yield f"scheduler: {error}{_allowed('scheduler', error)}"
        return
    if not (isinstance(schedules, list) and all(isinstance(one, dict) and "scheduler" in one for one in schedules)):
        yield f"scheduler makes a {type(schedules).__name__}; allowed: {CONTRACTS['scheduler'].words}"


def _allowed(group: str, error: Exception) -> str:
    """Returns what a part has to be where it could not even be called."""
    return f"; allowed: {CONTRACTS[group].words}" if isinstance(error, TypeError) else ""


def _network(cfg: DictConfig) -> Iterator[str]:
    """Checks a network's sizes, and the output of one that is not lesionseg's own."""
    try:
        with torch.device("meta"):  # where nothing is allocated, however large the network
            network = build("model", cfg.model)
    except InputError as error:
        yield str(error)
        return
    stride = getattr(network, "stride", None)
    if type(stride) is int and stride < 1:
        yield f"model has the stride {stride}; allowed: {CONTRACTS['model'].words}"
    elif type(stride) is int and cfg.image_size < 2 * stride:
        # The deepest features would be smaller than 2 x 2: a single value per channel has no variance to normalise.
        yield (
            f"image_size is {cfg.image_size}; this model halves it down by {stride}, allowed: at least {2 * stride}. "
            "Give a larger image_size, or a smaller model.depth or model.stem_stride"
        )
    elif is_foreign(network):
        yield from network_faults(build("model", cfg.model), cfg.image_size)


def _monitor(cfg: DictConfig) -> Iterator[str]:
    """Checks that the validation logs the monitored value."""
    names = ["val/loss", *(f"val/loss_{term}" for term, node in cfg.loss.terms.items() if node is not None)]
    names += [f"val/{metric}" for metric, node in cfg.metrics.items() if node is not None]
    if cfg.monitor not in names:
        yield f"monitor is {cfg.monitor}, which is not logged; allowed: {', '.join(names)}"
