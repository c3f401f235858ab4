"""The CSV file: a row a log, and a resumed run goes on with it."""

import csv
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.data.provider import ListHyperparametersResult
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context

from lesionseg.training.loggers import CsvLogger, hyperparameters, log_interval, log_results, purged, read_rows


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def logged(path: Path, *entries: tuple[int, dict[str, float]]) -> CsvLogger:
    logger = CsvLogger(path=path)
    for step, metrics in entries:
        logger.log_metrics(metrics, step)
    return logger


ENTRIES = [(0, {"lr": 0.1, "epoch": 0}), (3, {"val/dice": 1 / 3, "epoch": 0}), (4, {"lr": 0.2, "epoch": 1})]


def test_every_number_is_there_to_the_last_digit(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", *ENTRIES)
    assert rows(tmp_path / "a.csv") == [
        {"epoch": "0", "lr": "0.1", "step": "0", "val/dice": ""},
        {"epoch": "0", "lr": "", "step": "3", "val/dice": "0.3333333333333333"},
        {"epoch": "1", "lr": "0.2", "step": "4", "val/dice": ""},
    ]


def test_tensors_are_numbers_too(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", (0, {"x": torch.tensor(0.5)}))  # type: ignore[dict-item]
    assert rows(tmp_path / "a.csv") == [{"step": "0", "x": "0.5"}]


def test_a_new_run_replaces_the_file_of_another(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", *ENTRIES)
    logged(tmp_path / "a.csv", ENTRIES[0])
    assert len(rows(tmp_path / "a.csv")) == 1


@pytest.mark.parametrize("cut", [0, 3])
def test_a_resumed_run_leaves_the_file_that_an_uninterrupted_one_does(tmp_path: Path, cut: int) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    logged(whole, *ENTRIES)
    logged(resumed, *ENTRIES)
    resumed.write_bytes(resumed.read_bytes()[: -cut or None])  # killed while it wrote the last line
    logger = CsvLogger(path=resumed)
    logger.keep_before(4)
    assert [row["step"] for row in rows(resumed)] == ["0", "3"]
    logger.log_metrics(ENTRIES[2][1], 4)
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_column_whose_rows_are_all_dropped_comes_back_with_them(tmp_path: Path) -> None:
    whole, resumed = tmp_path / "whole.csv", tmp_path / "resumed.csv"
    logged(whole, *ENTRIES)
    logged(resumed, *ENTRIES)
    logger = CsvLogger(path=resumed)
    logger.keep_before(3)
    for step, metrics in ENTRIES[1:]:
        logger.log_metrics(metrics, step)
    assert resumed.read_bytes() == whole.read_bytes()


def test_resuming_before_anything_was_logged_starts_anew(tmp_path: Path) -> None:
    logged(tmp_path / "a.csv", *ENTRIES)
    logger = CsvLogger(path=tmp_path / "a.csv")
    logger.keep_before(0)
    logger.log_metrics({"x": 1.0}, 0)
    assert rows(tmp_path / "a.csv") == [{"step": "0", "x": "1.0"}]


def test_where_there_is_no_file_there_are_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "a.csv") == []


CONFIG: Mapping[str, Any] = {
    **dict.fromkeys(("seed", "image_size", "batch_size"), 1),
    "data": {"_target_": "lesionseg.data.synthetic.Synthetic", "root": "somewhere"},
    "model": {"_target_": "lesionseg.model.unet.UNet", "base_channels": 16, "depth": 4},
    "loss": {"_target_": "lesionseg.loss.combined.CombinedLoss", "terms": {"bce": {}, "dice": {}, "focal": None}},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.001, "betas": [0.9, 0.999]},
    "scheduler": {"_target_": "lesionseg.training.schedulers.cosine", "_partial_": True},
    "augmentation": {
        "_target_": "lesionseg.data.augmentation.pipeline.Augmentation",
        "steps": {"hair": {}, "blur": None},
    },
    "callbacks": {"ema": {"decay": 0.99}},
    "trainer": {"max_epochs": 5},
    "run_dir": "elsewhere",
}
RESULTS = {f"{part}/{name}": 0.5 for part in ("val", "test") for name in ("accuracy", "dice", "jaccard", "loss")}


@pytest.fixture
def hparams_tab(tmp_path: Path) -> Any:
    """Logs runs, each of them given by its overrides and the config that they make, and returns TensorBoard's view."""

    def seen(runs: Sequence[tuple[list[str], Mapping[str, Any]]]) -> Any:
        for number, (overrides, config) in enumerate(runs):
            logger = TensorBoardLogger(tmp_path / str(number), name="", version="tensorboard", default_hp_metric=False)
            logger.log_metrics({"lr-Adam": 0.1, "train/loss": 0.2}, step=1)
            log_results([logger], config, RESULTS, overrides=overrides)
            logger.finalize("success")
        multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
        multiplexer.Reload()
        context = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(tmp_path))))
        nothing = ListHyperparametersResult(hyperparameters=[], session_groups=[])
        request = RequestContext()
        return context.experiment_from_metadata(request, "", True, context.hparams_metadata(request, ""), nothing)

    return seen


def changed(name: str, **values: Any) -> Mapping[str, Any]:
    return {**CONFIG, name: {**CONFIG[name], **values}}


def test_tensorboard_puts_what_a_sweep_varies_in_front_whatever_key_it_is(hparams_tab: Any) -> None:
    runs = [
        ([f"model.base_channels={channels}", f"callbacks.ema.decay={decay}", "data.root=somewhere"], config)
        for channels, decay in ((16, 0.9), (32, 0.99))
        for config in [{**changed("model", base_channels=channels), "callbacks": {"ema": {"decay": decay}}}]
    ]
    columns = hparams_tab(runs).hparam_infos
    assert [column.name for column in columns[:2]] == ["callbacks/ema/decay", "model/base_channels"]
    assert [column.differs for column in columns[:3]] == [True, True, False]


def test_tensorboard_compares_runs_that_were_started_apart(hparams_tab: Any) -> None:
    runs = [([], CONFIG), (["optimizer.lr=0.1"], changed("optimizer", lr=0.1)), (["loss=lovasz"], CONFIG)]
    columns = hparams_tab(runs).hparam_infos
    assert [column.name for column in columns if column.differs] == ["loss", "optimizer/lr"]


def test_the_metrics_that_tensorboard_ticks_are_the_headlines(hparams_tab: Any) -> None:
    metrics = hparams_tab([([], CONFIG)]).metric_infos
    assert [metric.name.tag for metric in metrics[:4]] == [
        *("best/test/dice", "best/test/jaccard", "best/val/dice", "best/val/jaccard")
    ]
    assert "result/test/accuracy" in [metric.name.tag for metric in metrics]


def test_constants_do_not_crowd_the_table() -> None:
    table = hyperparameters(CONFIG, [])
    assert (table["model"], table["model/base_channels"], table["optimizer/lr"]) == ("UNet", 16, 0.001)
    assert (table["loss"], table["augmentation"], table["data"]) == ("bce+dice", "hair", "Synthetic")
    assert len(table) <= 13
    assert not {"run_dir", "optimizer/_partial_", "optimizer/betas", "data/root"} & set(table)


@pytest.mark.parametrize(
    ("override", "name", "value"),
    [
        ("model=unet_fast", "model", "unet_fast"),  # of the same class as other files
        ("loss=[bce,lovasz]", "loss", "[bce,lovasz]"),
        ("experiment=smoke", "experiment", "smoke"),
        ("+callbacks.ema.decay=0.99", "callbacks/ema/decay", 0.99),
        ("optimizer.betas=[0.9,0.999]", "optimizer/betas", "[0.9, 0.999]"),
    ],
)
def test_what_the_command_line_sets_comes_first(override: str, name: str, value: str | float) -> None:
    table = hyperparameters(CONFIG, [override])
    assert next(iter(table.items())) == (name, value)


@pytest.mark.parametrize("override", ["run_dir=x", "resume=auto", "~callbacks.ema", "logger=csv"])
def test_what_changes_nothing_of_the_training_is_no_column(override: str) -> None:
    assert hyperparameters(CONFIG, [override]) == hyperparameters(CONFIG, [])


def test_tensorboard_forgets_what_a_resumed_run_logs_again(compose: Any) -> None:
    cfg = compose(["logger=[tensorboard,csv]"])
    changed = purged(cfg, 7)
    assert changed.logger.tensorboard.purge_step == 7
    assert "purge_step" not in cfg.logger.tensorboard
    assert "purge_step" not in changed.logger.csv


def trainer_of(tmp_path: Path, **changes: Any) -> Trainer:
    settings: dict[str, Any] = {"accelerator": "cpu", "max_epochs": 1, "log_every_n_steps": 10, "limit_val_batches": 0}
    settings |= {"logger": CSVLogger(tmp_path), "enable_progress_bar": False, "enable_model_summary": False}
    return Trainer(**settings | changes, enable_checkpointing=False)


@pytest.mark.parametrize(
    ("changes", "images", "interval"),
    [
        ({}, 1600, 10),
        ({}, 47, 2),
        ({}, 3, 1),
        ({"log_every_n_steps": 1}, 1600, 1),
        ({"limit_train_batches": 4}, 1600, 4),
        ({"limit_train_batches": 0.05}, 1600, 5),
    ],
)
def test_it_is_never_longer_than_an_epoch(tmp_path: Path, changes: dict[str, Any], images: int, interval: int) -> None:
    assert log_interval(trainer_of(tmp_path, **changes), images=images, batch_size=16) == interval


def test_an_epoch_that_passes_over_few_images_again_is_as_long_as_it_is(tmp_path: Path) -> None:
    assert log_interval(trainer_of(tmp_path), images=20, batch_size=16, min_batches=50) == 10
    assert log_interval(trainer_of(tmp_path), images=20, batch_size=16, min_batches=5) == 5


def test_lightning_then_warns_of_nothing(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path, limit_train_batches=3)
    trainer.log_every_n_steps = log_interval(trainer, images=64, batch_size=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(BoringModel())
    assert not [str(one.message) for one in caught if "log_every_n_steps" in str(one.message)]
