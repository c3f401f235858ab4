"""Messages for mistakes that Hydra finds: what was wrong, and what the user may have meant."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError

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
"""What other programs call a key of lesionseg's."""
OF_ANOTHER_CHOICE = {
    "root": ("data", "data=folder data.root=FOLDER"),
    "masks": ("data", "data=folder data.masks=FOLDER"),
    "encoder": ("model", "model=smp model.encoder=resnet34"),
    "backbone": ("model", "model=smp model.encoder=resnet34"),
    "pretrained": ("model", "model=smp"),
    "hydra.run.dir": ("run_dir", "hydra.run.dir=FOLDER"),
}
"""Keys that a group's other files have: the group, and words that choose one."""
NO_SETTINGS = ("hydra", "metrics.")
"""How paths begin that nobody means: Hydra's own, and the names of metrics, one of which is `precision`."""
MOST = 3


def explain(error: BaseException) -> str:
    """Words an error for its user: what was found and, for an unknown key, what is allowed."""
    if re.search(r"Could not find 'hydra/(sweeper/optuna|launcher/(joblib|submitit_\w+|ray\w*))'", str(error)):
        return f"this needs a plugin of Hydra: {PLUGINS}"
    cause: BaseException | None = error
    seen: set[int] = set()  # causes may form a circle
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.parent_node is not None:
            return _unknown_key(cause)
        cause = cause.__cause__
    if place := _folder_for_source(error):
        return place
    reason = f"\n{error.__cause__}" if isinstance(error, HydraException) and error.__cause__ else ""
    return f"{_without_worker(str(error))}{reason}"


def _without_worker(message: str) -> str:
    """Takes out what torch puts around an error of a data worker: its traceback, which is no user's business."""
    return message.rpartition(f"{InputError.__module__}.{InputError.__name__}: ")[2].rstrip()


def _unknown_key(error: ConfigAttributeError | ConfigKeyError) -> str:
    """Names the unknown key, the likely one and the allowed ones."""
    parent: Any = error.parent_node
    key = str(error.key)
    allowed = sorted(str(name) for name in parent) if isinstance(parent, DictConfig) else []
    place = error.full_key.rpartition(".")[0] if error.full_key else ""
    whole: Any = OmegaConf.to_container(parent._get_root(), resolve=False)
    likely = near_keys(key, place, whole)
    hint = f" Did you mean {' or '.join(likely)}?" if likely else ""
    where = f"'{place}'" if place else "the configuration"
    if not allowed:
        return f"there is no key '{key}' in {where}, which is empty. Choose one of its files too: {place}=NAME"
    return f"there is no key '{key}' in {where}.{hint}\nAllowed there: {', '.join(allowed)}"


def near_keys(key: str, place: str, config: Mapping[str, Any]) -> list[str]:
    """Finds what may have been meant by a key that is not there, the likeliest first; none where nothing is like it.

    Args:
        key: As the user wrote it, without the path before it.
        place: That path, dotted; empty at the root.
        config: The whole configuration, plain values; `hydra` is not looked at.

    Returns:
        Dotted paths, or words to choose another file with.
    """
    paths = [path for path in _paths(config, "") if not path.startswith(NO_SETTINGS)]
    siblings = [path for path in paths if path.rpartition(".")[0] == place]
    named = [name for name, others in OTHER_NAMES.items() if key.lower() in others]
    guesses = (
        (siblings, _like(key, siblings)),
        (siblings, named),
        (paths, named),
        (list(_of_other_choices(named, config)), None),
        (paths, [key]),
        (list(_of_other_choices([key], config)), None),
        (paths, _like(key, paths)),
    )
    for among, names in guesses:
        found = [path for path in among if names is None or path.rpartition(".")[2] in names]
        if found:
            return sorted(found, key=lambda path: path.count("."))[:MOST]
    return []


def _of_other_choices(names: Sequence[str], config: Mapping[str, Any]) -> Iterator[str]:
    """Finds what has these names where another file of a group, or another folder for the run, is chosen."""
    for name in names:
        group, words = OF_ANOTHER_CHOICE.get(name, ("", ""))
        if group in config:
            yield words


def _like(key: str, paths: Sequence[str]) -> list[str]:
    return get_close_matches(key, [path.rpartition(".")[2] for path in paths], n=1)


def _paths(config: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Lists the keys, those at the top first."""
    yield from (f"{prefix}{name}" for name in config if not str(name).startswith("_"))
    for name, child in config.items():
        if isinstance(child, Mapping):
            yield from _paths(child, f"{prefix}{name}.")


def _folder_for_source(error: BaseException) -> str | None:
    """Says what to do where `data=` was given a folder in place of a kind of source."""
    missing = error.missing_cfg_file if isinstance(error, MissingConfigException) else None
    group, _, name = (missing or "").partition("/")
    if group != "data" or not Path(name).exists():
        return None
    return f"data={name} is a place; data names a kind of source. For images of your own: data=folder data.root={name}"
