"""A sweep as Hydra runs it: its beginning, each job, and its end."""

import logging
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from lesionseg.config.command_line import COMMAND, note_command, quoted
from lesionseg.config.old_names import current_words
from lesionseg.errors import FaultError, InputError, InterruptionError, PruningError
from lesionseg.metrics.delivered import objective
from lesionseg.system.processes import takes_processes
from lesionseg.system.run_folder import RunRecord, now, read_record, write_record

# Hydra imports this file for every training, so that the slow imports are in the functions that need them.
if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

    from lesionseg.study.sweep import Sweep

log = logging.getLogger(__name__)

FAILED = 1
"""Exit code of a sweep with a failed job."""


class SweepBeginning(Callback):
    """Records a sweep's command line in `sweep.json`, which `sweep.resume` repeats."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Writes `sweep.json`; see `hydra.experimental.callback.Callback`."""
        note_command(Path(config.hydra.sweep.dir) / COMMAND, sys.argv[1:])


class SweepEnding(Callback):
    """Writes a sweep's leaderboard after each job, and ends the sweep with pictures and next steps."""

    def on_job_end(self, config: DictConfig, job_return: "JobReturn", **_: Any) -> None:
        """Updates the leaderboard, so that a sweep that is stopped or killed has one too."""
        if config.hydra.mode == RunMode.MULTIRUN:
            from lesionseg.study.sweep import read_sweep, write_leaderboard

            write_leaderboard(read_sweep(Path(config.hydra.sweep.dir)))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Ends the sweep, see `end_sweep`.

        Raises:
            SystemExit: A job has failed, or the leaderboard could not be made; Hydra only warns of other exceptions.
        """
        try:
            sweep = end_sweep(Path(config.hydra.sweep.dir))
        except (InputError, OSError) as error:
            print(f"\nlesionseg: the sweep's leaderboard could not be made: {error}", file=sys.stderr)
            raise SystemExit(FAILED) from None
        if sweep.failed:
            raise SystemExit(FAILED)


def end_sweep(folder: Path) -> "Sweep":
    """Writes a sweep's leaderboard and pictures into its folder, and prints the leaderboard and the next steps.

    It may be called again, also for an interrupted sweep; its files replace earlier ones.

    Raises:
        InputError: There are no jobs, or none of them says what is monitored.
        OSError: The disk is full, read-only or gone.
    """
    from lesionseg.report.table import print_lines, short
    from lesionseg.study.sweep import CSV, MARKDOWN, print_leaderboard, read_sweep, write_leaderboard
    from lesionseg.study.sweep_chart import write_pictures

    sweep = read_sweep(folder)
    write_leaderboard(sweep)
    print()
    print_leaderboard(sweep)
    pictures = write_pictures(sweep)
    lines = {"sweep folder": short(folder), "leaderboard": f"{MARKDOWN}, {CSV}"}
    if pictures:
        lines["pictures"] = ", ".join(pictures)
    print_lines(lines | _next_steps(sweep))
    if sweep.failed:
        print(f"{len(sweep.failed)} of {len(sweep.jobs)} jobs failed", flush=True)
    return sweep


def _next_steps(sweep: "Sweep") -> dict[str, str]:
    """Returns the best checkpoint and useful commands."""
    from lesionseg.report.table import short

    folder, best = shlex.quote(short(sweep.folder)), sweep.ranking[0]
    steps = {}
    checkpoint = sweep.folder / best.name / "checkpoints" / "best.ckpt"
    if best.state == "finished" and checkpoint.is_file():
        steps["best checkpoint"] = short(checkpoint)
    if any(sweep.folder.glob("*/tensorboard")):
        steps["TensorBoard"] = f"tensorboard --logdir {folder}  (HPARAMS compares the jobs)"
    if sweep.failed:
        steps["go on with it"] = f"python -m lesionseg.train -m sweep.resume={folder}"
    return steps


def run_job(cfg: DictConfig) -> float | None:
    """Runs the job that Hydra has composed; skips it if it has finished, and resumes it if it was interrupted.

    Returns:
        The value that the sweeper optimises, see `lesionseg.metrics.delivered.objective`. None if the job has failed:
        its `run.json` and the leaderboard give the reason, and the sweep continues.

    Raises:
        InterruptionError: A signal ends the whole sweep.
    """
    folder, overrides = Path(cfg.run_dir), list(HydraConfig.get().overrides.task)
    try:
        earlier = _earlier(folder, overrides)
        if earlier is not None and earlier.has_ended_well:
            log.info("Job %s has ended before (%s).", folder.name, earlier.state)
            return objective(earlier.results, cfg.monitor)
        return objective(_train(cfg, folder, overrides), cfg.monitor)
    except PruningError as error:
        log.info("Job %s is given up: %s", folder.name, error)
        return error.results.get(cfg.monitor)
    except Exception as error:
        _note_failure(folder, overrides, error)
        return None


def _earlier(folder: Path, overrides: Sequence[str]) -> RunRecord | None:
    """Reads this job's record from an interrupted sweep.

    Raises:
        InputError: The record is of another job.
    """
    record = read_record(folder)
    if record is not None and current_words("train", record.overrides) != list(overrides):
        raise InputError(
            f"{folder} has another job, {' '.join(record.overrides)}; give the sweep a folder of its own "
            "(hydra.sweep.dir=...)"
        )
    return record


def _train(cfg: DictConfig, folder: Path, overrides: Sequence[str]) -> dict[str, float]:
    """Trains in this process, or in a child process if the training starts several."""
    if takes_processes(cfg):
        return _train_in_child(folder, overrides)
    from lesionseg.check import check
    from lesionseg.training.run import run

    cfg.resume = "auto"
    check(cfg)
    return run(cfg, overrides)


def _train_in_child(folder: Path, overrides: Sequence[str]) -> dict[str, float]:
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
    """Logs and records why a job has failed; an error of the program is logged with its traceback."""
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
