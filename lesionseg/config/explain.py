"""Messages for mistakes that Hydra finds: what was wrong, and what the user may have meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError

from lesionseg.config.build import walk
from lesionseg.errors import InputError

PLUGINS = "pip install 'lesionseg[sweep]' (Optuna, joblib), 'lesionseg[slurm]' (submitit) or 'lesionseg[ray]'"
OTHER_NAMES: Mapping[str, Sequence[str]] = {
    "max_epochs": ("epochs", "epoch", "num_epochs", "n_epochs", "nepochs", "total_epochs"),
    "lr": ("learning_rate", "learningrate", "lr0", "base_lr", "init_lr", "eta"),
    "batch_size": ("batch", "bs", "batchsize", "train_batch_size", "mini_batch"),
    "num_workers": ("workers", "n_workers", "threads", "num_threads"),
    "image_size": ("size", "img_size", "imgsz", "img_sz", "resolution", "input_size", "crop_size"),
    "weight_decay": ("wd", "l2"),
    "accelerator": ("gpu", "gpus", "cuda", "device", "use_gpu"),
    "precision": ("amp", "fp16", "half", "mixed_precision", "dtype"),
    "root": ("path", "folder", "dir", "dataset", "data_dir", "data_root", "data_path", "root_dir", "dataset_path"),
    "masks": ("mask_dir", "masks_dir", "labels", "labels_dir", "annotations"),
    "checkpoint": ("ckpt", "ckpt_path", "checkpoint_path", "weights", "model_path", "pretrained", "model"),
    "input": ("in", "source", "src", "images", "photos", "image", "input_dir", "folder", "path"),
    "output": ("out", "out_dir", "output_dir", "dst", "dest", "save_dir", "masks", "output_path"),
    "truth": ("gt", "ground_truth", "labels", "masks", "target", "targets"),
    "predictions": ("pred", "preds", "prediction", "predicted"),
    "runs": ("run", "folders", "inputs"),
    "folds": ("k", "kfold", "k_folds", "n_folds", "num_folds", "n_splits"),
    "seeds": ("seed", "n_seeds"),
    "format": ("fmt", "type", "export_format"),
    "hydra.run.dir": ("output", "out", "out_dir", "output_dir", "log_dir", "logdir", "save_dir", "run"),
    "model": ("net", "network", "arch", "architecture"),
    "loss": ("criterion", "loss_fn", "loss_function"),
    "optimizer": ("opt", "optim", "optimiser"),
    "augmentation": ("aug", "augment", "augmentations", "transforms"),
    "threshold": ("thresh", "thr", "cutoff"),
    "postprocessing": ("decision", "postprocess", "post_processing"),
    "max_time": ("time", "minutes", "hours"),
}
"""Names that other programs give to a key."""
OF_ANOTHER_CHOICE = {
    "root": ("data", "data=folder data.root=FOLDER"),
    "masks": ("data", "data=folder data.masks=FOLDER"),
    "encoder": ("model", "model=smp model.encoder=resnet34"),
    "backbone": ("model", "model=smp model.encoder=resnet34"),
    "pretrained": ("model", "model=smp"),
    "hydra.run.dir": ("run_dir", "hydra.run.dir=FOLDER"),
}
"""Keys that other files of a group have: the group, and words that choose one."""
NO_SETTINGS = ("hydra", "metrics.")
"""Beginnings of paths that nobody means: Hydra's own, and names of metrics, one of which is `precision`."""
MOST = 3


def explain(error: BaseException) -> str:
    """Words an error for its user: what was found and, for an unknown key, what is allowed."""
    if re.search(r"Could not find 'hydra/(sweeper/optuna|launcher/(joblib|submitit_\w+|ray\w*))'", str(error)):
        return f"this needs a plugin of Hydra: {PLUGINS}"
    for cause in _causes(error):
        if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.parent_node is not None:
            return _unknown_key(cause)
    if advice := _folder_for_source(error):
        return advice
    reason = f"\n{error.__cause__}" if isinstance(error, HydraException) and error.__cause__ else ""
    # torch puts the traceback of a data worker before its error.
    own = str(error).rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].rstrip()
    return f"{own}{reason}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yields an error, its cause and so on; causes may form a circle."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = cause.__cause__


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    """Names the unknown key, the likely one and the allowed ones."""
    parent: Any = error.parent_node
    key, place = str(error.key), (error.full_key or "").rpartition(".")[0]
    allowed = sorted(str(name) for name in parent) if isinstance(parent, DictConfig) else []
    where = f"'{place}'" if place else "the configuration"
    if not allowed:
        return f"there is no key '{key}' in {where}, which is empty. Choose one of its files too: {place}=NAME"
    likely = near_keys(key, place, OmegaConf.to_container(parent._get_root(), resolve=False))
    hint = f" Did you mean {' or '.join(likely)}?" if likely else ""
    return f"there is no key '{key}' in {where}.{hint}\nAllowed there: {', '.join(allowed)}"


def near_keys(key: str, place: str, config: Any) -> list[str]:
    """Finds what may have been meant by a key that is not there, the likeliest first; none where nothing is like it.

    Args:
        key: As the user wrote it, without the path before it.
        place: That path, dotted; empty at the root.
        config: The whole configuration, plain values; `hydra` is not looked at.

    Returns:
        Dotted paths, or words to choose another file with.
    """
    paths = [path for path, _ in walk(config) if _is_setting(path)]
    siblings = [path for path in paths if path.rpartition(".")[0] == place]
    named = [name for name, others in OTHER_NAMES.items() if key.lower() in others]
    guesses = (
        _called(_like(key, siblings), siblings),
        _called(named, siblings),
        _called(named, paths),
        _of_other_choices(named, config),
        _called([key], paths),
        _of_other_choices([key], config),
        _called(_like(key, paths), paths),
    )
    return sorted(next(filter(None, guesses), []), key=lambda path: path.count("."))[:MOST]


def _is_setting(path: str) -> bool:
    """Tells whether somebody may mean a path: list items and Hydra's own keys are left out."""
    return bool(_name(path)) and not (path.startswith(NO_SETTINGS) or "[" in path or _name(path).startswith("_"))


def _name(path: str) -> str:
    return path.rpartition(".")[2]


def _called(names: Sequence[str], paths: Sequence[str]) -> list[str]:
    return [path for path in paths if _name(path) in names]


def _like(key: str, paths: Sequence[str]) -> list[str]:
    return get_close_matches(key, map(_name, paths), n=1)


def _of_other_choices(names: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """Finds keys of these names that another file of a group has, or another folder for the run."""
    others = [OF_ANOTHER_CHOICE[name] for name in names if name in OF_ANOTHER_CHOICE]
    return [words for group, words in others if group in config]


def _folder_for_source(error: BaseException) -> str | None:
    """Says what to do where `data=` was given a folder in place of a kind of source."""
    missing = error.missing_cfg_file if isinstance(error, MissingConfigException) else None
    group, _, name = (missing or "").partition("/")
    if group != "data" or not Path(name).exists():
        return None
    return f"data={name} is a place; data names a kind of source. For images of your own: data=folder data.root={name}"
