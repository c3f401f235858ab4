"""What a training leaves behind and promises."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from omegaconf import DictConfig
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from lesionseg.checkpoint.reading import read
from lesionseg.errors import InputError
from lesionseg.train import train
from lesionseg.training.experiment import Experiment

Compose = Callable[[Sequence[str]], DictConfig]

FEW = ["experiment=smoke", "trainer.max_epochs=1", "data.train=8", "data.validation=4", "data.test=2"]
FEW += ["evaluation.resamples=100"]


@pytest.fixture(scope="module")
def events(smoke_run: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(smoke_run / "tensorboard"))
    accumulator.Reload()
    return accumulator


@pytest.mark.parametrize(
    "name",
    [
        "config.yaml",
        "environment.json",
        "split.json",
        "decision.json",
        "metrics.json",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "checkpoints/previous.ckpt",
        "run.json",
        "curves.png",
        "samples.png",
        "confusion_matrix_val.png",
        "report.html",
        "summary.json",
        "per_image.csv",
        "model_card.md",
        "figures/roc.png",
        "figures/roc.pdf",
        "csv/metrics.csv",
    ],
)
def test_a_run_leaves(smoke_run: Path, name: str) -> None:
    assert (smoke_run / name).stat().st_size > 0


def test_tensorboard_has_curves_pictures_and_the_configuration(events: EventAccumulator) -> None:
    tags = events.Tags()
    assert {"train/loss", "train/loss_bce", "val/loss_dice", "val/dice", "val/pooled_jaccard", "test/jaccard"} <= set(
        tags["scalars"]
    )
    images = {"samples/val", "val/confusion_matrix", "samples/test_worst", "test/roc", "test/calibration"}
    assert images <= set(tags["images"])
    assert "test/pr_curve" in tags["tensors"]
    assert any(tag.startswith("config") for tag in tags["tensors"])


def test_the_hparams_tab_has_the_best_metrics(smoke_run: Path, events: EventAccumulator) -> None:
    results = json.loads((smoke_run / "metrics.json").read_text())
    assert events.Scalars("best/val/dice")[-1].value == pytest.approx(results["val/dice"])
    assert "_hparams_/session_start_info" in events.summary_metadata


def test_the_record_says_what_was_run(smoke_run: Path) -> None:
    config = yaml.safe_load((smoke_run / "config.yaml").read_text())
    record = json.loads((smoke_run / "environment.json").read_text())
    assert config["seed"] == 0
    assert record["libraries"]["torch"] == torch.__version__
    assert "git_commit" in record["code"]


def test_results_are_those_of_the_best_epoch(smoke_run: Path) -> None:
    results = json.loads((smoke_run / "metrics.json").read_text())
    best = torch.load(smoke_run / "checkpoints" / "best.ckpt", weights_only=True)["lesionseg"]["metrics"]
    assert results["val/dice"] == best["val/dice"]
    assert 0 <= results["test/dice"] <= 1


def test_the_same_command_twice_gives_the_same_numbers(compose: Compose, smoke_run: Path, tmp_path: Path) -> None:
    again = train(compose(["experiment=smoke"]))
    assert again == json.loads((smoke_run / "metrics.json").read_text())


def test_another_seed_gives_other_numbers(compose: Compose, smoke_run: Path) -> None:
    other = train(compose(["experiment=smoke", "seed=1"]))
    assert other != json.loads((smoke_run / "metrics.json").read_text())


def test_the_decision_is_fitted_and_stored_beside_what_was_configured(smoke_run: Path) -> None:
    fitted = json.loads((smoke_run / "decision.json").read_text())
    assert fitted["images"] == 8
    assert [trial["option"] for trial in fitted["trials"]] == ["threshold", "largest_component", "fill_holes"]
    for name in ("best", "last"):
        contents = read(smoke_run / "checkpoints" / f"{name}.ckpt")["lesionseg"]
        assert contents["decision"] == fitted
        assert contents["config"]["segmenter"]["threshold"] == 0.5


@pytest.mark.parametrize("override", ["postprocessing.fit=false", "trainer.fast_dev_run=true"])
def test_a_decision_that_is_not_fitted_stays_as_configured(
    compose: Compose, tmp_path: Path, caplog: pytest.LogCaptureFixture, override: str
) -> None:
    with caplog.at_level("INFO"):
        train(compose([*FEW, "data.test=0", override]))
    assert "No post-processing is fitted" in caplog.text
    assert not (tmp_path / "decision.json").exists()
    for path in tmp_path.rglob("*.ckpt"):
        assert "decision" not in read(path)["lesionseg"]


def test_a_run_whose_decision_is_stored_can_be_resumed(compose: Compose, smoke_run: Path) -> None:
    cfg = compose(["experiment=smoke", "trainer.max_epochs=3"])
    experiment = Experiment(cfg, resumed_from=smoke_run / "checkpoints" / "last.ckpt")
    experiment.run()
    steps = read(smoke_run / "checkpoints" / "last.ckpt")["global_step"]
    assert experiment.trainer.current_epoch == 3
    assert experiment.trainer.global_step > steps > 0


def test_without_a_test_part_nothing_is_tested(compose: Compose, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        results = train(compose([*FEW, "data.test=0"]))
    assert not any(name.startswith("test/") for name in results)
    assert "the test is skipped" in caplog.text


@pytest.mark.parametrize(
    "overrides",
    [
        ["scheduler=onecycle", "optimizer=adamw"],
        ["scheduler=cosine", "optimizer=sgd", "trainer.precision=32-true"],
        ["scheduler=poly", "callbacks.ema=null", "num_workers=2"],
        ["scheduler=none", "trainer.accumulate_grad_batches=2", "trainer.gradient_clip_val=null"],
        ["model=unet_fast", "loss=[bce,lovasz]", "model.base_channels=4", "model.max_channels=16"],
        ["model.activation_checkpointing=true", "image_size=65"],
        ["trainer.fast_dev_run=true"],
        ["callbacks.checkpoint=null", "logger=[]", "callbacks.learning_rate_monitor=null"],
        ["data.cache=none", "augmentation=none", "metrics=dice"],
        ["trainer.deterministic=true", "loss=[focal,tversky,boundary]"],
    ],
    ids=" ".join,
)
def test_parts_can_be_exchanged(compose: Compose, overrides: list[str]) -> None:
    results = train(compose([*FEW, *overrides]))
    assert math.isfinite(results["val/dice"])


def test_settings_that_lightning_refuses_are_a_users_mistake(compose: Compose) -> None:
    with pytest.raises(InputError, match="LearningRateMonitor"):
        train(compose(["experiment=smoke", "logger=[]"]))


QUICK = ["model=unet_small", "model.base_channels=4", "image_size=32", "batch_size=2", "num_workers=0", "logger=csv"]
QUICK += [
    "trainer.max_epochs=1",
    "min_train_batches=1",
    "callbacks.learning_rate_monitor=null",
    "callbacks.sample_masks=null",
    "evaluation.resamples=100",
]


def test_a_network_that_marks_nothing_is_reported_everywhere(
    compose: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lesion where the probability is above 0.9999 is no lesion, after two epochs."""
    nothing = ["postprocessing.fit=false", "segmenter.threshold=0.9999", "callbacks=[checkpoint]", "logger=csv"]
    results = train(compose(["experiment=smoke", *nothing]))
    assert results["test/dice"] == 0
    said = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "NOT USABLE: the network's masks of the validation images. Nothing is marked in 8 of 8 images" in said
    assert "lesionseg.check_data" in said
    assert "Nothing is marked in 8 of 8" in (tmp_path / "report.html").read_text()
    assert "Do not use this model" in (tmp_path / "model_card.md").read_text()


def test_a_training_that_stops_early_says_so(compose: Compose, caplog: pytest.LogCaptureFixture) -> None:
    early = ["callbacks=[checkpoint,early_stopping]", "callbacks.early_stopping.patience=1", "logger=csv"]
    never = ["callbacks.early_stopping.min_delta=1.0", "trainer.max_epochs=9", "postprocessing.fit=false"]
    train(compose([*FEW, "data.test=0", *early, *never]))
    assert "stopped early, after epoch 2 of 9. val/dice had not improved" in caplog.text


def test_the_default_trains_twenty_images_for_more_than_a_thousand_steps(
    compose: Compose, tmp_path: Path, draw_pairs: Any
) -> None:
    """Two steps an epoch, as one pass over so few images has, once ended with a Dice coefficient of 0."""
    root = draw_pairs(tmp_path / "data", {f"{number:02d}": number for number in range(20)}, size=64)
    cfg = compose(["data=folder", f"data.root={root}", "image_size=64", "logger=csv"])
    experiment = Experiment(cfg)
    experiment.data.setup("fit")
    assert len(experiment.data.train_dataloader()) * cfg.trainer.max_epochs > 1000


def test_an_epoch_of_several_passes_is_announced(compose: Compose, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        experiment = Experiment(compose(["experiment=smoke", "min_train_batches=4", "trainer.fast_dev_run=true"]))
        experiment.run()
    assert "passes over the 16 training images 2.0 times" in caplog.text


@pytest.fixture
def leaking(tmp_path: Path, draw_pairs: Any) -> Path:
    """Folders as parts; `v` is `b` again."""
    draw_pairs(tmp_path / "data" / "train", {"a": 0, "b": 1, "c": 2, "d": 3})
    draw_pairs(tmp_path / "data" / "validation", {"u": 4, "v": 1})
    return tmp_path / "data"


def test_a_leaking_split_is_not_trained_on(compose: Compose, leaking: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"The split leaks.*\n.*b \(train\), v \(validation\)"):
        train(compose([*QUICK, "data=folder", f"data.root={leaking}"]))
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize(("policy", "trained_on", "dropped"), [("drop", "acd", ["b"]), ("allow", "abcd", [])])
def test_a_leaking_split_may_be_trained_on_knowingly_and_the_checkpoint_says_so(
    compose: Compose, leaking: Path, tmp_path: Path, policy: str, trained_on: str, dropped: list[str]
) -> None:
    train(compose([*QUICK, "data=folder", f"data.root={leaking}", f"data.leaks={policy}"]))
    split = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["lesionseg"]["split"]
    assert split["parts"] == {"train": list(trained_on), "validation": ["u", "v"], "test": []}
    assert split["how"]["leaks"] == policy
    assert split["how"]["known_leaks"] == [["b (train)", "v (validation)"]]
    assert split["how"]["dropped"] == dropped
    assert json.loads((tmp_path / "split.json").read_text()) == split


def test_the_split_that_a_run_wrote_can_be_given_back(compose: Compose, photographs: Path, tmp_path: Path) -> None:
    folder = [*QUICK, "data=folder", f"data.root={photographs}", "data.mask_suffix=_segmentation"]
    train(compose([*folder, "data.leaks=drop", "data.split_seed=3"]))
    first = json.loads((tmp_path / "split.json").read_text())
    (tmp_path / "split.json").rename(tmp_path / "mine.json")
    again_in = compose([*folder, f"data.split={tmp_path / 'mine.json'}"])
    again_in.run_dir = str(tmp_path / "again")
    train(again_in)
    again = json.loads((tmp_path / "again" / "split.json").read_text())
    assert again["sha256"] == first["sha256"]
    assert again["parts"] == first["parts"]


def test_it_learns(compose: Compose) -> None:
    """Chance is far below: the mean shape reaches a Dice of about 0.6 at best, everything-lesion 0.3."""
    overrides = ["experiment=smoke", "data.train=128", "trainer.max_epochs=6", "model.base_channels=12", "seed=2"]
    overrides += ["image_size=32", "callbacks=[checkpoint]", "logger=csv", "data.test=0", "postprocessing.fit=false"]
    assert train(compose([*overrides, "augmentation=none", "optimizer.lr=0.004"]))["val/dice"] > 0.8


def test_a_batch_size_to_be_found_needs_a_gpu(compose: Compose) -> None:
    with pytest.raises(InputError, match="batch_size=auto fills a GPU's memory, and this is a CPU"):
        train(compose(["experiment=smoke", "batch_size=auto", "trainer=cpu"]))
