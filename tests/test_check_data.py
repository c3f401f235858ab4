"""The data doctor from the command line: exit codes, tables, check.json, check.html and the repaired copy."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionseg.check_data import main
from lesionseg.config.launch import FULL_ERROR
from lesionseg.data.published import ISIC2017_FOLDERS

REAL = Path(os.environ.get("LESIONSEG_ISIC2017", Path(__file__).parents[2] / "shared" / "data" / "isic2017_256"))
NAMED = ("12970 12127", "12290 13594", "12672 12673", "12756 13184")
RECOLOURED = ("14946 00157", "15124 00171", "15313 00215")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the verb in this process, in a folder of the test's own; returns the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FULL_ERROR, "0")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["check_data", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
        assert isinstance(ending.value.code, int)
        return ending.value.code

    return run


def report(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("logs/check_data/*/check.json")
    assert path.with_suffix(".html").is_file()
    contents: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return contents


def test_good_data_end_with_0(run: Callable[..., int], tmp_path: Path, photographs: Path, capsys: Any) -> None:
    assert run("data=folder", f"data.root={photographs}", "data.mask_suffix=_segmentation") == 0
    assert "check.html" in capsys.readouterr().out
    assert report(tmp_path)["counts"] == {"error": 0, "warning": 1, "note": 0}  # a part of under 10 images


def test_bad_data_end_with_1_and_say_why(
    run: Callable[..., int], tmp_path: Path, photographs: Path, capsys: Any
) -> None:
    root = Path(shutil.copytree(photographs, tmp_path / "photographs"))
    (root / "masks" / "photo 3_segmentation.png").unlink()
    assert run("data=folder", f"data.root={root}") == 1
    printed = capsys.readouterr().out
    for words in ("7 pairs in", "same name + '_segmentation'", "image without a mask", "with fix=FOLDER"):
        assert words in printed
    assert {"kind": "image_without_mask", "severity": "error"}.items() <= report(tmp_path)["findings"][0].items()


def test_the_copy_is_examined_and_its_command_named(
    run: Callable[..., int], tmp_path: Path, draw_pairs: Callable[..., Path], capsys: Any
) -> None:
    root = draw_pairs(tmp_path / "my data", {f"{n:02d}": n for n in range(12)})
    levels = np.zeros((64, 64), np.uint8)
    levels[20:40, 20:40] = 255
    Image.fromarray(levels).save(root / "masks" / "03.jpg")
    (root / "masks" / "03.png").unlink()
    (root / "masks" / "04.png").write_bytes(b"no image")
    assert run("data=folder", f"data.root='{root}'", f"fix='{tmp_path / 'my copy'}'") == 0
    assert report(tmp_path)["counts"] == {"error": 2, "warning": 0, "note": 0}
    printed = capsys.readouterr().out
    assert f"{tmp_path / 'my copy'}: 10 pairs as they were, 1 repaired; 1 left out" in printed
    assert "its own check  0 errors, 0 warnings, 0 notes" in printed
    assert f"train data=folder data.root='{tmp_path / 'my copy'}'" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["data", "isic2017"]),
        (["data=isic2017", "data.root=nowhere"], ["nowhere", "lesionseg.download"]),
        (["data=folder", "data.rot=x"], ["rot", "root"]),
        (["data=folder", "data.root=.", "data.mask_pattern={nam}_mask.*"], ["{nam}_mask.*", "{name}"]),
        (["data=folder", "data.root=.", "fix=fixed"], ["lies in the data"]),
    ],
)
def test_a_mistake_ends_with_2_and_examines_nothing(
    run: Callable[..., int], arguments: list[str], words: list[str], capsys: Any
) -> None:
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert all(word in captured.err for word in words)
    assert "findings" not in captured.out


def test_drawn_data_can_be_checked_too(run: Callable[..., int]) -> None:
    assert run("data=synthetic", "image_size=64", "data.train=12", "data.validation=10", "data.test=10") == 0


@pytest.fixture
def some_of_isic2017(tmp_path: Path) -> Path:
    """Every fortieth picture of the real ISIC 2017, and those that are named as copies of one another."""
    copies = {word for pair in (*NAMED, *RECOLOURED) for word in pair.split()}
    for names in ISIC2017_FOLDERS.values():
        for folder in (REAL / name for name in names if (REAL / name).is_dir()):
            (tmp_path / "some" / folder.name).mkdir(parents=True)
            for number, path in enumerate(sorted(folder.iterdir())):
                if number % 40 == 0 or path.stem.removeprefix("ISIC_00").removesuffix("_segmentation") in copies:
                    (tmp_path / "some" / folder.name / path.name).symlink_to(path)
    return tmp_path / "some"


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real ISIC 2017 is not at {REAL}; set LESIONSEG_ISIC2017")
def test_the_real_near_duplicates_are_found(run: Callable[..., int], some_of_isic2017: Path, tmp_path: Path) -> None:
    """The data's own description names these pairs."""
    assert run("data=isic2017", f"data.root={some_of_isic2017}") == 1
    findings = report(tmp_path)["findings"]
    pairs = {frozenset(finding["ids"]) for finding in findings if "copy" in finding["kind"]}
    assert {frozenset(f"ISIC_00{number}" for number in pair.split()) for pair in NAMED} <= pairs
    assert {finding["kind"] for finding in findings if finding["severity"] == "error"} == {
        "copy_in_other_part",
        "near_copy_in_other_part",
        "missing_official_pairs",
    }
