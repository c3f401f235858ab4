"""From a configuration to a comparison: reading, checking, computing, then writing."""

from pathlib import Path

from omegaconf import DictConfig

from lesionseg.errors import raise_all
from lesionseg.evaluation.comparison.agreement import check_agreement
from lesionseg.evaluation.comparison.comparison import compare_methods
from lesionseg.evaluation.comparison.files import write_comparison
from lesionseg.evaluation.comparison.labels import labels_of
from lesionseg.evaluation.comparison.method import methods_of
from lesionseg.evaluation.comparison.run import read_runs
from lesionseg.evaluation.comparison.terminal import print_comparison
from lesionseg.evaluation.definitions import METRICS
from lesionseg.ranges import range_faults


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
    faults += range_faults({"resamples": cfg.resamples, "seed": cfg.seed})
    raise_all("The configuration has faults:", faults)
