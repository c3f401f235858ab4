"""Resuming a run that was stopped or killed, with its own configuration and from its last whole checkpoint."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lesionseg.checkpoint.reading import read
from lesionseg.config.build import flat
from lesionseg.config.old_names import current_settings
from lesionseg.data.manifest import require_unchanged
from lesionseg.errors import InputError, raise_all
from lesionseg.training.checkpoints import LAST, NEXT, PREVIOUS

log = logging.getLogger(__name__)

CHANGEABLE = ("trainer.", "num_workers", "callbacks.progress.", "callbacks.last_checkpoint.")
"""Settings that a resumed run may change: how long and where it trains. All else would make it another run."""
OWN = ("resume", "hydra.", "hydra/")
"""Keys of a command line that are no settings of the run."""


def checkpoint_to_resume(folder: Path) -> Path | None:
    """Returns the newest whole checkpoint; None if the run has not got as far as one.

    Damaged ones are passed over with a warning.

    Raises:
        InputError: There are some, and none is whole.
    """
    faults = []
    for name in (NEXT, LAST, PREVIOUS):
        path = folder / "checkpoints" / name
        if not path.is_file():
            continue
        try:
            read(path)
        except InputError as error:
            faults.append(str(error).replace("\n", " "))
            continue
        for fault in faults:
            log.warning("Passed over: %s", fault)
        if faults:
            log.warning("The run goes on from %s, the checkpoint before; what came after is trained again.", path)
        return path
    raise_all(f"{folder} cannot be resumed, no checkpoint is whole; start anew in another folder:", faults)
    return None


def stored_config(folder: Path) -> dict[str, Any]:
    """Reads the configuration that a run has left in its folder, as plain values.

    Raises:
        InputError: The file is damaged.
    """
    path = folder / "config.yaml"
    try:
        stored: Any = current_settings(OmegaConf.to_container(OmegaConf.load(path)))
        if not isinstance(stored, dict) or not isinstance(stored.get("run_dir"), str):
            raise ValueError("it has no run_dir")
    except (yaml.YAMLError, OmegaConfBaseException, ValueError) as error:  # ValueError: also what is no UTF-8
        raise InputError(
            f"{path} is damaged ({str(error).splitlines()[0]}); remove it and give the run's own command line again, "
            f"with resume=auto hydra.run.dir={folder}"
        ) from error
    return stored


def resumed_config(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Returns the run's own configuration from its folder, wherever that is now, with the values that were given anew.

    Args:
        cfg: Composed configuration; only the values that `overrides` names are taken from it.
        overrides: Words of the command line, as `key=value`.

    Raises:
        InputError: There is no run, or something is to be changed that makes it another run.
    """
    folder = Path(cfg.run_dir)
    if not (folder / "config.yaml").is_file():
        raise InputError(f"resume={cfg.resume}: there is no run in {folder.absolute()} (no config.yaml)")
    stored = stored_config(folder)
    config: DictConfig = OmegaConf.create(_moved(stored, str(stored["run_dir"]), str(cfg.run_dir)))
    keys = [override.partition("=")[0].lstrip("+~") for override in overrides]
    changed = [key for key in keys if not key.startswith(OWN)]
    raise_all(
        f"resume={cfg.resume} goes on with the run's own settings, of which only {', '.join(CHANGEABLE)} may be given "
        "otherwise; start a new run for:",
        [key for key in changed if not key.startswith(CHANGEABLE)],
    )
    for key in changed:
        OmegaConf.update(config, key, OmegaConf.select(cfg, key), force_add=True)
    config.resume = cfg.resume
    return config


def same_config(cfg: DictConfig) -> DictConfig:
    """Returns the configuration of a run that its own command line resumes, with the batch size that it has found.

    Raises:
        InputError: Lists the settings that differ from the `config.yaml` in its folder, except `CHANGEABLE` ones.
    """
    then = stored_config(Path(cfg.run_dir))
    if cfg.get("batch_size") == "auto":
        cfg = cfg.copy()
        cfg.batch_size = then["batch_size"]
    _same_settings(then, OmegaConf.to_container(cfg, resolve=True), f"the run in {cfg.run_dir}")
    return cfg


def same_training(
    checkpoint: Mapping[str, Any], config: Any, split: Mapping[str, Any], *, most_epochs: int | None, what: str
) -> None:
    """Makes sure that a checkpoint is resumed with the same images, split and settings, and has epochs left.

    Args:
        checkpoint: Contents of the checkpoint.
        config: The configuration at hand, plain values.
        split: The manifest at hand.
        most_epochs: Lightning's `max_epochs`.
        what: Name of the checkpoint for messages.

    Raises:
        InputError: Something differs.
    """
    same_split(checkpoint["lesionseg"]["split"], split, what)
    _same_settings(checkpoint["lesionseg"]["config"], config, what)
    trained = checkpoint["epoch"]
    if most_epochs is not None and 0 <= most_epochs < trained:
        raise InputError(
            f"{what} has trained for {trained} epochs already, and trainer.max_epochs is {most_epochs}; give at least "
            f"{trained}, which ends the training there"
        )


def same_split(then: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Makes sure that the images of two manifests are split alike and in the same files; see `same_training`."""
    # First, because other files may be split differently.
    require_unchanged(then.get("files", {}), now.get("files", {}), origin=what, remedy="start a new run")
    if then["sha256"] != now["sha256"]:
        raise InputError(
            f"{what}: its images are no longer split as they were (SHA-256 {then['sha256'][:8]}..., now "
            f"{now['sha256'][:8]}...): files have come or gone. Put them back, or start a new run"
        )


def _same_settings(then: Mapping[str, Any], now: Any, what: str) -> None:
    """Lists the settings of two configurations that differ, except `CHANGEABLE` ones; see `same_training`."""
    stored, now = flat(_moved(then, str(then.get("run_dir")), str(now["run_dir"]))), flat(now)
    differing = [key for key in sorted(stored.keys() | now.keys()) if stored.get(key) != now.get(key)]
    findings = [
        f"{key}: {stored.get(key)} then, {now.get(key)} now"
        for key in differing
        if not key.startswith((*CHANGEABLE, *OWN))
    ]
    raise_all(f"{what} has other settings than are given now; start this one in another folder:", findings)


def _moved(contents: Any, old: str, new: str) -> Any:
    """Replaces the run's folder in all paths by the one where it is now."""
    if isinstance(contents, Mapping):
        return {key: _moved(value, old, new) for key, value in contents.items()}
    if isinstance(contents, list):
        return [_moved(value, old, new) for value in contents]
    is_inside = isinstance(contents, str) and (contents == old or contents.startswith(f"{old}/"))
    return new + contents[len(old) :] if is_inside else contents
