"""The last checkpoint and the one before; resuming from them is tested in tests/training/test_resuming.py."""

from pathlib import Path

import pytest
import torch

from lesionseg.checkpoint.reading import read
from lesionseg.training.checkpoints import LAST, NEXT, PREVIOUS, LastCheckpoint, step_seed


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


def test_a_step_always_has_the_same_seed_and_no_two_share_one() -> None:
    seeds = {step_seed(seed, step, rank) for seed in range(3) for step in range(50) for rank in range(3)}
    assert len(seeds) == 450
    assert step_seed(1, 2, 3) == step_seed(1, 2, 3)


@pytest.mark.parametrize("numbers", [(0, 0, 0), (2**63 - 1, 2**40, 7)])
def test_torch_takes_it(numbers: tuple[int, ...]) -> None:
    torch.Generator().manual_seed(step_seed(*numbers))
