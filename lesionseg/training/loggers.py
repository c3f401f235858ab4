"""Hyperparameters and results for a run's loggers, and the logger that writes every number into one table."""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import MLFlowLogger, TensorBoardLogger, WandbLogger
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only
from omegaconf import DictConfig, OmegaConf
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from lesionseg.config.build import flat
from lesionseg.metrics.delivered import AS_DELIVERED
from lesionseg.system.files import whole_file

Row = dict[str, str]
Setting = str | float | int | bool

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
"""Settings that people tune and compare runs by, even if the command line does not name them."""
GROUPS = ("data", "model", "loss", "optimizer", "scheduler")
"""Groups of which loggers that find constants themselves get every setting, behind the others."""
NO_SETTINGS = ("resume", "run_dir", "name", "logger", "sweep")
"""Keys of a command line that change nothing of what is trained."""
HEADLINES = ("test/dice", "test/jaccard", "test/threshold_jaccard", "val/dice", "val/jaccard")
"""Results that TensorBoard shows at first sight: it ticks the first five of its metrics by name."""

# Nothing asks for a network: MLflow would call its makers' server once a run, and Weights & Biases report its own
# errors. Both can be switched on again.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("WANDB_ERROR_REPORTING", "false")


class CsvLogger(Logger):
    """Appends a row to a CSV file whenever numbers are logged: `step`, `epoch` and a column for each number, sorted.

    Lightning's own logger deletes the file of the run that is resumed. A row is in the file as soon as it is logged;
    the file is written anew, whole or not at all, only when a number comes for the first time. What an earlier run
    left in the file is replaced unless `keep_before` is called.
    """

    def __init__(self, *, path: Path | str) -> None:
        super().__init__()
        self.path = Path(path)
        self._columns: list[str] | None = None
        """Columns of the file; None as long as this run has written nothing."""

    @property
    def name(self) -> str:
        """Name of the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """Empty, for a run has one file."""
        return ""

    def log_hyperparams(self, params: Any, *_: Any) -> None:
        """Leaves them to `config.yaml`."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Appends a row."""
        row = {**{name: str(float(value)) for name, value in metrics.items()}, "step": str(step)}
        if "epoch" in metrics:
            row["epoch"] = str(int(metrics["epoch"]))
        if self._columns is None or not row.keys() <= set(self._columns):
            earlier = [] if self._columns is None else read_rows(self.path)
            self._write([*earlier, row])
        else:
            with self.path.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, self._columns).writerow(row)

    @rank_zero_only
    def keep_before(self, step: int) -> None:
        """Keeps the file's whole rows before a step, from which a resumed run logs again."""
        kept = [row for row in read_rows(self.path) if row.get("step", "").isdigit() and int(row["step"]) < step]
        if kept:
            self._write(kept)

    def _write(self, rows: list[Row]) -> None:
        """Writes the whole file without columns that no row has a value for."""
        self._columns = sorted({name for row in rows for name, value in row.items() if value})
        lines = [",".join(self._columns), *(",".join(row.get(name, "") for name in self._columns) for row in rows)]
        with whole_file(self.path) as file:
            file.write("".join(f"{line}\r\n" for line in lines).encode())


def read_rows(path: Path) -> list[Row]:
    """Reads the whole rows of a CSV file; none if there is no file."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n")
    whole = text[: text.rfind("\n") + 1]
    rows = csv.DictReader(whole.splitlines())
    return [row for row in rows if None not in row and None not in row.values()]


def tensorboard_writers(trainer: Trainer) -> list[SummaryWriter]:
    """Lists the writers of the trainer's TensorBoard loggers; empty without one, or on any process but the first."""
    loggers = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
    return [logger.experiment for logger in loggers if trainer.is_global_zero]


def log_interval(trainer: Trainer, *, images: int, batch_size: int, min_batches: int = 1) -> int:
    """Returns the trainer's own number of steps between two logs, but no more than an epoch has.

    Lightning warns of epochs that end before anything is logged, as they do with few images.
    """
    steps = max(images // (batch_size * trainer.world_size), min_batches)
    limit = trainer.limit_train_batches
    most = limit if isinstance(limit, int) else int(steps * limit)
    configured: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning's types lack it
    return max(min(configured, steps, most), 1)


def purged(cfg: DictConfig, step: int) -> DictConfig:
    """Tells TensorBoard to forget what was logged from a step on, since a resumed training logs it again."""
    changed = cfg.copy()
    for node in changed.logger.values():
        if node is not None and str(node._target_).endswith(".TensorBoardLogger"):
            OmegaConf.update(node, "purge_step", step, force_add=True)
    return changed


def keep_before(loggers: Sequence[Logger], step: int) -> None:
    """Keeps what CSV files have before a step of a resumed training."""
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
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            _fill_hparams_tab(logger, table, results)
        elif isinstance(logger, MLFlowLogger | WandbLogger):
            settings = flat({name: config[name] for name in GROUPS}, "/")
            others = {name: _for_table(value) for name, value in settings.items() if not name.endswith("/_partial_")}
            logger.log_hyperparams(table | others)
        if isinstance(logger, WandbLogger):
            logger.experiment.finish()  # or the next job of a sweep would write into this one's run


def _fill_hparams_tab(logger: TensorBoardLogger, table: Mapping[str, Setting], results: Mapping[str, float]) -> None:
    """Writes a session of the HPARAMS tab, but no `Experiment`, which Lightning and torch write with every session.

    With one, TensorBoard lists the columns of whichever run it finds first, and misses those that differ from other
    runs; without, it compares all runs, and puts the columns that differ in front, ticked.
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


def hyperparameters(config: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Setting]:
    """Chooses the columns of the HPARAMS tab, as `model/depth: 4` pairs; the rest is in `config`.

    What the command line has set comes first (in a sweep, that is what varies, whatever key it is), then what people
    tune. A group is named by the file that the command line has chosen for it, else by its class.

    Args:
        config: Configuration of the run, plain values.
        overrides: Words of the command line.
    """
    values = flat(config, "/") | _described(config)
    words = (word.lstrip("+").partition("=") for word in overrides if not word.startswith("~"))
    asked = {key.partition("@")[0].replace(".", "/"): value for key, _, value in words}
    set_here = {name: values.get(name, value) for name, value in asked.items() if name.split("/")[0] not in NO_SETTINGS}
    # Two files of a group may well have one class.
    set_here |= {name: asked[name] for name in set_here if isinstance(config.get(name), Mapping)}
    tuned = {name: values[name] for name in TUNED if name in values and name not in set_here}
    return {name: _for_table(value) for name, value in (set_here | tuned).items()}


def _described(config: Mapping[str, Any]) -> dict[str, str]:
    """Names each group by its class, a loss by its terms and an augmentation by its steps."""
    described = {}
    for name in (name for name in TUNED if isinstance(config.get(name), Mapping)):
        made_of = config[name].get("terms") or config[name].get("steps")
        described[name] = (
            "+".join(key for key, value in made_of.items() if value is not None)
            if isinstance(made_of, Mapping)
            else str(config[name].get("_target_")).rpartition(".")[2]
        )
    return described


def _for_table(value: Any) -> Setting:
    return value if isinstance(value, bool | int | float | str) else str(value)
