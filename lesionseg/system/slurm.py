"""SLURM: which job this is, and asking for it to be started again when it has run out of its time."""

import logging
import os
import signal
import subprocess

from lesionseg.system.process_rank import is_first_process

log = logging.getLogger(__name__)


def requeue(signal_number: int) -> None:
    """Puts this SLURM job back into its queue, after SIGUSR1, from its first process; elsewhere nothing happens.

    `#SBATCH --signal=USR1@120` sends that signal before the time is over. SIGTERM is also how a user cancels a job,
    which must not come back; a job that SLURM pre-empts by SIGTERM is put back by SLURM itself (PreemptMode=REQUEUE).

    Args:
        signal_number: That has stopped the training, which has been saved.
    """
    job = job_number()
    if job is None or signal_number != signal.SIGUSR1 or not is_first_process():
        return
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("SLURM job %s could not be requeued (%s); submit it again.", job, error)
    else:
        log.info("SLURM job %s is requeued; it goes on from its last checkpoint where it is run with resume=auto.", job)


def job_number() -> str | None:
    """Names the SLURM job as `scontrol` does, `12` or, in an array, `12_3`; None outside of SLURM."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")
