"""What training says of masks that the doctor would call wrong."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.cache import DiskCache, open_cache
from lesionseg.data.check import diagnosis
from lesionseg.data.check.diagnosis import warn_of_masks
from lesionseg.data.folder import Folder

Draw = Callable[..., Path]
Source = Callable[..., Folder]
SETTINGS: dict[str, Any] = {"_target_": "lesionseg.data.folder.Folder", "root": "my data", "mask_suffix": "_m"}
COMMAND = "python -m lesionseg.check_data data=folder data.root='my data' data.mask_suffix=_m"


@pytest.fixture
def root(tmp_path: Path, draw_pairs: Draw) -> Path:
    """Seven pairs; the mask of `g` keeps clear of the edges."""
    root = draw_pairs(tmp_path / "data", {name: seed for seed, name in enumerate("abcdefg")})
    levels = np.zeros((64, 64), np.uint8)
    levels[8:56, 8:56] = 255
    Image.fromarray(levels).save(root / "masks" / "g.png")
    return root


def said(source: Folder, cache: str, folder: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    samples = source.listing().samples()
    opened = open_cache(cache, samples, 32, folder)  # type: ignore[arg-type]
    opened.prepare(range(len(samples)))
    with caplog.at_level(logging.WARNING):
        warn_of_masks(opened, SETTINGS)
    return caplog.messages


def test_nothing_is_said_of_good_masks(
    root: Path, folder_source: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(folder_source(root), "disk", tmp_path / "cache", caplog) == []


@pytest.mark.parametrize("cache", ["disk", "memory", "none"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            lambda levels: (255 - levels if levels.mean() < 160 and levels.mean() > 100 else levels, ".png"),
            "exchanged: 1 (g)",
        ),
        (lambda levels: (levels, ".jpg"), "JPEG: 7 (a, b, c, ...)"),
        (lambda levels: (np.where(levels > 0, levels - np.arange(64) // 8, 0), ".png"), "more than two levels: 6 (a,"),
    ],
)
def test_what_the_doctor_calls_an_error_is_said_in_a_line_with_its_command(
    root: Path,
    folder_source: Source,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    cache: str,
    spoil: Callable[[np.ndarray], tuple[np.ndarray, str]],
    words: str,
) -> None:
    for path in sorted((root / "masks").iterdir()):
        levels, suffix = spoil(np.asarray(Image.open(path)).astype(int))
        path.unlink()
        Image.fromarray(levels.astype(np.uint8)).save(path.with_suffix(suffix))
    (line,) = said(folder_source(root), cache, tmp_path / "cache", caplog)
    assert words in line
    assert line.endswith(COMMAND)
    assert "\n" not in line


def test_a_cache_that_is_filled_is_asked_and_no_file(
    root: Path,
    folder_source: Source,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    levels = np.asarray(Image.open(root / "masks" / "g.png"))
    Image.fromarray(255 - levels).save(root / "masks" / "g.png")
    said(folder_source(root), "disk", tmp_path / "cache", caplog)
    monkeypatch.setattr(diagnosis, "examine_mask", lambda path: pytest.fail(f"{path} is read again"))
    monkeypatch.setattr(DiskCache, "__getitem__", lambda self, row: pytest.fail(f"row {row} is looked at again"))
    first, second = said(folder_source(root), "disk", tmp_path / "cache", caplog)
    assert first == second


def test_of_many_masks_a_sample_is_read(
    root: Path,
    folder_source: Source,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    examine = diagnosis.examine_mask
    monkeypatch.setattr(diagnosis, "examine_mask", lambda path: read.append(path.stem) or examine(path))
    monkeypatch.setattr(diagnosis, "LOOKED_INTO", 3)
    said(folder_source(root), "memory", tmp_path, caplog)
    assert read == ["a", "d", "g"]
