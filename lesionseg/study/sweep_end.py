"""What a sweep does after its last job."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from lesionseg.errors import InputError

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn

    from lesionseg.study.sweep import Sweep

FAILED = 1
"""Exit code of a sweep with a failed job."""


class SweepEnding(Callback):
    """Compares the jobs: leaderboard, pictures, and where everything is."""

    def on_job_end(self, config: DictConfig, job_return: "JobReturn", **_: Any) -> None:
        """Brings a sweep's leaderboard up to date, which so is there also when the sweep is stopped or killed."""
        if config.hydra.mode == RunMode.MULTIRUN:
            from lesionseg.study.leaderboard import write_leaderboard
            from lesionseg.study.sweep import read_sweep

            write_leaderboard(read_sweep(Path(config.hydra.sweep.dir)))

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Ends the sweep, see `end_sweep`, and the program where a job has failed.

        Raises:
            SystemExit: A job has failed, or the leaderboard could not be made. Of other exceptions of a callback Hydra
                makes warnings.
        """
        try:
            sweep = end_sweep(Path(config.hydra.sweep.dir))
        except (InputError, OSError) as error:
            print(f"\nlesionseg: the sweep's leaderboard could not be made: {error}", file=sys.stderr)
            raise SystemExit(FAILED) from None
        if sweep.failed:
            raise SystemExit(FAILED)


def end_sweep(folder: Path) -> "Sweep":
    """Writes a sweep's leaderboard and pictures into its folder, prints the leaderboard and tells what to do next.

    May be called again, also for a sweep that was interrupted: what it writes takes the place of what was there.

    Raises:
        InputError: There are no jobs, or none of them says what is monitored.
        OSError: The disk is full, read-only or gone.
    """
    # Imported here, not above: Hydra imports this file for every run, and only sweeps need matplotlib.
    from lesionseg.report.terminal import print_lines, short
    from lesionseg.study.leaderboard import CSV, MARKDOWN, print_leaderboard, write_leaderboard
    from lesionseg.study.sweep import read_sweep
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
    """Names the best checkpoint and the commands that a user may want."""
    from lesionseg.report.terminal import short

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
