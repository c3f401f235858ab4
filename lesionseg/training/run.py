"""A run in its folder, which is started or resumed, locked meanwhile, and recorded however it ends."""

import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from omegaconf import DictConfig

from lesionseg.check import check
from lesionseg.errors import FaultError, InputError, InterruptionError, PruningError, first_line
from lesionseg.system.processes import Signals, is_first_process, requeue
from lesionseg.system.run_folder import RunRecord, locked, now, read_record, write_record
from lesionseg.training.experiment import Experiment
from lesionseg.training.faults import end_workers, fault_of
from lesionseg.training.resuming import checkpoint_to_resume, resumed_config, same_config, stored_config

log = logging.getLogger(__name__)

LENGTH = ("max_epochs", "max_steps", "max_time")
"""Keys of `trainer`: what ends a training."""


@dataclass
class _Attempt:
    """Progress of a run in this process."""

    has_begun: bool = False
    results: dict[str, float] = field(default_factory=dict)


def run(cfg: DictConfig, overrides: Sequence[str]) -> dict[str, float]:
    """Runs a whole training in its folder, or what is left of it.

    Args:
        cfg: Composed configuration. With `resume`, null fails if the folder has a run, `auto` resumes one if possible,
            and a folder, which the command line has made the run's, must hold one.
        overrides: Words of the command line.

    Returns:
        The results, also those of a run that had finished before.

    Raises:
        InputError: A setting or a file is wrong, or there is another run in the folder.
        FaultError: The machine has failed.
        InterruptionError: A signal has stopped the run.
    """
    folder = Path(cfg.run_dir)
    with locked(folder):
        record = read_record(folder)
        if record is not None and cfg.resume is None and is_first_process():  # which has written it, for the others
            raise InputError(
                f"there is a run in {folder} already ({record.state}); go on with it by "
                f"resume={shlex.quote(str(folder))}, or give another hydra.run.dir"
            )
        cfg = _config(cfg, overrides)
        if record is not None and record.state == "finished" and not _has_other_length(cfg, folder):
            log.info("The run in %s has ended before: there is nothing left to do.", folder)
            return record.results
        if cfg.resume not in (None, "auto"):
            check(cfg)  # the stored configuration; what was composed has been checked
        started = record or RunRecord(state="running", overrides=list(overrides), started=now())
        with _recorded(folder, replace(started, state="running", reason=None, ended=None), before=record) as attempt:
            attempt.results = _results(cfg, folder, attempt)
        return attempt.results


def _config(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Returns the folder's own configuration if its run is resumed."""
    if cfg.resume in (None, "auto"):
        if cfg.resume == "auto" and (Path(cfg.run_dir) / "config.yaml").is_file():
            return same_config(cfg)
        return cfg
    return resumed_config(cfg, overrides)


def _has_other_length(cfg: DictConfig, folder: Path) -> bool:
    then = stored_config(folder).get("trainer", {})
    return any(then.get(key) != cfg.trainer.get(key) for key in LENGTH)


def _results(cfg: DictConfig, folder: Path, attempt: _Attempt) -> dict[str, float]:
    signals = Signals()
    with signals.taken():
        checkpoint = None if cfg.resume is None else checkpoint_to_resume(folder)
        try:
            experiment = Experiment(cfg, resumed_from=checkpoint, signals=signals)
            attempt.has_begun = True
            return experiment.run()
        except InterruptionError as error:
            requeue(error.signal_number)
            raise InterruptionError(error.signal_number, f"{error}.{_how_to_go_on(folder)}") from None
        except Exception as error:
            fault = error if isinstance(error, FaultError) else fault_of(error)
            if fault is None:
                raise
            end_workers()
            raise FaultError(f"{fault}.{_how_to_go_on(folder)}") from error


def _how_to_go_on(folder: Path) -> str:
    """Says what is kept of a run that has not finished, and how to resume it."""
    best = folder / "checkpoints" / "best.ckpt"
    kept = f"\nThe best checkpoint so far, which has not been tested: {best}" if best.is_file() else ""
    return f"{kept}\nGo on with it: python -m lesionseg.train resume={shlex.quote(str(folder))}"


@contextmanager
def _recorded(folder: Path, record: RunRecord, *, before: RunRecord | None) -> Iterator[_Attempt]:
    """Keeps the run's record up to date, in the first process; a run that is killed stays recorded as running.

    A resumed run that is refused for a setting, before it trains, stays recorded as it was before.
    """
    attempt = _Attempt()

    def note(**changes: object) -> None:
        if is_first_process():
            write_record(folder, replace(record, **{"ended": now(), **changes}))  # type: ignore[arg-type]

    if is_first_process():
        write_record(folder, record)
    try:
        yield attempt
        note(state="finished", results=attempt.results)
    except PruningError as error:
        note(state="pruned", reason=first_line(error), results=error.results)
        raise
    except (InterruptionError, KeyboardInterrupt) as error:
        note(state="interrupted", reason=first_line(error))
        raise
    except BaseException as error:
        if before is not None and isinstance(error, InputError) and not attempt.has_begun:
            note(**asdict(before))
        else:
            _note_failure(note, error)
        raise


def _note_failure(note: Callable[..., None], error: BaseException) -> None:
    """Records a failure, unless the disk that is full or gone is the failure."""
    try:
        note(state="failed", reason=first_line(error))
    except OSError:
        log.warning("The failure could not be recorded in run.json.")
