"""Two folders of masks either fit together, or everything that does not is said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.errors import InputError
from lesionseg.evaluation.mask_folders import pair_masks, read_decision


def save(path: Path, *, size: tuple[int, int] = (6, 4), value: int = 255, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grey = np.zeros(size[::-1], np.uint8)
    grey[1:3, 1:3] = value
    Image.fromarray(grey).convert(mode).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for stem in ("a", "b", "c"):
        save(tmp_path / "predictions" / f"{stem}.png")
        save(tmp_path / "truth" / f"{stem}_segmentation.png")
    return tmp_path / "predictions", tmp_path / "truth"


def faults_of(folders: tuple[Path, Path], images: Path | None = None) -> list[str]:
    return pair_masks(*folders, images, prediction_suffix=None, truth_suffix=None)[1]


def test_known_suffixes_are_found_out(folders: tuple[Path, Path]) -> None:
    pairs, faults = pair_masks(*folders, None, prediction_suffix=None, truth_suffix=None)
    assert [pair.id for pair in pairs] == ["a", "b", "c"]
    assert faults == []


@pytest.mark.parametrize(
    ("prediction", "truth"),
    [
        ("{}_pred", "{}_ground_truth"),
        ("mask_{}", "{}-Mask"),
        ("{}", "{}_lesion"),
        ("lesion_{}", "lesion_{}_GT"),
        ("le\u0301sion {}", "l\u00e9sion {}"),
    ],
)
def test_what_masks_have_around_their_names_is_found_out(tmp_path: Path, prediction: str, truth: str) -> None:
    for number in range(3):
        save(tmp_path / "predictions" / f"{prediction.format(number)}.png")
        save(tmp_path / "truth" / f"{truth.format(number)}.png")
    pairs, faults = pair_masks(
        tmp_path / "predictions", tmp_path / "truth", None, prediction_suffix=None, truth_suffix=None
    )
    assert len(pairs) == 3
    assert faults == []


def test_any_suffix_can_be_given(tmp_path: Path) -> None:
    save(tmp_path / "predictions" / "a-net.png")
    save(tmp_path / "truth" / "a-expert.png")
    folders = tmp_path / "predictions", tmp_path / "truth"
    pairs, _ = pair_masks(*folders, None, prediction_suffix="-net", truth_suffix="-expert")
    assert [pair.id for pair in pairs] == ["a"]


def test_a_single_mask_without_the_suffix_keeps_all_names_whole(folders: tuple[Path, Path]) -> None:
    save(folders[1] / "d.png")
    assert "a_segmentation: the ground truth has no prediction" in faults_of(folders)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda p, t: (p / "a.png").unlink(), "a: the ground truth has no prediction"),
        (lambda p, t: save(p / "d.png"), "d.png: no ground truth for it"),
        (lambda p, t: save(p / "b.png", size=(7, 4)), "is 7 x 4 pixels, its ground truth 6 x 4"),
        (lambda p, t: save(p / "b.png", mode="RGB"), "has mode RGB; allowed: one channel"),
        (lambda p, t: ((p / "b.png").unlink(), save(p / "b.jpg")), "b.jpg: is a JPEG"),
        (lambda p, t: (save(p / "x.jpg"), (p / "x.jpg").replace(p / "b.png")), "b.png: is a JPEG"),
        (lambda p, t: (p / "c.png").write_bytes(b"\x89PNG"), "c.png: cannot be read as an image"),
        (lambda p, t: save(p / "a.bmp"), "a.bmp and a.png"),
    ],
)
def test_each_fault_is_found_alone(folders: tuple[Path, Path], spoil: object, expected: str) -> None:
    spoil(*folders)  # type: ignore[operator]
    faults = faults_of(folders)
    assert len(faults) == 1
    assert expected in faults[0]


def test_all_faults_are_listed_together(folders: tuple[Path, Path]) -> None:
    (folders[0] / "a.png").unlink()
    save(folders[0] / "b.png", size=(9, 9))
    save(folders[0] / "d.png")
    assert len(faults_of(folders)) == 3


def test_a_photograph_is_missed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for stem in ("a", "b"):
        save(tmp_path / "images" / f"{stem}.jpg", mode="RGB")
    assert faults_of(folders, tmp_path / "images") == [f"c: no photograph in {tmp_path / 'images'}"]


def test_missing_and_empty_folders_are_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        faults_of((tmp_path / "nowhere", folders[1]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no image files"):
        faults_of((tmp_path / "empty", folders[1]))


def test_masks_of_0_and_1_are_not_taken_for_empty(tmp_path: Path) -> None:
    save(tmp_path / "a.png", value=1)
    with pytest.raises(InputError, match=r"holds 0 and 1.*set prediction_above=0"):
        read_decision(tmp_path / "a.png", 128, "prediction_above")
    assert read_decision(tmp_path / "a.png", 0, "prediction_above").sum() == 4


def test_an_empty_mask_is_a_mask(tmp_path: Path) -> None:
    save(tmp_path / "a.png", value=0)
    assert read_decision(tmp_path / "a.png", 128, "prediction_above").sum() == 0
