"""Which of a training's processes this is, before anything of PyTorch is there to be asked."""

import os

RANKS = ("RANK", "LOCAL_RANK", "SLURM_PROCID")
"""What torchrun, Lightning's own launcher and SLURM's `srun` set, in the order that Lightning looks at them."""


def process_rank() -> int:
    """Returns this process's number, 0 for the first and for the only one."""
    found = (os.environ.get(name) for name in RANKS)
    return next((int(value) for value in found if value is not None and value.isdigit()), 0)


def is_first_process() -> bool:
    """Whether this process is the one that makes folders and writes files."""
    return process_rank() == 0
