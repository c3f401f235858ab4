"""`format=torch_export`: one `.pt2` file, for PyTorch without lesionseg."""

from pathlib import Path

import torch
from torch.export import ExportedProgram

from lesionseg.exporting.quiet import quiet
from lesionseg.prediction.embedded_facts import KEY, EmbeddedFacts


def write_torch_export(program: ExportedProgram, facts: EmbeddedFacts, path: Path) -> None:
    """Writes the program with its metadata as the extra file `lesionseg.json`.

    The example that it was traced with is left out: it would be the archive's only pickle.
    """
    program.example_inputs = None
    with quiet():
        torch.export.save(program, path, extra_files={f"{KEY}.json": facts.model_dump_json()})
