"""Cross-validation: training, scoring, summing up, and an ensemble of all trainings."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lesionseg.check import check
from lesionseg.checkpoint.named_checkpoint import announced_checkpoint
from lesionseg.checkpoint.reading import read
from lesionseg.config.build import build_group
from lesionseg.config.command_line import note_command, quoted
from lesionseg.config.explain import explain
from lesionseg.config.old_names import rename_targets
from lesionseg.errors import FaultError, InputError, InterruptionError, raise_all
from lesionseg.metrics.definitions import definitions_of, measured_formulas
from lesionseg.study.crossval_plan import FILE, Training
from lesionseg.study.crossval_report import draw_crossval, report_crossval, shown_columns
from lesionseg.study.crossval_results import (
    ENSEMBLE,
    CrossvalResults,
    Scored,
    fitted_scores,
    is_newer,
    score_out_of_fold,
    score_test,
    subset_results,
    tested,
    write_masks,
)
from lesionseg.study.crossval_training import Trainings, shares_of_machine
from lesionseg.study.ensembling import IN_WORDS, write_ensemble
from lesionseg.study.scored_run import Run, estimates, metric_faults
from lesionseg.system.processes import requeue
from lesionseg.system.run_folder import read_record

CHECKPOINT = "ensemble.ckpt"


def cross_validate(cfg: DictConfig, trainings: Sequence[Training], words: Sequence[str]) -> dict[str, float]:
    """Trains, scores and sums up below `cfg.run_dir`, see `conf/crossval.yaml`.

    `words` are the command line, which is recorded for resuming. See `lesionseg.crossval.crossval` for the result and
    the errors.
    """
    composed = _composed(cfg, trainings[0])
    if words:
        note_command(Path(cfg.run_dir) / FILE, words)
    _train(cfg, trainings, composed)
    results = _sum_up(cfg, trainings, composed)
    print(f"\ntables, picture, every image  {cfg.run_dir}", flush=True)  # a path that rich wraps cannot be copied
    if cfg.ensemble:
        _print_ensemble(Path(cfg.run_dir) / CHECKPOINT, len(trainings))
    return _numbers(results)


def ensemble_of(cfg: DictConfig) -> dict[str, float]:
    """Makes an ensemble of `cfg.checkpoints` without training.

    Raises:
        InputError: The checkpoints do not fit together.
    """
    path = Path(cfg.run_dir) / CHECKPOINT
    write_ensemble([Path(announced_checkpoint(named)) for named in cfg.checkpoints], path)
    _print_ensemble(path, len(cfg.checkpoints))
    return {}


def _composed(cfg: DictConfig, training: Training) -> DictConfig:
    """Composes and checks one training's configuration, so that a mistake is reported once and before any work.

    Raises:
        InputError: The configuration has a mistake, or a manifest leaves nothing to cut into folds.
    """
    try:
        composed = hydra.compose("train", [*training.words, f"run_dir={quoted(str(training.folder))}"])
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(explain(error)) from error
    rename_targets(composed)
    if cfg.folds is not None and str(composed.data.split).endswith(".json"):
        raise InputError(f"data.split={composed.data.split} says who validates; folds need a rule, such as auto")
    check(composed)
    measured = definitions_of(measured_formulas(build_group("metrics", composed.metrics)))
    raise_all("The settings have faults:", metric_faults(cfg, "columns", list(measured)))
    return composed


def _train(cfg: DictConfig, trainings: Sequence[Training], composed: DictConfig) -> None:
    """Runs the trainings that have not finished."""
    waiting = [training for training in trainings if not _is_done(training)]
    for training in trainings:
        if training not in waiting:
            print(f"{training.name} has been trained before", flush=True)
    runner = Trainings(shares_of_machine(composed, jobs=cfg.jobs, most=max(len(waiting), 1)), _options())
    try:
        runner.run(waiting)
    except InterruptionError as error:
        requeue(error.signal_number)
        message = f"{error}; what has been trained is kept.{_how_to_resume(cfg)}"
        raise InterruptionError(error.signal_number, message) from None
    if runner.failures:
        lines = [f"  - {name}: {reason}" for name, reason in runner.failures.items()]
        title = f"{len(lines)} of {len(trainings)} trainings have not finished, so nothing is summed up:"
        raise FaultError("\n".join([title, *lines]) + _how_to_resume(cfg))


def _is_done(training: Training) -> bool:
    """Tells whether a training with the same words has finished."""
    record = read_record(training.folder)
    return record is not None and record.state == "finished" and record.overrides == list(training.words)


def _options() -> list[str]:
    """Returns the options that pass the user's own configuration folder on."""
    sources: Any = HydraConfig.get().runtime.config_sources if HydraConfig.initialized() else []
    return [word for one in sources if one.provider == "command-line" for word in ("--config-dir", one.path)]


def _how_to_resume(cfg: DictConfig) -> str:
    folder = Path(cfg.run_dir)
    if not (folder / FILE).is_file():
        return ""
    return f"\nGo on with it: python -m lesionseg.crossval resume={shlex.quote(str(folder))}"


def _sum_up(cfg: DictConfig, trainings: Sequence[Training], composed: DictConfig) -> CrossvalResults:
    """Scores the trainings and the ensemble, and reports the results."""
    out_of_fold = [_out_of_fold(cfg, training, composed) for training in trainings]
    test = _test(trainings)
    ensemble = _ensemble(cfg, trainings, composed, has_test=bool(test))
    settings = {"resamples": composed.evaluation.resamples, "seed": composed.evaluation.seed}
    results = CrossvalResults(
        name=composed.name,
        is_cross_validation=trainings[0].fold is not None,
        out_of_fold=subset_results(out_of_fold, **settings),
        test=subset_results(test, **settings) if test else None,
        ensemble=None if ensemble is None else estimates(ensemble.scores, [ensemble], **settings),
        fitted=fitted_scores(trainings),
        definitions=out_of_fold[0][1].definitions,
    )
    report_crossval(
        results,
        out_of_fold,
        draw_crossval(results, out_of_fold, test, ensemble, metric=cfg.metric),
        Path(cfg.run_dir),
        columns=shown_columns(results, cfg.metric, cfg.columns),
        monitor=composed.monitor,
        facts=_facts(cfg, trainings),
    )
    return results


def _out_of_fold(cfg: DictConfig, training: Training, composed: DictConfig) -> Scored:
    run = score_out_of_fold(training, composed)
    score = run.metrics[cfg.metric].text(float(run.of(cfg.metric).mean()))
    print(f"{training.name}: {cfg.metric} {score} on {len(run.targets)} images that it has not seen", flush=True)
    if cfg.masks:
        folder = Path(cfg.run_dir) / "masks"
        write_masks(training, folder if cfg.seeds is None else folder / f"seed_{training.seed}", composed)
    return training, run


def _test(trainings: Sequence[Training]) -> list[Scored]:
    """Reads the trainings' own tests; empty unless all have been tested."""
    found = [(training, run) for training in trainings if (run := tested(training)) is not None]
    return found if len(found) == len(trainings) else []


def _ensemble(cfg: DictConfig, trainings: Sequence[Training], composed: DictConfig, *, has_test: bool) -> Run | None:
    """Writes the ensemble's checkpoint unless it is up to date, and tests it if there is a test subset."""
    if not cfg.ensemble:
        return None
    path = Path(cfg.run_dir) / CHECKPOINT
    checkpoints = [training.checkpoint for training in trainings]
    if not is_newer(path, *checkpoints):
        write_ensemble(checkpoints, path)
    if not has_test or not read(path)["lesionseg"]["split"]["parts"]["test"]:
        return None
    return score_test(path, Path(cfg.run_dir) / ENSEMBLE, composed)


def _facts(cfg: DictConfig, trainings: Sequence[Training]) -> dict[str, Any]:
    return {
        "folds": cfg.folds,
        "seeds": None if cfg.seeds is None else list(cfg.seeds),
        "training": list(cfg.training),
        "out of fold": "the best checkpoint of each, decided as configured",
        "ensemble": f"mean probability; decision: {IN_WORDS}" if cfg.ensemble else None,
        "checkpoints": {training.name: str(training.checkpoint) for training in trainings},
    }


def _print_ensemble(path: Path, members: int) -> None:
    print(f"ensemble of {members}  {path}", flush=True)
    print(f"use it  python -m lesionseg.predict checkpoint={shlex.quote(str(path))} input=...", flush=True)


def _numbers(results: CrossvalResults) -> dict[str, float]:
    subsets = {"out_of_fold": results.out_of_fold.overall}
    subsets |= {} if results.test is None else {"test": results.test.overall}
    subsets |= {} if results.ensemble is None else {"ensemble": results.ensemble}
    return {f"{subset}/{name}": one.value for subset, found in subsets.items() for name, one in found.items()}
