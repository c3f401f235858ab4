"""What a run tells its loggers beside the numbers of its epochs: settings, results, and where it goes on."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from omegaconf import DictConfig, OmegaConf

from lesionseg.logger.csv import CsvLogger

HYPERPARAMETERS = ("seed", "image_size", "batch_size", "data", "model", "loss", "optimizer", "scheduler")


def purged(cfg: DictConfig, step: int) -> DictConfig:
    """Tells TensorBoard to forget what was logged from a step on: a resumed training logs it again."""
    changed = cfg.copy()
    for node in changed.logger.values():
        if node is not None and str(node._target_).endswith(".TensorBoardLogger"):
            OmegaConf.update(node, "purge_step", step, force_add=True)
    return changed


def keep_before(loggers: Sequence[Logger], step: int) -> None:
    """Lets the CSV file go on from a step of a resumed training."""
    for logger in loggers:
        if isinstance(logger, CsvLogger):
            logger.keep_before(step)


def log_configuration(loggers: Sequence[Logger], text: str) -> None:
    """Shows the whole configuration, as YAML, in TensorBoard."""
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text("config", f"```yaml\n{text}\n```")


def log_results(loggers: Sequence[Logger], config: Mapping[str, Any], results: Mapping[str, float]) -> None:
    """Fills TensorBoard's HPARAMS tab, and gives the settings to loggers that compare runs elsewhere.

    Args:
        loggers: Of the first process.
        config: Of the run, plain values.
        results: By `val/...` and `test/...`.
    """
    scores = {f"result/{name}": value for name, value in results.items() if name.startswith(("val/", "test/"))}
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.log_hyperparams(hyperparameters(config), scores)
            logger.experiment.flush()
        elif isinstance(logger, MLFlowLogger | WandbLogger):
            logger.log_hyperparams(hyperparameters(config))
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()  # or the next job of a sweep would write into this one's run


def hyperparameters(config: Mapping[str, Any]) -> dict[str, str | float | int | bool]:
    """Chooses what people tune and compare, as `model/depth: 4` pairs for the HPARAMS tab; the rest is in `config`."""
    chosen = {name: config[name] for name in HYPERPARAMETERS}
    return {name.removesuffix("/_target_"): _for_table(name, value) for name, value in _flat(chosen, "")}


def _flat(config: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    """Walks nested settings as (`group/name`, value) pairs; `_partial_` is no setting but how Hydra builds."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}/")
        elif key != "_partial_":
            yield f"{prefix}{key}", value


def _for_table(name: str, value: Any) -> str | float | int | bool:
    """Shortens a class to its name, and writes what is no plain value as text."""
    if name.endswith("_target_"):
        return str(value).rpartition(".")[2]
    return value if isinstance(value, bool | int | float | str) else str(value)
