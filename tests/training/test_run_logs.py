"""What loggers are told of a run; that TensorBoard shows it is asked of TensorBoard itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.data.provider import ListHyperparametersResult
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.backend_context import Context

from lesionseg.training.run_logs import hyperparameters, log_results, purged

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
