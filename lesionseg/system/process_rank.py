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


def local_processes(world_size: int) -> int:
    """Returns how many of a training's processes are on this machine: all of them, where no launcher says otherwise."""
    found = (os.environ.get(name, "") for name in ("LOCAL_WORLD_SIZE", "SLURM_NTASKS_PER_NODE"))
    return min(next((int(value) for value in found if value.isdigit() and int(value) > 0), world_size), world_size)
