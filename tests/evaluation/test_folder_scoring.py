"""Two folders of masks are scored without a model and without torch."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import hydra
import numpy as np
import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data.masks import encode_grey_png
from lesionseg.data.synthetic_image import draw_dermoscopy
from lesionseg.errors import InputError
from lesionseg.evaluate import evaluate
from lesionseg.evaluation.folder_scoring import score_folders

COUNT = 6
Evaluate = Callable[[Sequence[str]], dict[str, float]]


@pytest.fixture(scope="module")
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """images/, truth/ and predictions/: the first prediction is empty, the others are the truth shifted by 3 pixels."""
    root = tmp_path_factory.mktemp("masks")
    for kind in ("images", "truth", "predictions"):
        (root / kind).mkdir()
    for number in range(COUNT):
        image, mask = draw_dermoscopy(number, 96)
        predicted = np.roll(mask, 3, axis=1) if number else np.zeros_like(mask)
        Image.fromarray(image).save(root / "images" / f"im{number}.jpg")
        Image.fromarray(mask * 255).save(root / "truth" / f"im{number}_segmentation.png")
        Image.fromarray(predicted * 255).save(root / "predictions" / f"im{number}.png")
    return root


def configuration(masks: Path, folder: Path, overrides: Sequence[str] = ()) -> DictConfig:
    register_schemas()
    given = [f"predictions={masks / 'predictions'}", f"truth={masks / 'truth'}", f"run_dir={folder}"]
    given += ["evaluation.resamples=200", *overrides]
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose("evaluate", overrides=given)


@pytest.fixture(scope="module")
def scored(masks: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, float], Path]:
    folder = tmp_path_factory.mktemp("scored")
    table = masks / "patients.csv"
    table.write_text("image_id,sex\n" + "".join(f"im{n},{'f' if n % 2 else 'm'}\n" for n in range(COUNT)))
    overrides = [f"images={masks / 'images'}", f"evaluation.metadata={table}"]
    return evaluate(configuration(masks, folder, overrides)), folder


def test_the_means_are_those_of_the_images(scored: tuple[dict[str, float], Path]) -> None:
    results, folder = scored
    with (folder / "per_image.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    for name in ("dice", "jaccard", "hd95", "boundary_f1"):
        assert results[f"test/{name}"] == pytest.approx(np.mean([float(row[name]) for row in rows]), abs=1e-12)


def test_a_missed_lesion_costs_the_diagonal_and_is_counted(scored: tuple[dict[str, float], Path]) -> None:
    with (scored[1] / "per_image.csv").open() as file:
        first = next(iter(csv.DictReader(file)))
    assert (first["missed"], float(first["dice"]), float(first["hd95"])) == ("1", 0.0, 100.0)
    assert float(first["hd95_px"]) == pytest.approx(96 * 2**0.5)
    assert json.loads((scored[1] / "summary.json").read_text())["missed"] == 1


def test_every_file_is_there(scored: tuple[dict[str, float], Path]) -> None:
    names = {path.name for path in scored[1].iterdir()}
    assert {"report.html", "summary.json", "per_image.csv", "table.md", "table.tex", "model_card.md"} <= names
    figures = {path.stem for path in (scored[1] / "figures").glob("*.png")}
    assert {"confusion_matrix", "distributions", "strata"} <= figures
    assert figures == {path.stem for path in (scored[1] / "figures").glob("*.pdf")}


def test_a_table_makes_strata(scored: tuple[dict[str, float], Path]) -> None:
    strata = {s["name"]: s["groups"] for s in json.loads((scored[1] / "summary.json").read_text())["strata"]}
    assert [(group["label"], group["images"]) for group in strata["sex"]] == [("f", 3), ("m", 3)]
    assert {"lesion size", "touches the border", "contrast"} <= strata.keys()


def test_the_same_masks_give_the_same_scores(masks: Path, tmp_path: Path) -> None:
    (first, images), (second, again) = (score_folders(configuration(masks, tmp_path)) for _ in range(2))
    assert images == again
    assert first.metrics == second.metrics


def test_wrong_files_are_listed_together_and_nothing_is_written(masks: Path, tmp_path: Path) -> None:
    Image.new("L", (5, 5)).save(masks / "predictions" / "extra.png")
    try:
        with pytest.raises(InputError, match="no ground truth for it"):
            evaluate(configuration(masks, tmp_path / "run"))
    finally:
        (masks / "predictions" / "extra.png").unlink()
    assert not (tmp_path / "run").exists()


def test_masks_of_0_and_1_are_refused_unless_said(masks: Path, tmp_path: Path) -> None:
    for path in (masks / "predictions").iterdir():
        grey = np.asarray(Image.open(path)) // 255
        (tmp_path / "ones").mkdir(exist_ok=True)
        Image.fromarray(grey).save(tmp_path / "ones" / path.name)
    ones = f"predictions={tmp_path / 'ones'}"
    with pytest.raises(InputError, match="set prediction_above=0"):
        evaluate(configuration(masks, tmp_path / "run", [ones]))
    assert not (tmp_path / "run").exists()
    as_said, _ = score_folders(configuration(masks, tmp_path, [ones, "prediction_above=0"]))
    assert as_said.metrics == score_folders(configuration(masks, tmp_path))[0].metrics


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("evaluation.resamples=many", "resamples is 'many'"),
        ("evaluation.resamples=3", "allowed: at least 100"),
        ("+evaluation.resample=300", "did you mean resamples"),
        ("evaluation.boundary_tolerance=0", "allowed: above 0"),
        ("evaluation.metadata=nowhere.csv", "nowhere.csv"),
        ("prediction_above=255", "allowed: at most 254"),
        ("truth_above=-1", "allowed: at least 0"),
        ("evaluation.seed=99999999999999999999", "allowed: at most 4294967295"),
        ("evaluation.picture_size=1000000", "allowed: at most 10000"),
        ("truth=null", "needs truth=FOLDER"),
        ("checkpoint=best.ckpt", "give either checkpoint=FILE"),
    ],
)
def test_wrong_settings_are_refused(masks: Path, tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate(configuration(masks, tmp_path / "run", [override]))


def test_masks_are_scored_without_torch(masks: Path, tmp_path: Path) -> None:
    program = "import sys; from lesionseg.evaluate import main; main(); sys.exit('torch' in sys.modules)"
    command = [sys.executable, "-c", program, f"predictions={masks / 'predictions'}", f"truth={masks / 'truth'}"]
    command += [f"hydra.run.dir={tmp_path / 'run'}", "evaluation.resamples=200"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "threshold Jaccard" in done.stdout


def turned_masks(root: Path, orientation: int) -> Path:
    """Photographs and predictions whose square pixels lie as a camera stores them, with EXIF; ground truth without."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("images", "truth", "predictions"):
        (root / kind).mkdir(parents=True)
    for number in range(2):
        image, mask = draw_dermoscopy(number, 80)
        predicted = np.ascontiguousarray(np.roll(mask, 3, axis=1) * np.uint8(255))
        Image.fromarray(image).save(root / "images" / f"{number}.png", exif=exif)
        (root / "predictions" / f"{number}.png").write_bytes(encode_grey_png(predicted, orientation=orientation))
        Image.fromarray(mask * np.uint8(255)).save(root / "truth" / f"{number}.png")
    return root


def test_predictions_with_exif_are_scored_as_stored_like_the_challenge_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = []
    for orientation in (1, 6):
        assert "EXIF orientation" not in caplog.text
        root = turned_masks(tmp_path / str(orientation), orientation)
        summary, images = score_folders(configuration(root, tmp_path, [f"images={root / 'images'}"]))
        rows.append([(image.scores, image.traits, image.strata) for image in images])
    assert rows[0] == rows[1]
    for image in images:
        files = (root / kind / f"{image.id}.png" for kind in ("truth", "predictions"))
        truth, found = (np.asarray(Image.open(file)) > 128 for file in files)
        assert image.scores["jaccard"] == pytest.approx((truth & found).sum() / (truth | found).sum())
    assert "2 predictions whose EXIF orientation is not their ground truth's (0: 6 and 1, 1: 6 and 1)" in caplog.text
    assert "as they are stored" in summary.facts["orientation"]
