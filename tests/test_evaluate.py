"""Opening a best checkpoint again, on its own data and on others."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pytest
import torch
from omegaconf import DictConfig
from PIL import Image
from scipy import ndimage

import lesionseg
from lesionseg.checkpoint.engine import CheckpointEngine
from lesionseg.checkpoint.lightning_io import store_postprocessing
from lesionseg.checkpoint.reading import read
from lesionseg.checkpoint.rebuild import source_of
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.cache import PixelCache
from lesionseg.data.loader import LesionDataset, collate
from lesionseg.data.split import own_samples
from lesionseg.errors import InputError
from lesionseg.evaluate import evaluate
from lesionseg.metrics.formula_metric import metric_collection
from lesionseg.metrics.jaccard import Jaccard
from lesionseg.postprocessing.postprocessing import Postprocessing
from lesionseg.train import train
from lesionseg.training.module import SegmentationModule
from lesionseg.training.testing import open_tested

pytestmark = pytest.mark.usefixtures("no_figures")


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


def test_other_data_is_scored_at_its_own_size(
    smoke_run: Path, tmp_path: Path, photographs: Path, caplog: pytest.LogCaptureFixture
) -> None:
    overrides = ["data=folder", f"data.root={photographs}", "part=all", "data.mask_suffix=_segmentation"]
    results = evaluate(configuration(smoke_run, tmp_path, *overrides))
    assert 0 <= results["test/dice"] <= 1
    assert "has never seen a photograph" in caplog.text  # the smoke run trains on drawn images


@pytest.fixture
def decided_run(smoke_run: Path, tmp_path: Path) -> Path:
    """The smoke run, as if a threshold that cuts every mask to pieces had been fitted, with both changes of regions."""
    target = tmp_path / "decided" / "checkpoints" / "best.ckpt"
    target.parent.mkdir(parents=True)
    target.write_bytes((smoke_run / "checkpoints" / "best.ckpt").read_bytes())
    checkpoint = read(target)
    samples = own_samples(source_of(checkpoint), "test", checkpoint["lesionseg"]["split"])
    images = np.stack([sample.read_resized(64).image for sample in samples])
    probability = CheckpointEngine(target, device="cpu", precision="fp32").probability(images)
    settings = {"threshold": float(np.median(probability)), "largest_component": True, "fill_holes": True}
    store_postprocessing(target, {"settings": settings | {"views": "flips"}, "images": 8})
    return target.parents[1]


def test_the_stored_decision_is_used_and_can_be_left_out(smoke_run: Path, decided_run: Path, tmp_path: Path) -> None:
    without = json.loads((smoke_run / "metrics.json").read_text())
    stored = evaluate(configuration(decided_run, tmp_path))
    assert stored["test/jaccard"] > without["test/jaccard"]
    facts = json.loads((tmp_path / "summary.json").read_text())["facts"]
    assert facts["decision"] == "as fitted on the validation part"
    assert "three flips" in facts["fitted decision"]
    assert "only the largest region is kept; holes are filled" in (tmp_path / "model_card.md").read_text()
    plain = open_tested(decided_run / "checkpoints" / "best.ckpt", accelerator="cpu", postprocessing="plain")
    assert plain.segmenter.postprocessing == Postprocessing(threshold=0.5)
    assert not plain.is_fitted


def test_what_is_scored_is_what_is_predicted(decided_run: Path) -> None:
    path = decided_run / "checkpoints" / "best.ckpt"
    checkpoint = read(path)
    model = open_tested(path, accelerator="cpu", postprocessing="stored")
    module = SegmentationModule(model.segmenter, metrics=metric_collection({"jaccard": Jaccard()}))
    samples = own_samples(source_of(checkpoint), "test", checkpoint["lesionseg"]["split"])
    dataset = LesionDataset(PixelCache(samples, 64), range(len(samples)), augment=None, full_size_masks=True)
    with torch.inference_mode():
        scored = module.test_step(collate([dataset[index, 0] for index in range(len(samples))]), 0)["mask"]
    predictor = lesionseg.load(path, device="cpu", precision="fp32")
    for mask, sample in zip(scored, samples, strict=True):
        predicted = predictor.predict(sample.image())
        assert predicted.any()
        assert np.mean(predicted != mask.numpy()) < 1e-3  # the two interpolate alike but for rounding
        assert ndimage.label(predicted)[1] == ndimage.label(mask.numpy())[1] == 1


def test_another_decision_is_refused(smoke_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="postprocessing is best; allowed: stored, plain"):
        evaluate(configuration(smoke_run, tmp_path, "postprocessing=best"))


def test_an_exported_model_cannot_go_back(exported: Callable[[str], Path], smoke_run: Path, tmp_path: Path) -> None:
    given = ["postprocessing=plain", f"checkpoint={exported('onnx')}"]
    with pytest.raises(InputError, match="has its post-processing inside; postprocessing=plain needs the checkpoint"):
        evaluate(configuration(smoke_run, tmp_path, *given))


def test_an_unknown_part_is_refused(smoke_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="part is tset"):
        evaluate(configuration(smoke_run, tmp_path, "part=tset"))


@pytest.fixture(scope="module")
def trained(draw_pairs: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """The folder of a run on a user's own, unpublished images, the folder of the images, and a copy of that."""
    root = draw_pairs(tmp_path_factory.mktemp("own") / "data", {f"{number:02d}": number for number in range(12)})
    run, copy = root.parent / "run", root.parent / "copy"
    shutil.copytree(root, copy)
    overrides = ["model=unet_small", "model.base_channels=4", "image_size=32", "batch_size=4", "num_workers=0"]
    overrides += ["trainer.max_epochs=1", "min_train_batches=1", "callbacks=[checkpoint,last_checkpoint]"]
    overrides += ["logger=csv", "data=folder", f"data.root={root}", "data.test_share=0.25", f"run_dir={run}"]
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        train(hydra.compose("train", overrides=overrides))
    return run, root, copy


@pytest.fixture
def own_run(trained: tuple[Path, Path, Path]) -> Iterator[tuple[Path, Path]]:
    """The folder of the run, and that of its images, which a test may change."""
    run, root, copy = trained
    yield run, root
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(copy, root)


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
    assert "never seen" not in caplog.text


def test_recoloured_and_turned_training_images_are_recognised_under_other_names(
    own_run: tuple[Path, Path], draw_pairs: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The training images are not needed for it: the checkpoint knows what they looked like."""
    run, root = own_run
    trained = read(run / "checkpoints" / "best.ckpt")["lesionseg"]["split"]["parts"]["train"][:2]
    others = draw_pairs(tmp_path / "others", {f"new_{seed}": 900 + seed for seed in range(4)}, size=64)
    for number, id_ in enumerate(trained):
        for kind in ("images", "masks"):
            pixels = np.rot90(np.asarray(Image.open(root / kind / f"{id_}.png")), number)
            changed = np.clip(pixels * 0.8 + 20, 0, 255).astype(np.uint8) if kind == "images" else pixels
            Image.fromarray(changed).save(others / kind / f"copy_{number}.png")
    shutil.rmtree(root)
    evaluate(configuration(run, tmp_path / "again", "data=folder", f"data.root={others}", "part=all"))
    summary = json.loads((tmp_path / "again" / "summary.json").read_text())
    assert [pair["id"] for pair in summary["known_images"]] == ["copy_0", "copy_1"]
    assert [pair["other"] for pair in summary["known_images"]] == trained
    assert "2 of 6 images look like images" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name in ("report.html", "model_card.md"):
        assert "2 of 6 images look like images that the model was trained on" in (tmp_path / "again" / name).read_text()
