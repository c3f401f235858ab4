"""`python -m lesionseg.evaluate`: scores a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionseg.launch import launch

if TYPE_CHECKING:
    from omegaconf import DictConfig


def evaluate(cfg: DictConfig) -> dict[str, float]:
    """Scores a checkpoint as `cfg` says, see `conf/evaluate.yaml`.

    Returns:
        The metrics as `test/dice` and so on, whichever part of the data was scored.

    Raises:
        InputError: A setting, the checkpoint or the data is wrong.
    """
    # Imported here, not above: they take seconds, and --help or a mistyped key should answer at once.
    from lesionseg.check import check
    from lesionseg.evaluation.scoring import score_checkpoint

    check(cfg)
    return score_checkpoint(cfg)


def main() -> None:
    """Runs the command line."""
    launch("evaluate", evaluate)


if __name__ == "__main__":
    main()
