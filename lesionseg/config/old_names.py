"""Names that have changed: the old ones keep working for one version."""

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lesionseg.config.build import target_nodes
from lesionseg.system.processes import is_first_process

TARGETS: Mapping[str, str] = {
    "lesionseg.augmentation.hair.Hair": "lesionseg.data.augmentation.pipeline.Hair",
    "lesionseg.augmentation.pipeline.Augmentation": "lesionseg.data.augmentation.pipeline.Augmentation",
    "lesionseg.callbacks.best_checkpoint.BestCheckpoint": "lesionseg.training.checkpoints.BestCheckpoint",
    "lesionseg.callbacks.confusion_matrix.ConfusionMatrixPicture": "lesionseg.training.pictures.ConfusionMatrixPicture",
    "lesionseg.callbacks.curves.Curves": "lesionseg.training.curves.Curves",
    "lesionseg.callbacks.ema.Ema": "lesionseg.training.ema.Ema",
    "lesionseg.callbacks.finite_loss.FiniteLoss": "lesionseg.training.faults.FiniteLoss",
    "lesionseg.callbacks.last_checkpoint.LastCheckpoint": "lesionseg.training.checkpoints.LastCheckpoint",
    "lesionseg.callbacks.model_summary.ModelSummary": "lesionseg.training.console.ModelSummary",
    "lesionseg.callbacks.pace.Pace": "lesionseg.training.progress.Pace",
    "lesionseg.callbacks.progress.Progress": "lesionseg.training.progress.Progress",
    "lesionseg.callbacks.progressive_size.ProgressiveSize": "lesionseg.training.progressive_size.ProgressiveSize",
    "lesionseg.callbacks.pruning.Pruning": "lesionseg.training.pruning.Pruning",
    "lesionseg.callbacks.sample_masks.SampleMasks": "lesionseg.training.pictures.SampleMasks",
    "lesionseg.data.augmentation.hair.Hair": "lesionseg.data.augmentation.pipeline.Hair",
    "lesionseg.data.ham10000.Ham10000": "lesionseg.data.published.Ham10000",
    "lesionseg.data.isic2016.Isic2016": "lesionseg.data.published.Isic2016",
    "lesionseg.data.isic2017.Isic2017": "lesionseg.data.published.Isic2017",
    "lesionseg.data.isic2018.Isic2018": "lesionseg.data.published.Isic2018",
    "lesionseg.data.ph2.Ph2": "lesionseg.data.published.Ph2",
    "lesionseg.decision.settings.FittingSettings": "lesionseg.postprocessing.fitting.FittingSettings",
    "lesionseg.logger.csv.CsvLogger": "lesionseg.training.loggers.CsvLogger",
    "lesionseg.metrics.failure.Failure": "lesionseg.metrics.jaccard.Failure",
    "lesionseg.metrics.pooled_dice.PooledDice": "lesionseg.metrics.dice.PooledDice",
    "lesionseg.metrics.pooled_jaccard.PooledJaccard": "lesionseg.metrics.jaccard.PooledJaccard",
    "lesionseg.metrics.sensitivity.Sensitivity": "lesionseg.metrics.recall.Sensitivity",
    "lesionseg.metrics.threshold_jaccard.ThresholdJaccard": "lesionseg.metrics.jaccard.ThresholdJaccard",
    "lesionseg.scheduler.cosine.cosine": "lesionseg.training.schedulers.cosine",
    "lesionseg.scheduler.none.none": "lesionseg.training.schedulers.none",
    "lesionseg.scheduler.onecycle.onecycle": "lesionseg.training.schedulers.onecycle",
    "lesionseg.scheduler.plateau.plateau": "lesionseg.training.schedulers.plateau",
    "lesionseg.scheduler.poly.poly": "lesionseg.training.schedulers.poly",
    "lesionseg.training.best_checkpoint.BestCheckpoint": "lesionseg.training.checkpoints.BestCheckpoint",
    "lesionseg.training.confusion_matrix_picture.ConfusionMatrixPicture": (
        "lesionseg.training.pictures.ConfusionMatrixPicture"
    ),
    "lesionseg.training.constant.none": "lesionseg.training.schedulers.none",
    "lesionseg.training.cosine.cosine": "lesionseg.training.schedulers.cosine",
    "lesionseg.training.csv_logger.CsvLogger": "lesionseg.training.loggers.CsvLogger",
    "lesionseg.training.finite_loss.FiniteLoss": "lesionseg.training.faults.FiniteLoss",
    "lesionseg.training.last_checkpoint.LastCheckpoint": "lesionseg.training.checkpoints.LastCheckpoint",
    "lesionseg.training.model_summary.ModelSummary": "lesionseg.training.console.ModelSummary",
    "lesionseg.training.onecycle.onecycle": "lesionseg.training.schedulers.onecycle",
    "lesionseg.training.pace.Pace": "lesionseg.training.progress.Pace",
    "lesionseg.training.plateau.plateau": "lesionseg.training.schedulers.plateau",
    "lesionseg.training.poly.poly": "lesionseg.training.schedulers.poly",
    "lesionseg.training.sample_masks.SampleMasks": "lesionseg.training.pictures.SampleMasks",
}
"""New `_target_` by the old one, which a user's YAML file, a run's `config.yaml` or a checkpoint may have."""

KEYS: Mapping[str, Mapping[str, str]] = {
    "train": {"decision": "postprocessing"},
    "evaluate": {"decision": "postprocessing"},
}
"""New key by the old one, for each verb; the keys below it are renamed too.

The keys of `train` also apply to the configuration in a run's folder or a checkpoint.
"""


def current_words(verb: str, words: Sequence[str]) -> list[str]:
    """Renames the old keys of a verb's command line, with a warning for each."""
    return [_current_word(verb, word) for word in words]


def rename_targets(cfg: DictConfig) -> None:
    """Renames each old `_target_` of a composed configuration in place, with a warning for each."""
    for path, node in target_nodes(OmegaConf.to_container(cfg, resolve=False), ""):
        old = node["_target_"]
        if old in TARGETS:
            _warn(old, TARGETS[old])
            OmegaConf.update(cfg, f"{path}._target_", TARGETS[old])


def current_settings(stored: Any) -> Any:
    """Returns a training's configuration from a file with its keys and targets renamed."""
    settings = _with_current_targets(stored)
    for old, new in KEYS.get("train", {}).items():
        if (value := _removed(settings, old.split("."))) is not None:
            *parents, last = new.split(".")
            place = settings
            for name in parents:
                place = place.setdefault(name, {})
            place.setdefault(last, value)
    return settings


def _current_word(verb: str, word: str) -> str:
    for old, new in KEYS.get(verb, {}).items():
        if found := re.match(rf"([+~]*){re.escape(old)}(?=[.=@/]|$)", word):
            _warn(old, new)
            return f"{found[1]}{new}{word[found.end() :]}"
    return word


def _with_current_targets(stored: Any) -> Any:
    if isinstance(stored, Mapping):
        return {
            key: TARGETS.get(value, value)
            if key == "_target_" and isinstance(value, str)
            else _with_current_targets(value)
            for key, value in stored.items()
        }
    return [_with_current_targets(value) for value in stored] if isinstance(stored, list) else stored


def _removed(settings: Any, keys: Sequence[str]) -> Any:
    """Takes a nested value out of its mapping; returns None if there is none."""
    for key in keys[:-1]:
        settings = settings.get(key) if isinstance(settings, dict) else None
    return settings.pop(keys[-1], None) if isinstance(settings, dict) else None


def _warn(old: str, new: str) -> None:
    if is_first_process():
        print(f"Warning: {old} is now called {new}; the old name works in this version only.", file=sys.stderr)
