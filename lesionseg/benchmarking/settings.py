"""What was asked for, checked before any work."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lesionseg.benchmarking.inference_works import WAYS
from lesionseg.benchmarking.timing import STAGES
from lesionseg.check import check
from lesionseg.checkpoint import read
from lesionseg.config import CONF
from lesionseg.errors import raise_all
from lesionseg.prediction.checkpoint_engine import PRECISIONS

CHOICES = {"measure": STAGES, "runtimes": tuple(WAYS)}


def settle(cfg: DictConfig) -> DictConfig:
    """Returns the configuration with the image size and the name that a checkpoint says, once all of it is checked.

    Raises:
        InputError: Lists every fault of a kind, or the checkpoint cannot be opened.
    """
    settled = cfg.copy()
    stored = None if cfg.checkpoint is None else read(Path(cfg.checkpoint))["lesionseg"]["config"]
    if stored is not None:
        settled.name = stored["name"]
    if settled.image_size is None:
        settled.image_size = _trainings_size() if stored is None else stored["image_size"]
    raise_all("The configuration has faults:", list(_faults(settled)))
    plain: Any = OmegaConf.to_container(settled, resolve=True)
    # Under another name: of a `model`, check() also asks what only a training has.
    plain["network"] = plain.pop("model")
    check(OmegaConf.create(plain))
    return settled


def _trainings_size() -> int:
    """Returns the height and width in pixels that a training has where the user says nothing."""
    size: int = OmegaConf.load(CONF / "train.yaml").image_size
    return size


def _faults(cfg: DictConfig) -> Iterator[str]:
    for name, allowed in CHOICES.items():
        for value in cfg[name]:
            if value not in allowed:
                yield f"{name} has {value}; allowed: {', '.join(allowed)}"
    if cfg.precision not in ("auto", *PRECISIONS):
        yield f"precision is {cfg.precision}; allowed: auto, {', '.join(PRECISIONS)}"
    if cfg.name in cfg.peers:
        yield f"peers.{cfg.name} has the name of the network itself; give it another"
