"""Writing, reading and removing checkpoints for Lightning, whose import takes seconds that predicting does without."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO

from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError
from lesionseg.system.files import whole_file


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes a checkpoint whole or not at all, and reads one without running code from it."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Writes to a temporary name, flushes to the disk, then renames over the previous checkpoint."""
        with whole_file(Path(path)) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Callable[[Any, Any], Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Reads a checkpoint; see `read`."""
        return read(Path(path))

    def remove_checkpoint(self, path: str | Path) -> None:
        """Removes the file of an earlier checkpoint, if it is a file.

        The path may come from a checkpoint that the training resumed from. Lightning makes sure that it starts with the
        run's own folder, but not that it stays inside, and would remove a whole folder.

        Raises:
            InputError: The path has a `..` in it.
        """
        if ".." in Path(path).parts:
            raise InputError(f"{path}: not removed; a checkpoint's path may have no '..' in it")
        if Path(path).is_file():
            Path(path).unlink()


def store_postprocessing(path: Path, postprocessing: Mapping[str, Any]) -> None:
    """Puts fitted post-processing into a checkpoint; everything else in it stays, so that it can be resumed from.

    Raises:
        InputError: The file is no checkpoint of lesionseg.
    """
    checkpoint = read(path)
    checkpoint["lesionseg"]["decision"] = postprocessing
    AtomicCheckpointIO().save_checkpoint(checkpoint, path)
