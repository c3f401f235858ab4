"""Opening a best checkpoint again, on its own data and on others."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig

from lesionseg.config import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.evaluate import evaluate
from lesionseg.train import train

Compose = Callable[[Sequence[str]], DictConfig]


def configuration(run: Path, folder: Path, *overrides: str) -> DictConfig:
    register_schemas()
    given = [f"checkpoint={run / 'checkpoints' / 'best.ckpt'}", f"run_dir={folder}", "num_workers=0", *overrides]
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("evaluate", overrides=given)


def test_it_repeats_the_test_to_the_last_digit(smoke_run: Path, tmp_path: Path) -> None:
    trained = json.loads((smoke_run / "metrics.json").read_text())
    again = evaluate(configuration(smoke_run, tmp_path))
    assert again == {name: value for name, value in trained.items() if name.startswith("test/")}
    written = json.loads((tmp_path / "summary.json").read_text())
    for name in ("dice", "jaccard", "threshold_jaccard", "precision", "recall", "specificity", "accuracy"):
        assert written["metrics"][name]["value"] == pytest.approx(again[f"test/{name}"], abs=1e-6)
    assert written["pooled"]["dice"]["value"] == pytest.approx(again["test/pooled_dice"], abs=1e-6)


def test_the_batch_size_changes_nothing(smoke_run: Path, tmp_path: Path) -> None:
    one = evaluate(configuration(smoke_run, tmp_path, "batch_size=1", "trainer.precision=32-true"))
    many = evaluate(configuration(smoke_run, tmp_path, "batch_size=8", "trainer.precision=32-true"))
    assert one == pytest.approx(many, abs=1e-6)


def test_other_data_is_scored_at_its_own_size(smoke_run: Path, tmp_path: Path, photographs: Path) -> None:
    overrides = ["data=folder", f"data.root={photographs}", "part=all", "data.mask_suffix=_segmentation"]
    results = evaluate(configuration(smoke_run, tmp_path, *overrides))
    assert 0 <= results["test/dice"] <= 1


def test_an_unknown_part_is_refused(smoke_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="part is tset"):
        evaluate(configuration(smoke_run, tmp_path, "part=tset"))


@pytest.fixture
def own_run(compose: Compose, draw_pairs: Any, tmp_path: Path) -> tuple[Path, Path]:
    """The folder of a run on a user's own, unpublished images, and the folder of the images."""
    root = draw_pairs(tmp_path / "data", {f"{number:02d}": number for number in range(12)})
    overrides = ["model=unet_small", "model.base_channels=4", "image_size=32", "batch_size=4", "num_workers=0"]
    overrides += ["trainer.max_epochs=1", "callbacks.learning_rate_monitor=null", "callbacks.sample_masks=null"]
    cfg = compose([*overrides, "logger=csv", "data=folder", f"data.root={root}", "data.test_share=0.25"])
    cfg.run_dir = str(tmp_path / "run")
    train(cfg)
    return tmp_path / "run", root


def test_the_split_that_was_trained_is_scored_even_if_it_would_now_be_cut_otherwise(
    own_run: tuple[Path, Path], draw_pairs: Any, tmp_path: Path
) -> None:
    run, root = own_run
    trained = json.loads((run / "metrics.json").read_text())
    draw_pairs(root, {f"0{number:02d}": number for number in range(100, 120)})
    assert evaluate(configuration(run, tmp_path / "again")) == {
        name: value for name, value in trained.items() if name.startswith("test/")
    }


def test_images_of_the_split_that_are_gone_are_named(own_run: tuple[Path, Path], tmp_path: Path) -> None:
    run, root = own_run
    for id_ in json.loads((run / "split.json").read_text())["parts"]["test"][:2]:
        (root / "images" / f"{id_}.png").unlink()
        (root / "masks" / f"{id_}.png").unlink()
    with pytest.raises(InputError, match="images that the data no longer have; give data=") as error:
        evaluate(configuration(run, tmp_path / "again"))
    assert str(error.value).count("\n  - ") == 2


def test_scoring_what_was_trained_on_is_warned_of_when_it_comes_as_other_data(
    own_run: tuple[Path, Path], draw_pairs: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, root = own_run
    trained_on = json.loads((run / "split.json").read_text())["parts"]["train"]
    evaluate(configuration(run, tmp_path / "1", "data=folder", f"data.root={root}", "part=all"))
    assert (
        f"{len(trained_on)} of 12 scored images have the names of images this checkpoint was trained on" in caplog.text
    )
    caplog.clear()
    other = draw_pairs(tmp_path / "other", {"x": 50, "y": 51, "z": 52})
    evaluate(configuration(run, tmp_path / "2", "data=folder", f"data.root={other}", "part=all"))
    evaluate(configuration(run, tmp_path / "3"))
    assert "trained on" not in caplog.text
