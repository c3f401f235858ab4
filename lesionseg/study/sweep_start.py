"""What a sweep does before its first job."""

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from lesionseg.config.command_line import note_sweep


class SweepBeginning(Callback):
    """Writes down how the sweep was started, so that `sweep.resume` can repeat it."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Writes `sweep.json`; see `hydra.experimental.callback.Callback`."""
        note_sweep(Path(config.hydra.sweep.dir), sys.argv[1:])
