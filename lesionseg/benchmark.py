"""`python -m lesionseg.benchmark`: measures the speed of every stage, of its limits and of other networks."""

from omegaconf import DictConfig

from lesionseg.checkpoint.named_checkpoint import announced_checkpoint
from lesionseg.config.launch import launch


def benchmark(cfg: DictConfig) -> dict[str, float]:
    """Measures what `cfg` asks for, see `conf/benchmark.yaml`; prints tables and writes them, data and a chart.

    Returns:
        Median images a second by `<stage>/<way>/<subject>`, of what could be measured.

    Raises:
        InputError: A setting, the checkpoint, the data or another network is wrong.
    """
    # Imported here because it takes seconds, and --help or a mistyped key should be answered at once.
    from lesionseg.benchmarking.benchmarking import run_benchmark

    if cfg.checkpoint is not None:
        cfg.checkpoint = announced_checkpoint(cfg.checkpoint)
    return run_benchmark(cfg)


def main() -> None:
    """Runs the command line."""
    launch("benchmark", benchmark)


if __name__ == "__main__":
    main()
