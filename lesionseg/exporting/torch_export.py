"""`format=torch_export`: writes a `.pt2` file for PyTorch without lesionseg, and opens one's own to compare it."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.export import ExportedProgram

from lesionseg.exporting.deployed import quiet
from lesionseg.exporting.facts import DIGESTS_KEY, KEY, EmbeddedFacts
from lesionseg.exporting.opening import ExportedEngine, Results, sha256_of


def write_torch_export(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes a program with its metadata as the extra files `lesionseg.json` and `lesionseg_trained_on.txt`.

    The example that it was traced with is left out: it would be the archive's only pickle.
    """
    program.example_inputs = None
    extra = {f"{KEY}.json": facts.text(), f"{DIGESTS_KEY}.txt": facts.digests()}
    with quiet():
        torch.export.save(program, path, extra_files=extra)


class OwnTorchExport(ExportedEngine):
    """Runs a `.pt2` file that this process has just written; `torch.export.load` may run code of any other.

    Args:
        path: The file.
        embedded: What was written into it.
    """

    def __init__(self, path: Path, embedded: EmbeddedFacts) -> None:
        self.path, self.embedded = path, embedded
        self.facts = embedded.model_facts(sha256_of(path.read_bytes()))
        self.device = "CPU, torch.export"
        with quiet():
            self._module = torch.export.load(path).module()

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Predicts a batch; see `ExportedEngine.run`."""
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            probability, mask = self._module(torch.from_numpy(np.require(images, requirements="W")))
        return self.checked(probability.numpy(), mask.numpy(), images)
