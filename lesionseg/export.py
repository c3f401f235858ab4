"""`python -m lesionseg.export`: hands a checkpoint over as one file for other runtimes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lesionseg.config.launch import launch
from lesionseg.config.named_checkpoint import announced_checkpoint

if TYPE_CHECKING:
    from omegaconf import DictConfig

DISAGREES = 1


def export(cfg: DictConfig) -> dict[str, float]:
    """Writes the file that `cfg` asks for and compares it with the checkpoint, see `conf/export.yaml`.

    Returns:
        `largest_difference` of a probability and `differing_mask_share` of the pixels, both 0 to 1; of int8 also
        `dice_before` and `dice_after` on the validation subset.

    Raises:
        InputError: A setting or the checkpoint is wrong, something is not installed, the file is there already, or the
            data that int8 needs are not at hand.
        SystemExit: With code 1: the file does not compute what the checkpoint does, and was not kept.
    """
    # Imported here, not above: they take seconds, and --help or a mistyped key should answer at once.
    from lesionseg.check import check
    from lesionseg.exporting.exporting import DisagreementError, export_checkpoint

    check(cfg)
    cfg.checkpoint = announced_checkpoint(cfg.checkpoint)
    try:
        return export_checkpoint(cfg)
    except DisagreementError as error:
        print(f"\nlesionseg: {error}; no file was written", file=sys.stderr)
        sys.exit(DISAGREES)


def main() -> None:
    """Runs the command line."""
    launch("export", export)


if __name__ == "__main__":
    main()
