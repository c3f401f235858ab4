import csv
import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from filelock import FileLock
from omegaconf import DictConfig
from PIL import Image, ImageOps

from lesionseg.errors import InputError
from lesionseg.prediction import worker as worker_module
from lesionseg.prediction.folder_prediction import predict_folder

Settings = Callable[..., DictConfig]
NAMES = ["a.png", "b.png", "c.png", "d.png", "sub/a.png"]


def masks_in(folder: Path) -> list[str]:
    paths = [path.relative_to(folder) for path in folder.rglob("*.png")]
    return sorted(path.as_posix() for path in paths if ".lesionseg" not in path.parts)


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "predictions.csv").open(newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


def test_each_photograph_gets_a_mask_of_its_size(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    outcome = predict_folder(settings())
    masks = photos.parent / "masks"
    assert (outcome.predicted, outcome.skipped, outcome.unreadable) == (5, 0, {})
    assert masks_in(masks) == NAMES
    for path in photos.rglob("*.*"):
        with Image.open(path) as image, Image.open(masks / path.relative_to(photos).with_suffix(".png")) as mask:
            assert mask.size == image.size
            assert mask.mode == "L"
            values = np.asarray(mask)
            dark = np.asarray(image.convert("L")) < 128
        assert set(np.unique(values)) == {0, 255}
        assert np.mean((values == 255) != dark) < 0.02


def test_the_table_measures_what_the_masks_show(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings(review_below=0.5))
    masks = photos.parent / "masks"
    rows = table(masks)
    assert list(rows) == ["a.jpg", "b.png", "c.bmp", "d.tif", "sub/a.jpg"]
    for row in rows.values():
        mask = cv2.imread(str(masks / row["mask"]), cv2.IMREAD_GRAYSCALE)
        left, top, width, height = cv2.boundingRect(mask)
        moments = cv2.moments(mask, binaryImage=True)
        assert [int(row["height"]), int(row["width"])] == list(mask.shape)
        assert int(row["area_pixels"]) == cv2.countNonZero(mask)
        assert float(row["area_percent"]) == pytest.approx(100 * np.mean(mask > 0), abs=1e-3)
        assert [int(row[side]) for side in ("left", "top", "right", "bottom")] == [
            left,
            top,
            left + width - 1,
            top + height - 1,
        ]
        assert float(row["centroid_x"]) == pytest.approx(moments["m10"] / moments["m00"], abs=0.01)
        assert float(row["centroid_y"]) == pytest.approx(moments["m01"] / moments["m00"], abs=0.01)
        assert (row["touches_border"], row["review"], row["reason"]) == ("no", "no", "")


def test_probabilities_and_overlays_are_written_when_asked_for(
    dark_is_lesion: Any, settings: Settings, photos: Path
) -> None:
    folder = photos.parent
    predict_folder(settings(probabilities=str(folder / "p"), overlays=str(folder / "o"), suffix="_mask"))
    assert masks_in(folder / "masks") == [name.replace(".png", "_mask.png") for name in NAMES]
    assert masks_in(folder / "p") == NAMES
    assert len(list((folder / "o").rglob("*.jpg"))) == 5
    probability = np.asarray(Image.open(folder / "p" / "a.png"))
    assert probability.shape == (150, 200)
    assert probability[75, 100] == pytest.approx(253, abs=3)  # the disc's darkness
    assert probability[2, 2] == pytest.approx(2, abs=3)
    assert not list((folder / "p").glob(".lesionseg"))


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_overlays_are_for_screens(
    dark_is_lesion: Any, settings: Settings, photograph: Any, tmp_path: Path, suffix: str
) -> None:
    (tmp_path / "photos").mkdir()
    Image.fromarray(photograph(3000, 1500)).save(tmp_path / "photos" / f"a.{suffix}")
    predict_folder(settings(overlays=str(tmp_path / "o")))
    assert Image.open(tmp_path / "o" / "a.jpg").size == (1024, 512)
    assert Image.open(tmp_path / "masks" / "a.png").size == (3000, 1500)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_mask_lies_as_the_file_is_stored(
    dark_is_lesion: Any, settings: Settings, photograph: Any, tmp_path: Path, orientation: int
) -> None:
    (tmp_path / "photos").mkdir()
    stored = photograph(200, 100, at=(0.2, 0.3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "photos" / "a.jpg", exif=exif, quality=95)
    predict_folder(settings(overlays=str(tmp_path / "o")))
    mask = Image.open(tmp_path / "masks" / "a.png")
    assert np.mean((np.asarray(mask) == 255) != (stored[..., 0] < 128)) < 0.02
    # Whoever honours EXIF turns the mask as the photograph: the two still fit.
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "photos" / "a.jpg"))
    assert ImageOps.exif_transpose(mask).size == upright.size == Image.open(tmp_path / "o" / "a.jpg").size


def test_what_is_done_is_not_done_again(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    before = {name: (photos.parent / "masks" / name).stat().st_mtime_ns for name in NAMES}
    rows = (photos.parent / "masks" / "predictions.csv").read_bytes()
    Image.new("RGB", (50, 50)).save(photos / "new.jpg")
    outcome = predict_folder(settings())
    assert (outcome.predicted, outcome.skipped) == (1, 5)
    assert before == {name: (photos.parent / "masks" / name).stat().st_mtime_ns for name in NAMES}
    (photos / "new.jpg").unlink()
    (photos.parent / "masks" / "new.png").unlink()
    assert predict_folder(settings()).predicted == 0
    assert (photos.parent / "masks" / "predictions.csv").read_bytes() == rows


def test_a_photograph_that_changed_is_predicted_again(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    Image.new("RGB", (10, 20)).save(photos / "a.jpg")
    assert predict_folder(settings()).predicted == 1
    assert Image.open(photos.parent / "masks" / "a.png").size == (10, 20)


def test_a_photograph_of_equal_size_and_time_is_predicted_again(
    dark_is_lesion: Any, settings: Settings, photos: Path
) -> None:
    for colour in ("black", "white"):
        Image.new("RGB", (20, 10), colour).save(photos / "swapped.bmp")
        os.utime(photos / "swapped.bmp", ns=(1, 1))
        predict_folder(settings())
        mask = np.asarray(Image.open(photos.parent / "masks" / "swapped.png"))
        assert mask.all() == mask.any() == (colour == "black")


def test_a_damaged_or_missing_mask_is_made_again(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    masks = photos.parent / "masks"
    whole = (masks / "a.png").read_bytes()
    (masks / "a.png").write_bytes(whole[:-20])
    (masks / "b.png").unlink()
    assert predict_folder(settings()).predicted == 2
    assert (masks / "a.png").read_bytes() == whole


def test_overlays_asked_for_later_are_made_later(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    later = settings(overlays=str(photos.parent / "o"))
    assert predict_folder(later).predicted == 5
    assert predict_folder(later).predicted == 0


def test_another_models_masks_are_kept_unless_told_otherwise(
    dark_is_lesion: Any, settings: Settings, photos: Path
) -> None:
    predict_folder(settings())
    before = (photos.parent / "masks" / "a.png").stat().st_mtime_ns
    dark_is_lesion.facts = dataclasses.replace(dark_is_lesion.facts, name="other", sha256="b" * 64)
    with pytest.raises(InputError, match="not made by this model; give overwrite=true"):
        predict_folder(settings())
    assert (photos.parent / "masks" / "a.png").stat().st_mtime_ns == before
    assert predict_folder(settings(overwrite=True)).predicted == 5
    assert predict_folder(settings()).predicted == 0


def test_somebodys_own_file_is_never_replaced_silently(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    (photos.parent / "masks").mkdir()
    (photos.parent / "masks" / "a.png").write_text("drawn by hand")
    with pytest.raises(InputError, match=r"masks/a\.png"):
        predict_folder(settings())
    assert masks_in(photos.parent / "masks") == ["a.png"]
    assert (photos.parent / "masks" / "a.png").read_text() == "drawn by hand"


def test_a_photograph_is_never_replaced_by_its_mask(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    before = (photos / "b.png").read_bytes()
    with pytest.raises(InputError, match=r"would replace the photographs.*\n.*b\.png"):
        predict_folder(settings(input=str(photos / "b.png"), output=str(photos), overwrite=True))
    assert (photos / "b.png").read_bytes() == before


def test_results_among_the_photographs_are_refused(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    for folder in (photos, photos.parent):
        with pytest.raises(InputError, match="holds the photographs"):
            predict_folder(settings(output=str(folder)))
    assert not (photos / ".lesionseg").exists()


def test_masks_below_the_photographs_are_no_photographs(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    inside = settings(output=str(photos / "masks"))
    assert predict_folder(inside).predicted == 5
    assert predict_folder(inside).skipped == 5


def test_pictures_of_unsupported_kinds_are_reported_as_unreadable(
    dark_is_lesion: Any, settings: Settings, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("IMG_1.HEIC", "sub/b.dng", "notes.txt"):
        (photos / name).touch()
    outcome = predict_folder(settings())
    assert (outcome.predicted, sorted(outcome.unreadable)) == (5, ["IMG_1.HEIC", "sub/b.dng"])
    assert "not supported" in table(photos.parent / "masks")["IMG_1.HEIC"]["reason"]
    printed = capsys.readouterr().out
    assert "could not be read: 2 of the images" in printed
    assert "passed over: 1 x .txt" in printed


def test_the_unreadable_are_reported_and_the_others_done(
    dark_is_lesion: Any, settings: Settings, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").write_bytes((photos / "a.jpg").read_bytes()[:300])
    (photos / "empty.png").write_bytes(b"")
    (photos / "text.jpg").write_text("no picture")
    outcome = predict_folder(settings())
    assert outcome.predicted == 5
    assert sorted(outcome.unreadable) == ["broken.jpg", "empty.png", "text.jpg"]
    shown = capsys.readouterr().out
    assert "could not be read: 3 of the images" in shown
    assert "broken.jpg" in shown
    row = table(photos.parent / "masks")["broken.jpg"]
    assert (row["mask"], row["review"]) == ("", "yes")
    assert "cannot be read" in row["reason"]


def test_a_mask_to_doubt_is_marked(dark_is_lesion: Any, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (80, 80), (120, 120, 120)).save(tmp_path / "photos" / "grey.png")
    Image.new("RGB", (80, 80), (250, 250, 250)).save(tmp_path / "photos" / "skin.png")
    outcome = predict_folder(settings())
    rows = table(tmp_path / "masks")
    assert (rows["grey.png"]["review"], rows["grey.png"]["reason"]) == ("yes", "uncertain")
    assert rows["grey.png"]["touches_border"] == "yes"
    assert (rows["skin.png"]["review"], rows["skin.png"]["reason"]) == ("yes", "no lesion found")
    assert rows["skin.png"]["left"] == rows["skin.png"]["mean_confidence"] == ""
    assert outcome.review == 2
    assert predict_folder(settings(review_below=0.1)).review == 1


def test_a_mask_that_a_second_look_contradicts_is_marked(
    dark_is_lesion: Any, settings: Settings, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict_folder(settings(review="views"))
    alike = {name: float(row["expected_jaccard"]) for name, row in table(photos.parent / "masks").items()}
    shutil.rmtree(photos.parent / "masks")
    monkeypatch.setattr(dark_is_lesion, "second_look", lambda images: np.zeros(images.shape[:3], np.float32))
    assert predict_folder(settings(review="views")).review == 5
    rows = table(photos.parent / "masks")
    assert {(row["agreement"], row["reason"]) for row in rows.values()} == {("0.0000", "uncertain")}
    assert all(float(row["expected_jaccard"]) < alike[name] - 0.2 for name, row in rows.items())


def test_a_second_look_is_taken_of_masks_that_are_there_already(
    dark_is_lesion: Any, settings: Settings, photos: Path
) -> None:
    predict_folder(settings())
    assert predict_folder(settings(review="views")).predicted == 5
    assert all(row["agreement"] for row in table(photos.parent / "masks").values())
    assert predict_folder(settings(review="views")).skipped == 5
    assert predict_folder(settings()).skipped == 5


def test_a_model_that_sees_in_one_way_alone_does_nothing_twice(
    dark_is_lesion: Any, settings: Settings, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dark_is_lesion, "second_look", lambda images: None)
    predict_folder(settings(review="views"))
    assert predict_folder(settings(review="views")).skipped == 5


def test_probabilities_alone_take_no_second_look(
    dark_is_lesion: Any, settings: Settings, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dark_is_lesion, "second_look", None)  # calling it would fail
    predict_folder(settings())
    assert {row["agreement"] for row in table(photos.parent / "masks").values()} == {""}


def test_a_model_that_sees_in_one_way_alone_is_reviewed_by_its_probabilities(
    dark_is_lesion: Any, settings: Settings, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dark_is_lesion, "second_look", lambda images: None)
    predict_folder(settings(review="views"))
    found = table(photos.parent / "masks")
    shutil.rmtree(photos.parent / "masks")
    predict_folder(settings())
    assert table(photos.parent / "masks") == found


def test_the_models_temperature_lowers_what_is_expected(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    before = {name: float(row["expected_jaccard"]) for name, row in table(photos.parent / "masks").items()}
    shutil.rmtree(photos.parent / "masks")
    dark_is_lesion.facts = dataclasses.replace(dark_is_lesion.facts, temperature=2.0)
    predict_folder(settings())
    rows = table(photos.parent / "masks")
    assert all(float(row["expected_jaccard"]) < before[name] - 0.05 for name, row in rows.items())


def test_an_interruption_leaves_whole_files_and_a_table(
    dark_is_lesion: Any, settings: Settings, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = worker_module.read_photograph

    def interrupted(path: Path, **options: Any) -> Any:
        if path.name == "d.tif":
            raise KeyboardInterrupt
        return read(path, **options)

    monkeypatch.setattr(worker_module, "read_photograph", interrupted)
    monkeypatch.setattr("lesionseg.prediction.folder_prediction.usable_cores", lambda: 5)  # one image each
    with pytest.raises(KeyboardInterrupt):
        predict_folder(settings())
    monkeypatch.undo()
    masks = photos.parent / "masks"
    done = masks_in(masks)  # as many as had been begun before
    assert sorted(row["mask"] for row in table(masks).values()) == done
    assert "d.png" not in done
    assert not list((masks / ".lesionseg").glob("unfinished"))


def test_a_mask_is_the_same_alone_and_among_others(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    predict_folder(settings(input=str(photos / "a.jpg"), output=str(photos.parent / "alone")))
    assert (photos.parent / "alone" / "a.png").read_bytes() == (photos.parent / "masks" / "a.png").read_bytes()
    assert max(dark_is_lesion.batches) > 1


def test_the_callers_number_of_threads_is_left_alone(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        predict_folder(settings())
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_two_processes_do_not_share_a_folder(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    (photos.parent / "masks" / ".lesionseg").mkdir(parents=True)
    with (
        FileLock(photos.parent / "masks" / ".lesionseg" / "lock"),
        pytest.raises(InputError, match="another process is writing there"),
    ):
        predict_folder(settings())


def test_a_full_disk_stops_with_what_is_done_kept(
    dark_is_lesion: Any, settings: Settings, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = Path.write_bytes, []

    def full(self: Path, content: bytes) -> int:
        if len(written) == 2 and content.startswith(b"\x89PNG"):
            raise OSError(28, "No space left on device")
        written.append(self)
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match="No space left on device"):
            predict_folder(settings())
    assert len(masks_in(photos.parent / "masks")) == 2
    outcome = predict_folder(settings())
    assert (outcome.predicted, outcome.skipped) == (3, 2)


def test_a_foreign_journal_is_no_obstacle(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    hidden = photos.parent / "masks" / ".lesionseg"
    hidden.mkdir(parents=True)
    (hidden / "journal.jsonl").write_text(json.dumps({"mask": "a.png"}) + "\nnonsense\n")
    assert predict_folder(settings()).predicted == 5


def test_an_impossible_limit_is_refused(settings: Settings, photos: Path) -> None:
    with pytest.raises(InputError, match=r"review_below is 75"):
        predict_folder(settings(review_below=75))
    with pytest.raises(InputError, match=r"review is mirrors; allowed: views, probabilities"):
        predict_folder(settings(review="mirrors"))
    assert not (photos.parent / "masks").exists()


def test_nothing_left_is_no_error(dark_is_lesion: Any, settings: Settings, photos: Path) -> None:
    predict_folder(settings())
    shutil.rmtree(photos / "sub")
    assert predict_folder(settings()).skipped == 4
