"""An exported `.pt2` file, ready to predict with PyTorch."""

import os
import threading
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionseg.errors import InputError
from lesionseg.exporting.embedded_facts import EXPORT_AGAIN, embedded_facts
from lesionseg.exporting.exported_file import Results, checked_results, read_bounded, sha256_of
from lesionseg.exporting.exported_program import ExportedProgram
from lesionseg.exporting.exported_program_archive import UnexpectedError, read_archive
from lesionseg.system.device import describe_device, pick_device
from lesionseg.system.processes import refuse_gpu_after_fork


class ExportedProgramEngine:
    """Runs a `.pt2` file that `lesionseg.export` wrote, in PyTorch's number of threads; see `Engine`.

    Args:
        path: The file.
        device: `auto`, `cpu`, `cuda` or `cuda:<number>`.

    Raises:
        InputError: The file is damaged, not from an export, or asks for more than computing with tensors.
    """

    def __init__(self, path: Path, *, device: str) -> None:
        self._path = path
        contents = read_bounded(path)
        archive = read_archive(contents, path)
        self.embedded = embedded_facts(archive.metadata, path, digests=archive.digests)
        self.facts = self.embedded.model_facts(sha256_of(contents))
        try:
            weights = {name: torch.from_numpy(weight) for name, weight in archive.weights.items()}
            self._program = ExportedProgram(archive.program, weights)
            with torch.inference_mode():
                self._program.check_sizes(self.facts.image_size)
        except (UnexpectedError, KeyError, IndexError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            reason = str(error).split("\n", 1)[0]
            raise InputError(f"{path}: its program is not one of lesionseg ({reason}); {EXPORT_AGAIN}") from error
        self._device = pick_device(device)
        self.device = f"{describe_device(self._device, 'fp32')}, exported program"
        self._weights = {name: weight.to(self._device) for name, weight in self._program.weights.items()}
        self._opened_by = os.getpid()
        # A GPU works on one batch at a time anyway, and two would need the memory of two.
        self._turn = nullcontext() if self._device.type == "cpu" else threading.Lock()

    def probability(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Predicts a batch; see `Engine.probability`."""
        return self.run(images)[0]

    def second_look(self, images: NDArray[np.uint8]) -> None:
        """Has none: the file resizes what it sees itself; see `Engine.second_look`."""

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch of any one size: (B, H, W, 3) uint8 RGB -> `lesionseg.exporting.exported_file.OUTPUTS`."""
        refuse_gpu_after_fork(self._device, self._opened_by)
        # Without autocast, which a trainer may be in: the file was compared in float32.
        autocast = torch.autocast(self._device.type, enabled=False)
        with self._turn, torch.inference_mode(), autocast:
            batch = torch.from_numpy(np.require(images, requirements="W")).to(self._device)
            try:
                probability, mask = self._program.run(batch, self._weights, on_result=_ignored)
            except torch.OutOfMemoryError:
                raise  # not the file's fault
            except RuntimeError as error:
                raise InputError(f"{self._path}: its program fails: {error}") from error
        return checked_results(probability.cpu().numpy(), mask.cpu().numpy(), images, self._path)


def _ignored(result: object) -> None:
    """Takes a step's result, which is only of interest when sizes are checked."""
