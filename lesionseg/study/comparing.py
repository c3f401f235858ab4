"""From a configuration to a comparison: reading, checking, computing, then writing."""

from pathlib import Path

from omegaconf import DictConfig

from lesionseg.errors import raise_all
from lesionseg.metrics.definitions import METRICS
from lesionseg.study.agreement import check_agreement
from lesionseg.study.comparison import compare_methods
from lesionseg.study.comparison_files import write_comparison
from lesionseg.study.comparison_terminal import print_comparison
from lesionseg.study.method import methods_of
from lesionseg.study.run_labels import labels_of
from lesionseg.study.scored_run import read_runs

LOWEST = {"resamples": 100, "seed": 0}


def compare_runs(cfg: DictConfig) -> dict[str, float]:
    """Compares the evaluations `cfg.runs`, prints the result and writes it below `cfg.run_dir`.

    Returns:
        The mean of `cfg.metric` by label, the best first.

    Raises:
        InputError: A setting or a run is wrong, or the runs cannot be compared; lists every fault of a kind, and
            nothing has been written.
    """
    _check_settings(cfg)
    methods = methods_of(read_runs(cfg.runs))
    check_agreement(methods)
    comparison = compare_methods(
        methods,
        labels_of(methods),
        metric=cfg.metric,
        metrics=list(cfg.metrics),
        resamples=cfg.resamples,
        seed=cfg.seed,
    )
    write_comparison(comparison, Path(cfg.run_dir))
    print_comparison(comparison, Path(cfg.run_dir))
    return {standing.label: standing.scores[cfg.metric].value for standing in comparison.standings}


def _check_settings(cfg: DictConfig) -> None:
    chosen = [("metric", cfg.metric), *(("metrics", name) for name in cfg.metrics)]
    allowed = f"allowed: {', '.join(METRICS)}"
    faults = [f"{key} is {name}; {allowed}" for key, name in chosen if name not in METRICS]
    faults += [f"{key} is {cfg[key]}; allowed: at least {low}" for key, low in LOWEST.items() if cfg[key] < low]
    raise_all("The configuration has faults:", faults)
