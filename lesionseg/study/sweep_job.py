"""One job of a sweep: it is run, gone on with or passed over, and whatever happens to it does not end the sweep."""

import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from lesionseg.config.command_line import quoted
from lesionseg.config.old_names import current_words
from lesionseg.errors import FaultError, InputError, InterruptionError, PruningError
from lesionseg.metrics.delivered import objective
from lesionseg.system.processes import takes_processes
from lesionseg.system.run_folder import RunRecord, now, read_record, write_record

log = logging.getLogger(__name__)


def run_job(cfg: DictConfig) -> float | None:
    """Runs the job that Hydra has composed.

    Returns:
        What it delivers of the monitored value, see `lesionseg.metrics.delivered.objective`, for the sweeper; None
        where the job has failed, which its `run.json` and the sweep's leaderboard tell with the reason.

    Raises:
        InterruptionError: A signal ends the whole sweep.
    """
    folder, overrides = Path(cfg.run_dir), list(HydraConfig.get().overrides.task)
    try:
        earlier = _earlier(folder, overrides)
        if earlier is not None and earlier.has_ended_well:
            log.info("Job %s has ended before (%s).", folder.name, earlier.state)
            return objective(earlier.results, cfg.monitor)
        return objective(_results(cfg, folder, overrides), cfg.monitor)
    except PruningError as error:
        log.info("Job %s is given up: %s", folder.name, error)
        return error.results.get(cfg.monitor)
    except Exception as error:
        _note_failure(folder, overrides, error)
        return None


def _earlier(folder: Path, overrides: Sequence[str]) -> RunRecord | None:
    """Reads what an interrupted sweep has left of this job.

    Raises:
        InputError: It was another job.
    """
    record = read_record(folder)
    if record is not None and current_words("train", record.overrides) != list(overrides):
        raise InputError(
            f"{folder} has another job, {' '.join(record.overrides)}; give the sweep a folder of its own "
            "(hydra.sweep.dir=...)"
        )
    return record


def _results(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> dict[str, float]:
    """Trains, here or, where that takes several processes, in a process of its own that starts the others."""
    if takes_processes(cfg):
        return _in_its_own_process(folder, overrides)
    from lesionseg.check import check
    from lesionseg.training.run import run

    cfg.resume = "auto"
    check(cfg)
    return run(cfg, overrides)


def _in_its_own_process(folder: Path, overrides: Sequence[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "lesionseg.train", *overrides]
    command += [f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null", "resume=auto"]
    code = subprocess.run(command, check=False).returncode
    if code >= 128:
        raise InterruptionError(code - 128, f"job {folder.name} was stopped")
    record = read_record(folder)
    if code != 0 or record is None:
        reason = record.reason if record is not None else None
        raise FaultError(reason or f"its process ended with exit code {code}")
    return record.results


def _note_failure(folder: Path, overrides: Sequence[str], error: Exception) -> None:
    """Says that and why a job has failed; a fault of the program is shown in full."""
    is_known = isinstance(error, InputError | FaultError)
    log.error("Job %s has failed: %s", folder.name, error, exc_info=None if is_known else error)
    try:
        record = read_record(folder)
        if record is None or (record.state == "running" and record.overrides == list(overrides)):
            reason = " ".join(str(error).splitlines()) or type(error).__name__
            ended = now()
            write_record(folder, RunRecord("failed", list(overrides), started=ended, ended=ended, reason=reason))
    except (InputError, OSError) as fault:  # a damaged run.json, which the leaderboard lists, or a full disk
        log.warning("The failure could not be recorded: %s", fault)
