"""The command line, and what others of its verbs do with the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
import pytest
from omegaconf import DictConfig

from lesionseg.config.schema import CONF, register_schemas
from lesionseg.errors import InputError
from lesionseg.evaluate import evaluate
from lesionseg.export import export

pytestmark = pytest.mark.usefixtures("no_figures")
Exported = Callable[[str], Path]


def composed(verb: str, *overrides: str) -> DictConfig:
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        return hydra.compose(verb, overrides=list(overrides))


def configuration(run: Path, output: Path, *overrides: str) -> DictConfig:
    given = [f"checkpoint={run / 'checkpoints' / 'best.ckpt'}", f"output={output}", "compare_images=2", *overrides]
    return composed("export", *given)


def test_it_writes_one_compared_file_and_says_what_it_found(
    smoke_run: Path, tmp_path: Path, photographs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "model.pt2"
    found = export(configuration(smoke_run, output, "format=torch_export", f"images={photographs / 'images'}"))
    assert 0 <= found["largest_difference"] < 1e-5
    assert found["differing_mask_share"] == 0
    assert [path.name for path in output.parent.iterdir()] == ["model.pt2"]
    printed = capsys.readouterr().out
    assert "on 2 images of" in printed
    assert "at the network's 64 x 64 pixels: largest difference of a probability" in printed
    assert f"Wrote {output}" in printed
    assert "has never seen a photograph" in printed


def test_a_file_that_differs_too_much_is_not_kept(
    smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lesionseg.exporting import comparing, exporting

    monkeypatch.setattr(exporting, "difference", lambda *_: comparing.Difference(float("nan"), 0.0))
    with pytest.raises(SystemExit) as ended:
        export(configuration(smoke_run, tmp_path / "model.pt2", "format=torch_export"))
    assert ended.value.code == 1
    assert "no file was written" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept_unless_asked(smoke_run: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.pt2"
    output.write_text("precious")
    with pytest.raises(InputError, match=r"is there already; give output=FILE, or overwrite=true"):
        export(configuration(smoke_run, output, "format=torch_export"))
    assert output.read_text() == "precious"
    export(configuration(smoke_run, output, "format=torch_export", "overwrite=true"))
    assert output.stat().st_size > 1000


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["format=tflite"], "format is tflite; allowed: onnx, torch_export, openvino"),
        (["format=torch_export", "output=model.onnx"], r"format=torch_export is written to a file named \*\.pt2"),
        (["format=torch_export", "int8=true"], "int8=true goes with format=onnx only"),
        (["fp16=true"], "fp16=true goes with format=openvino only"),
        (["tolerance=0"], "tolerance is 0.0; allowed: above 0"),
        (["tolerance=2"], "tolerance is 2.0; allowed: at most 1"),
        (["calibration_images=99999999999999999999"], "allowed: at most 1000000"),
        (["tolerance=nan"], "tolerance is nan"),
        (["compare_images=0"], "compare_images is 0; allowed: at least 1"),
        (["checkpoint=nowhere.ckpt"], "there is no file"),
        (["format=torch_export", "images=nowhere"], "images=nowhere: there is no folder"),
    ],
)
def test_wrong_settings_are_refused(smoke_run: Path, tmp_path: Path, overrides: list[str], message: str) -> None:
    suffix = ".pt2" if "format=torch_export" in overrides else ".onnx"
    with pytest.raises(InputError, match=message):
        export(configuration(smoke_run, tmp_path / f"model{suffix}", *overrides))
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_installed_is_named(smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.exporting.exporting.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs onnx, onnxscript, onnxruntime: pip install 'lesionseg\[export\]'"):
        export(configuration(smoke_run, tmp_path / "model.onnx"))


def test_the_command_line_needs_a_checkpoint_alone(
    run_verb: Callable[..., Any], smoke_run: Path, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    (tmp_path / "best.ckpt").write_bytes((smoke_run / "checkpoints" / "best.ckpt").read_bytes())
    done = run_verb(tmp_path, "export", "checkpoint=best.ckpt")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.ckpt", "best.onnx"]
    assert done.stderr == ""
    assert done.stdout.count("\n") < 8  # and nothing of what the exporters have to say
    again = run_verb(tmp_path, "export", "checkpoint=best.ckpt")
    assert again.returncode == 2
    assert "best.onnx is there already" in again.stderr


def test_int8_is_measured_on_validation_images(
    smoke_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    found = export(configuration(smoke_run, tmp_path / "model.onnx", "int8=true", "int8_tolerance=1"))
    assert 0 <= found["dice_after"] <= 1
    printed = capsys.readouterr().out
    assert "Quantised to int8 with 16 training images; 8 validation images" in printed
    assert f"mean Dice {found['dice_before']:.4f} in float32, {found['dice_after']:.4f} in int8" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_int8_that_loses_too_much_is_not_kept(
    smoke_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from lesionseg.exporting import exporting

    values = iter([0.9, 0.8])
    monkeypatch.setattr(exporting, "mean_dice", lambda *_: next(values))
    with pytest.raises(SystemExit):
        export(configuration(smoke_run, tmp_path / "model.onnx", "int8=true"))
    assert "int8 loses 0.1000 Dice; int8_tolerance=0.01" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_int8_without_the_data_says_what_it_needs(smoke_run: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    data = ["data=folder", f"data.root={tmp_path / 'gone'}"]
    with pytest.raises(InputError, match=r"(?s)int8=true needs training images.*gone.*data\.root=FOLDER"):
        export(configuration(smoke_run, tmp_path / "model.onnx", "int8=true", *data))


# Evaluating what was exported


def evaluated(checkpoint: Path, folder: Path, photographs: Path, *overrides: str) -> dict[str, float]:
    data = ["data=folder", f"data.root={photographs}", "part=all", "data.mask_suffix=_segmentation"]
    given = [f"checkpoint={checkpoint}", f"run_dir={folder}", "num_workers=0", "trainer.precision=32-true"]
    return evaluate(composed("evaluate", *given, *data, *overrides))


@pytest.mark.parametrize("name", ["onnx", "openvino"])
def test_an_exported_file_scores_what_its_checkpoint_does(
    name: str, exported: Exported, smoke_run: Path, photographs: Path, tmp_path: Path
) -> None:
    path = exported(name)
    expected = evaluated(smoke_run / "checkpoints" / "best.ckpt", tmp_path / "checkpoint", photographs)
    found = evaluated(path, tmp_path / "exported", photographs)
    assert found == pytest.approx(expected, abs=1e-4)
    summary = json.loads((tmp_path / "exported" / "summary.json").read_text())
    assert summary["facts"]["checkpoint"] == str(path)
    assert summary["name"] == "smoke"
    assert (tmp_path / "exported" / "report.html").is_file()


def test_an_exported_file_needs_data(exported: Exported, tmp_path: Path) -> None:
    given = [f"checkpoint={exported('onnx')}", f"run_dir={tmp_path}", "num_workers=0"]
    with pytest.raises(InputError, match=r"does not know its data; give them, for example data=isic2017"):
        evaluate(composed("evaluate", *given))


def test_scoring_an_exported_file_on_what_it_was_trained_on_is_warned_of(
    exported: Exported, draw_pairs: Any, smoke_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained_on = json.loads((smoke_run / "split.json").read_text())["parts"]["train"][0].rpartition("/")[2]
    root = draw_pairs(tmp_path / "data", {trained_on: 1, "other": 2})
    given = [f"checkpoint={exported('onnx')}", f"run_dir={tmp_path}", "num_workers=0", "data=folder"]
    evaluate(composed("evaluate", *given, f"data.root={root}", "part=all"))
    assert "1 of 2 scored images have the names of images this checkpoint was trained on" in caplog.text
