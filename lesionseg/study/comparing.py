"""From a configuration to a comparison: reading, checking, computing, then writing."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from lesionseg.config.value_checks import range_faults
from lesionseg.errors import raise_all
from lesionseg.metrics.definitions import own_names
from lesionseg.study.agreement import check_agreement
from lesionseg.study.comparison import compare_methods
from lesionseg.study.comparison_files import write_comparison
from lesionseg.study.comparison_terminal import print_comparison
from lesionseg.study.method import methods_of
from lesionseg.study.run_labels import labels_of
from lesionseg.study.scored_run import read_runs, shared_metrics


def compare_runs(cfg: DictConfig) -> dict[str, float]:
    """Compares the evaluations `cfg.runs`, prints the result and writes it below `cfg.run_dir`.

    Returns:
        The mean of `cfg.metric` by label, the best first.

    Raises:
        InputError: A setting or a run is wrong, or the runs cannot be compared; lists every fault of a kind, and
            nothing has been written.
    """
    runs = shared_metrics(read_runs(cfg.runs))
    raise_all("The configuration has faults:", _faults(cfg, list(runs[0].metrics)))
    methods = methods_of(runs)
    check_agreement(methods)
    comparison = compare_methods(
        methods,
        labels_of(methods),
        metric=cfg.metric,
        metrics=[*cfg.metrics, *own_names(runs[0].metrics)],
        resamples=cfg.resamples,
        seed=cfg.seed,
    )
    write_comparison(comparison, Path(cfg.run_dir))
    print_comparison(comparison, Path(cfg.run_dir))
    return {standing.label: standing.scores[cfg.metric].value for standing in comparison.standings}


def _faults(cfg: DictConfig, measured: Sequence[str]) -> list[str]:
    chosen = [("metric", cfg.metric), *(("metrics", name) for name in cfg.metrics)]
    faults = [f"{key} is {name}; allowed: {', '.join(measured)}" for key, name in chosen if name not in measured]
    return [*faults, *range_faults({"resamples": cfg.resamples, "seed": cfg.seed})]
