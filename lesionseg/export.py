"""`python -m lesionseg.export`: hands a checkpoint over as one file for other runtimes."""

import sys

from omegaconf import DictConfig

from lesionseg.checkpoint.named_checkpoint import announced_checkpoint
from lesionseg.config.launch import launch

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
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
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
