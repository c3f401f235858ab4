"""Two folders of masks either fit together, or everything that does not is said."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.errors import InputError
from lesionseg.evaluation.folder_scoring import MaskPair, orientation_notes, pair_masks, read_thresholded


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
        read_thresholded(tmp_path / "a.png", 128, "prediction_above")
    assert read_thresholded(tmp_path / "a.png", 0, "prediction_above").sum() == 4


def test_an_empty_mask_is_a_mask(tmp_path: Path) -> None:
    save(tmp_path / "a.png", value=0)
    assert read_thresholded(tmp_path / "a.png", 128, "prediction_above").sum() == 0


# Which way up

STORED = np.zeros((4, 6), np.uint8)
STORED[0, :2] = 255
STORED[3, 0] = 255
TURNED = {1: STORED, 3: STORED[::-1, ::-1], 6: np.rot90(STORED, -1), 8: np.rot90(STORED)}
"""Upright as EXIF 2.32 says, by hand: 3 half a turn, 6 a quarter clockwise, 8 counter-clockwise."""


def pair_of(folder: Path, prediction: tuple[np.ndarray, int], truth: tuple[np.ndarray, int], suffix: str) -> MaskPair:
    for kind, (levels, orientation) in {"predictions": prediction, "truth": truth}.items():
        (folder / kind).mkdir()
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(levels)).save(folder / kind / f"a{suffix}", exif=exif)
    (pair,), faults = pair_masks(
        folder / "predictions", folder / "truth", None, prediction_suffix=None, truth_suffix=None
    )
    assert faults == []
    return pair


def read_both(pair: MaskPair) -> list[np.ndarray]:
    orientations = (1, 1) if pair.upright else pair.orientations
    paths = pair.prediction, pair.truth
    return [
        read_thresholded(path, 128, "", stored_as=orientation)
        for path, orientation in zip(paths, orientations, strict=True)
    ]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_masks_that_fit_as_stored_are_compared_so(tmp_path: Path, orientation: int, suffix: str) -> None:
    pair = pair_of(tmp_path, (STORED, orientation), (STORED, 1), suffix)
    assert (pair.upright, pair.orientations) == (False, (orientation, 1))
    for mask in read_both(pair):
        assert np.array_equal(mask, STORED // 255)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("orientation", [6, 8])
def test_masks_that_fit_upright_alone_are_turned(tmp_path: Path, orientation: int, suffix: str) -> None:
    pair = pair_of(tmp_path, (STORED, orientation), (TURNED[orientation], 1), suffix)
    assert (pair.upright, pair.orientations) == (True, (orientation, 1))
    for mask in read_both(pair):
        assert np.array_equal(mask, TURNED[orientation] // 255)


def test_masks_that_fit_in_no_way_are_named_with_their_orientation(folders: tuple[Path, Path]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (9, 4)).save(folders[0] / "b.png", exif=exif)
    (fault,) = faults_of(folders)
    assert "b.png: is 9 x 4 pixels with EXIF orientation 6, its ground truth 6 x 4 pixels; save it" in fault


def test_notes_tell_where_a_tag_makes_a_difference() -> None:
    file, orientations = Path("a.png"), [(6, 6), (1, 1), *[(6, 1)] * 5]
    pairs = [MaskPair(f"im{n}", file, file, None, pair, upright=n == 2) for n, pair in enumerate(orientations)]
    notes = list(orientation_notes(pairs))
    assert notes[0].startswith("4 predictions whose EXIF orientation is not their ground truth's (im3: 6 and 1")
    assert "as the ISIC challenge's scorer does" in notes[0]
    assert notes[1].startswith("1 predictions")
    assert "im2: 6 and 1" in notes[1]
    assert list(orientation_notes(pairs[:2])) == []


# Pictures that cannot be read


@pytest.mark.parametrize("side", [0, 1])
def test_masks_that_cannot_be_read_are_named(folders: tuple[Path, Path], side: int) -> None:
    (folders[side] / "z.heic").touch()
    beside = next(folders[side].glob("a*.png")).with_suffix(".psd")  # what the mask was saved from
    beside.touch()
    (fault,) = faults_of(folders)
    assert "z.heic: .heic files are not supported; convert it" in fault
