from collections.abc import Callable
from pathlib import Path

import pytest
from omegaconf import DictConfig
from PIL import Image

from lesionseg.benchmarking import reading as module
from lesionseg.benchmarking.reading import draw_photographs, folder_works
from lesionseg.benchmarking.subject import build_subject, subject_settings
from lesionseg.benchmarking.timing import Speed, Work, measure
from lesionseg.errors import InputError

Composed = Callable[..., DictConfig]


def test_every_call_predicts_every_photograph(
    composed: Composed, photographs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = []
    original = module.predict_folder
    monkeypatch.setattr(module, "predict_folder", lambda cfg: outcomes.append(original(cfg)) or outcomes[-1])
    cfg = composed(f"photographs={photographs / 'images'}")
    with folder_works(cfg, build_subject(subject_settings(cfg)[0])) as (prediction, decoding):
        assert isinstance(prediction, Work)
        prediction.call()
        prediction.call()
        speeds = measure([prediction, decoding], rounds=1, seconds=0.001)
    assert [(outcome.predicted, outcome.skipped) for outcome in outcomes] == [(8, 0)] * 5
    assert [speed.row.way for speed in speeds] == ["prediction", "decoding alone"]
    assert speeds[1].row.is_limit
    assert prediction.images == 8
    assert capsys.readouterr().out == ""


def test_a_checkpoint_is_predicted_with(composed: Composed, photographs: Path, smoke_run: Path) -> None:
    cfg = composed(f"photographs={photographs / 'images'}", f"checkpoint={smoke_run / 'checkpoints' / 'best.ckpt'}")
    with folder_works(cfg, build_subject(subject_settings(cfg)[0])) as (prediction, _):
        assert isinstance(prediction, Work)
        prediction.call()


def test_an_unreadable_photograph_is_named(composed: Composed, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    cfg = composed(f"photographs={tmp_path / 'photos'}")
    with folder_works(cfg, build_subject(subject_settings(cfg)[0])) as (prediction, _):
        assert isinstance(prediction, Work)
        with pytest.raises(InputError, match=r"(?s)take them out.*bad\.png"):
            prediction.call()


def test_a_network_of_which_no_checkpoint_opens_says_why(composed: Composed, photographs: Path) -> None:
    cfg = composed(f"photographs={photographs / 'images'}")
    cfg.model = {"_target_": "torch.nn.MaxPool2d", "kernel_size": 1}
    with folder_works(cfg, build_subject(subject_settings(cfg)[0])) as (prediction, decoding):
        assert isinstance(prediction, Speed)
        assert prediction.missing is not None
        assert "MaxPool2d" in prediction.missing
        assert isinstance(decoding, Work)


def test_photographs_are_drawn_where_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WIDTH", 96)
    monkeypatch.setattr(module, "HEIGHT", 72)
    monkeypatch.setattr(module, "DISTINCT", 2)
    monkeypatch.setattr(module, "FILES", 5)
    draw_photographs(tmp_path / "new", seed=1)
    files = sorted((tmp_path / "new").iterdir())
    assert len(files) == 5
    assert all((image.format, image.size) == ("JPEG", (96, 72)) for image in map(Image.open, files))
    assert files[0].read_bytes() == files[4].read_bytes() != files[1].read_bytes()
