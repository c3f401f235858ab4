"""Checkpoints: what they hold, how they are written, and the one safe way to read them.

Beside what Lightning needs to resume, a checkpoint holds under `lesionseg` plain values only:

    format     number of this layout
    config     the run's resolved configuration
    split      the ids of each part and their hash
    code       version, git commit, whether the checkout was dirty
    libraries  versions

So it opens with `weights_only=True`, which runs no code of the file, and needs no command line to be understood.
"""

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import isabstract, isclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from torch import nn

from lesionseg.data.source import Source
from lesionseg.environment import code_version, library_versions
from lesionseg.errors import InputError
from lesionseg.model.segmenter import Segmenter

FORMAT = 1
SEGMENTER_PREFIX = "segmenter."

Built = TypeVar("Built")


def record(config: Mapping[str, Any], split: Mapping[str, Any]) -> dict[str, Any]:
    """Collects what a checkpoint carries beside weights and training state; plain values only."""
    return {
        "format": FORMAT,
        "config": config,
        "split": split,
        "code": code_version(),
        "libraries": library_versions(),
    }


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and reads without running code from it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes to a temporary name, flushes to the disk, then renames over the previous checkpoint."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[[Any, Any], Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Reads a checkpoint; see `read`."""
        return read(Path(path))


def read(path: Path) -> dict[str, Any]:
    """Reads a lesionseg checkpoint onto the CPU without running any code from it.

    Raises:
        InputError: There is no such file, it is damaged or holds more than plain values, or it is not lesionseg's.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    try:
        # mmap reads only the tensors that are used: a checkpoint also holds the optimizer's.
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load raises many types for a damaged or hostile file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a readable checkpoint of tensors and plain values ({reason})") from error
    contents = checkpoint.get("lesionseg") if isinstance(checkpoint, dict) else None
    if not isinstance(contents, dict) or contents.get("format") != FORMAT:
        found = contents.get("format") if isinstance(contents, dict) else "none"
        raise InputError(f"{path}: not a lesionseg checkpoint of format {FORMAT} (found: {found})")
    return checkpoint


def segmenter_of(checkpoint: Mapping[str, Any]) -> Segmenter:
    """Rebuilds the segmenter with its weights (the averaged ones, where an average was kept), in evaluation mode.

    Raises:
        InputError: The stored configuration names anything but a network of `lesionseg.model`, or does not fit the
            stored weights.
    """
    config = checkpoint["lesionseg"]["config"]
    try:
        network = build_stored(config["model"], nn.Module, "lesionseg.model")
        segmenter = Segmenter(network, **config["segmenter"])
        segmenter.load_state_dict(segmenter_state(checkpoint))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"the checkpoint's model cannot be rebuilt: {error}") from error
    return segmenter.eval()


def segmenter_state(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Takes the segmenter's state dict out of a checkpoint."""
    state = checkpoint["state_dict"].items()
    return {name.removeprefix(SEGMENTER_PREFIX): value for name, value in state if name.startswith(SEGMENTER_PREFIX)}


def source_of(checkpoint: Mapping[str, Any]) -> Source:
    """Rebuilds the data source the checkpoint was trained on.

    Raises:
        InputError: The stored configuration names anything but a source of `lesionseg.data`, or its root is gone.
    """
    return _stored_source(checkpoint["lesionseg"]["config"]["data"])


def _stored_source(node: Mapping[str, Any]) -> Source:
    """Builds a source and, first, the sources that it combines, which are settings that map names to sources."""
    settings: dict[str, Any] = {name: value for name, value in node.items() if name != "_convert_"}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            settings[name] = {
                key: _stored_source(child) if isinstance(child, Mapping) else child for key, child in value.items()
            }
    return build_stored(settings, Source, "lesionseg.data")  # type: ignore[type-abstract]


def build_stored(node: Mapping[str, Any], kind: type[Built], package: str) -> Built:
    """Builds an object that a file, not this command line, asks for.

    A name is no proof (`lesionseg.x.sys.exit` starts with `lesionseg.` and is `sys.exit`), so the object that it
    resolves to is checked: a class of the wanted kind, defined in a module directly in `package`. Arguments are plain
    values (or parts of the same kind, built in the same way), so nothing further is built.

    Raises:
        InputError: Any of this does not hold, or the class refuses its arguments.
    """
    arguments = {name: value for name, value in node.items() if name != "_target_"}
    target = str(node.get("_target_"))
    if not re.fullmatch(re.escape(package) + r"\.[a-z][a-z0-9_]*\.[A-Z][A-Za-z0-9]*", target):
        raise InputError(f"the file asks for {target}; allowed: a class in a module of {package}")
    if any(str(name).startswith("_") or not _is_plain(value, kind) for name, value in arguments.items()):
        raise InputError(f"the file gives {target} nested settings; allowed: plain values")
    module_name, class_name = target.rsplit(".", 1)
    try:
        found = getattr(import_module(module_name), class_name, None)
    except ModuleNotFoundError as error:
        raise InputError(f"the file asks for {target}; this lesionseg has no {module_name}") from error
    if not isclass(found) or not issubclass(found, kind) or isabstract(found) or found.__module__ != module_name:
        raise InputError(f"the file asks for {target}, which is no {kind.__name__} defined in {module_name}")
    try:
        return found(**arguments)
    except TypeError as error:
        raise InputError(f"{target} cannot be built as the file asks: {error}") from error


def _is_plain(value: Any, kind: type[Any]) -> bool:
    """Tells plain values, and mappings of parts that have been built already, from anything still to be built."""
    if isinstance(value, Mapping):
        return all(part is None or isinstance(part, kind) for part in value.values())
    return True
