"""`format=torch_export`: one `.pt2` file, for PyTorch without lesionseg."""

from pathlib import Path

import torch
from torch.export import ExportedProgram

from lesionseg.exporting.embedded_facts import DIGESTS_KEY, KEY, EmbeddedFacts
from lesionseg.exporting.quiet import quiet


def write_torch_export(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes the program with its metadata as the extra files `lesionseg.json` and `lesionseg_trained_on.txt`.

    The example that it was traced with is left out: it would be the archive's only pickle.
    """
    program.example_inputs = None
    extra = {f"{KEY}.json": facts.text(), f"{DIGESTS_KEY}.txt": facts.digests()}
    with quiet():
        torch.export.save(program, path, extra_files=extra)
