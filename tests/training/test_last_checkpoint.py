"""The last checkpoint and the one before; resuming from them is tested in tests/training/test_resuming.py."""

from pathlib import Path

import pytest

from lesionseg.checkpoint.reading import read
from lesionseg.training.last_checkpoint import LAST, NEXT, PREVIOUS, LastCheckpoint


def test_a_run_leaves_its_end_and_the_epoch_before(smoke_run: Path) -> None:
    last, previous = (read(smoke_run / "checkpoints" / name) for name in (LAST, PREVIOUS))
    assert (last["place"], last["epoch"]) == ("at_the_end", 2)
    assert (previous["place"], previous["epoch"]) == ("between_epochs", 1)
    assert not (smoke_run / "checkpoints" / NEXT).exists()


def test_the_best_checkpoint_is_none_to_resume_from(smoke_run: Path) -> None:
    assert "place" not in read(smoke_run / "checkpoints" / "best.ckpt")


def test_a_wrong_setting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="every_epochs is 0"):
        LastCheckpoint(folder=tmp_path, every_epochs=0)
