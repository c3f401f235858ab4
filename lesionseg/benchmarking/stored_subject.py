"""A checkpoint of an untrained network, because predicting a folder starts from one."""

from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from lesionseg.benchmarking.subject import Subject, segmenter_defaults
from lesionseg.checkpoint.layout import contents_of, record
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import segmenter_of

EMPTY_SPLIT = {"parts": {"train": [], "validation": [], "test": []}, "sha256": "0" * 64}


def stored(cfg: DictConfig, subject: Subject, folder: Path) -> Path:
    """Writes the subject as a checkpoint, as training would before its first step.

    Raises:
        InputError: Its network is none of `lesionseg.model`, so that no checkpoint of it opens.
    """
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    kept = {name: config[name] for name in ("name", "seed", "image_size", "model", "data")}
    state = {name: value.cpu() for name, value in subject.segmenter.state_dict().items()}
    path = folder / "untrained.ckpt"
    recorded = record(kept | {"segmenter": segmenter_defaults()}, EMPTY_SPLIT, {}) | {"metrics": {}}
    torch.save(contents_of(recorded, state), path)
    segmenter_of(read(path))
    return path
