"""What a run tells its loggers beside the numbers of its epochs: settings, results, and where it goes on."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from omegaconf import DictConfig, OmegaConf
from torch.utils.tensorboard.summary import hparams

from lesionseg.config.build import flat
from lesionseg.metrics.delivered import AS_DELIVERED
from lesionseg.training.csv_logger import CsvLogger

TUNED = (
    "model",
    "model/base_channels",
    "loss",
    "optimizer",
    "optimizer/lr",
    "optimizer/weight_decay",
    "scheduler",
    "augmentation",
    "batch_size",
    "image_size",
    "trainer/max_epochs",
    "data",
    "seed",
)
"""What people tune, and so compare runs by, whether the command line names it or not."""
PARTS = ("data", "model", "loss", "optimizer", "scheduler")
"""Groups of which loggers that find constants themselves get every setting, behind the others."""
NO_SETTINGS = ("resume", "run_dir", "name", "logger", "sweep")
"""Keys of a command line that change nothing of what is trained."""
HEADLINES = ("test/dice", "test/jaccard", "test/threshold_jaccard", "val/dice", "val/jaccard")
"""Results that TensorBoard is to show at first sight: of its metrics it ticks the first five by name."""


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


def log_results(
    loggers: Sequence[Logger], config: Mapping[str, Any], results: Mapping[str, float], *, overrides: Sequence[str]
) -> None:
    """Fills TensorBoard's HPARAMS tab, and gives the settings to loggers that compare runs elsewhere.

    Args:
        loggers: Loggers of the first process.
        config: Configuration of the run, plain values.
        results: By `val/...` and `test/...`.
        overrides: Words of the command line; in a sweep, those of this job alone.
    """
    table = hyperparameters(config, overrides)
    parts = {name: config[name] for name in PARTS}
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            _fill_hparams_tab(logger, table, results)
        elif isinstance(logger, MLFlowLogger | WandbLogger):
            settings = {name: _for_table(value) for name, value in flat(parts, "/").items()}
            logger.log_hyperparams(table | {n: value for n, value in settings.items() if not n.endswith("/_partial_")})
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()  # or the next job of a sweep would write into this one's run


def _fill_hparams_tab(
    logger: TensorBoardLogger, table: Mapping[str, str | float | int | bool], results: Mapping[str, float]
) -> None:
    """Writes a session of the HPARAMS tab, but no `Experiment`, which Lightning and torch write with every session.

    With one, TensorBoard lists the columns of whichever run it finds first, and knows of none that it differs from
    other runs; without, it compares all runs, and puts the columns that differ in front, ticked.
    """
    scores = {
        f"{'best' if name in HEADLINES else 'result'}/{name}": value
        for name, value in results.items()
        if name.startswith(("val/", f"{AS_DELIVERED}/", "test/"))
    }
    _, start, end = hparams(dict(table), scores)  # type: ignore[no-untyped-call]  # torch has not typed it
    logger.log_metrics(scores)
    for summary in (start, end):
        logger.experiment.file_writer.add_summary(summary)
    logger.experiment.flush()


def hyperparameters(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, str | float | int | bool]:
    """Chooses the columns of the HPARAMS tab, as `model/depth: 4` pairs; the rest is in `config`.

    First comes what the command line has set (in a sweep, that is what varies, whatever key it is), then what people
    tune. What a group's file stands for is named by the file, where the command line has chosen one, else by its class.

    Args:
        config: Configuration of the run, plain values.
        overrides: Words of the command line.
    """
    values = flat(config, "/") | _described(config)
    words = (word.lstrip("+").partition("=") for word in overrides if not word.startswith("~"))
    asked = {key.partition("@")[0].replace(".", "/"): value for key, _, value in words}
    set_here = {name: values.get(name, value) for name, value in asked.items() if name.split("/")[0] not in NO_SETTINGS}
    # A group's file by its name: two files may well have one class.
    set_here |= {name: asked[name] for name in set_here if isinstance(config.get(name), Mapping)}
    tuned = {name: values[name] for name in TUNED if name in values and name not in set_here}
    return {name: _for_table(value) for name, value in (set_here | tuned).items()}


def _described(config: Mapping[str, Any]) -> dict[str, str]:
    """Names what stands for each part: its class, a loss by its terms and an augmentation by its steps."""
    described = {}
    for name in (name for name in TUNED if isinstance(config.get(name), Mapping)):
        made_of = config[name].get("terms") or config[name].get("steps")
        described[name] = (
            "+".join(key for key, value in made_of.items() if value is not None)
            if isinstance(made_of, Mapping)
            else str(config[name].get("_target_")).rpartition(".")[2]
        )
    return described


def _for_table(value: Any) -> str | float | int | bool:
    """Writes what is no plain value as text."""
    return value if isinstance(value, bool | int | float | str) else str(value)
