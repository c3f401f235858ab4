"""The data doctor as a user meets it: exit codes, table, check.json and check.html."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REAL = Path(os.environ.get("LESIONSEG_ISIC2017", Path(__file__).parents[2] / "shared" / "data" / "isic2017_256"))


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lesionseg.check_data", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "HYDRA_FULL_ERROR"} | {"COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


def report(folder: Path) -> dict[str, object]:
    (path,) = folder.glob("logs/check_data/*/check.json")
    assert path.with_suffix(".html").is_file()
    contents: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return contents


def test_good_data_end_with_0(tmp_path: Path, photographs: Path) -> None:
    done = run(tmp_path, "data=folder", f"data.root={photographs}", "data.mask_suffix=_segmentation")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "check.html" in done.stdout
    assert report(tmp_path)["counts"] == {"error": 0, "warning": 1, "note": 0}  # a part of under 10 images


def test_bad_data_end_with_1_and_say_why(tmp_path: Path, photographs: Path) -> None:
    root = Path(shutil.copytree(photographs, tmp_path / "photographs"))
    (root / "masks" / "photo 3_segmentation.png").unlink()
    done = run(tmp_path, "data=folder", f"data.root={root}")
    assert done.returncode == 1
    assert "7 pairs in" in done.stdout
    assert "same name + '_segmentation'" in done.stdout
    assert "image without a mask" in done.stdout
    findings = report(tmp_path)["findings"]
    assert isinstance(findings, list)
    assert {"kind": "image_without_mask", "severity": "error"}.items() <= findings[0].items()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["data", "isic2017"]),
        (["data=isic2017", "data.root=nowhere"], ["nowhere", "lesionseg.download"]),
        (["data=folder", "data.rot=x"], ["rot", "root"]),
        (["data=folder", "data.root=.", "data.mask_pattern={nam}_mask.*"], ["{nam}_mask.*", "{name}"]),
    ],
)
def test_a_mistake_ends_with_2(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)


def test_drawn_data_can_be_checked_too(tmp_path: Path) -> None:
    done = run(tmp_path, "data=synthetic", "image_size=64", "data.train=12", "data.validation=10", "data.test=10")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real ISIC 2017 is not at {REAL}; set LESIONSEG_ISIC2017")
def test_the_real_near_duplicates_are_found(tmp_path: Path) -> None:
    """The pairs that the data's own description names."""
    done = run(tmp_path, "data=isic2017", f"data.root={REAL}")
    assert done.returncode == 1
    findings = report(tmp_path)["findings"]
    assert isinstance(findings, list)
    pairs = {frozenset(finding["ids"]) for finding in findings if "copy" in finding["kind"]}
    named = ("12970 12127", "12290 13594", "12672 12673", "12756 13184")
    assert {frozenset(f"ISIC_00{number}" for number in pair.split()) for pair in named} <= pairs
    assert {finding["kind"] for finding in findings if finding["severity"] == "error"} == {
        "copy_in_other_part",
        "near_copy_in_other_part",
    }
