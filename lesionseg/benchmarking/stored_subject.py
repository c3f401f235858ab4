"""A checkpoint of an untrained network, because predicting a folder starts from one."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.benchmarking.subject import Subject, segmenter_defaults
from lesionseg.checkpoint.checkpoint import SEGMENTER_PREFIX, read, record, segmenter_of
from lesionseg.system.environment import library_versions

EMPTY_SPLIT = {"parts": {"train": [], "validation": [], "test": []}, "sha256": "0" * 64}


def stored(cfg: DictConfig, subject: Subject, folder: Path) -> Path:
    """Writes the subject as a checkpoint, as training would before its first step.

    Raises:
        InputError: Its network is none of `lesionseg.model`, so that no checkpoint of it opens.
    """
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    kept = {name: config[name] for name in ("name", "seed", "image_size", "model", "data")}
    state = subject.segmenter.state_dict()
    path = folder / "untrained.ckpt"
    contents = {
        "lesionseg": record(kept | {"segmenter": segmenter_defaults()}, EMPTY_SPLIT, {}) | {"metrics": {}},
        "state_dict": {f"{SEGMENTER_PREFIX}{name}": value.cpu() for name, value in state.items()},
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": library_versions()["lightning"],
    }
    torch.save(contents, path)
    segmenter_of(read(path))
    return path
