"""The best checkpoint of a run, wherever its folder has been moved to since."""

from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.callbacks import ModelCheckpoint


class BestCheckpoint(ModelCheckpoint):
    """Keeps the checkpoint of the epoch with the best monitored value as one file, `<folder>/best.ckpt`.

    Args:
        folder: Where it is kept.
        monitor: A logged value, for example `val/dice`.
        mode: Whether it is better when larger (`max`) or smaller (`min`).
    """

    def __init__(self, *, folder: Path | str, monitor: str, mode: Literal["min", "max"]) -> None:
        super().__init__(dirpath=folder, filename="best", monitor=monitor, mode=mode, enable_version_counter=False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the best value; its file is this folder's, whatever paths the resumed checkpoint names.

        Where the file is gone, the next validated epoch is the best that there is.
        """
        best = Path(self.dirpath or "", "best.ckpt")
        if not state_dict["best_model_path"] or not best.is_file():
            return
        paths = dict.fromkeys(("best_model_path", "kth_best_model_path"), str(best))
        values = {"dirpath": self.dirpath, "last_model_path": "", "best_k_models": {str(best): state_dict["kth_value"]}}
        super().load_state_dict({**state_dict, **paths, **values})
