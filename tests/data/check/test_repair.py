"""The repaired copy: right files stay, mended masks are those that were meant, and nothing is touched or guessed."""

import csv
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.check.diagnosis import diagnose
from lesionseg.data.check.repair import Repair, check_target, repair, repaired_source
from lesionseg.data.folder import Folder
from lesionseg.errors import InputError

Source = Callable[..., Folder]
pytestmark = pytest.mark.usefixtures("equal_pictures_only")


@pytest.fixture
def pairs(tmp_path: Path, draw_pairs: Callable[..., Path]) -> Path:
    """Twelve pairs; the mask of `g` is one that keeps clear of the edges."""
    seeds = {name: seed for seed, name in enumerate("abcdefghijkl")}
    root = draw_pairs(tmp_path / "data", seeds, size=96)
    levels = np.zeros((96, 96), np.uint8)
    levels[20:70, 30:80] = 255
    Image.fromarray(levels).save(root / "masks" / "g.png")
    return root


def mask(root: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(root / "masks" / f"{name}.png"))


def write(root: Path, name: str, levels: np.ndarray, suffix: str = ".png", **options: Any) -> None:
    """Takes a mask's place."""
    (root / "masks" / f"{name}.png").unlink()
    Image.fromarray(levels.astype(np.uint8)).save(root / "masks" / f"{name}{suffix}", **options)


def digests(root: Path) -> dict[str, str]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def fixed(source: Folder, target: Path) -> tuple[Repair, dict[str, dict[str, str]]]:
    done = repair(diagnose(source), target)
    with (target / "fixes.csv").open(encoding="utf-8", newline="") as file:
        return done, {row["id"]: row for row in csv.DictReader(file)}


SPOILS: dict[str, Callable[[Path, np.ndarray], None]] = {
    "inverted": lambda root, levels: write(root, "g", 255 - levels),
    "0 and 1": lambda root, levels: write(root, "g", levels // 255),
    "three channels": lambda root, levels: write(root, "g", np.dstack([levels] * 3)),
    "yellow": lambda root, levels: write(root, "g", np.dstack([levels, levels, levels * 0])),
    "dark red": lambda root, levels: write(root, "g", np.dstack([levels // 3, levels * 0, levels * 0])),
    "dark": lambda root, levels: write(root, "g", levels // 5),
    "JPEG": lambda root, levels: write(root, "g", levels, ".jpg", quality=90),
    "inverted JPEG": lambda root, levels: write(root, "g", 255 - levels, ".jpg", quality=90),
    "TIFF": lambda root, levels: write(root, "g", levels, ".tif"),
}


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_spoilt_mask_becomes_what_it_was(pairs: Path, tmp_path: Path, folder_source: Source, spoil: str) -> None:
    meant = mask(pairs, "g")
    SPOILS[spoil](pairs, meant)
    before = digests(pairs)
    done, log = fixed(folder_source(pairs), tmp_path / "fixed")
    assert (done.copied, done.mended, done.left_out) == (11, 1, 0)
    assert np.array_equal(mask(tmp_path / "fixed", "g"), meant)
    assert Image.open(tmp_path / "fixed" / "masks" / "g.png").mode == "L"
    assert list(log) == ["g"]
    assert log["g"]["what was done"].endswith("saved as PNG of 0 and 255")
    assert digests(pairs) == before
    after = digests(tmp_path / "fixed")
    assert {name: after[name] for name in before if "g" not in Path(name).stem} == {
        name: digest for name, digest in before.items() if "g" not in Path(name).stem
    }
    assert diagnose(repaired_source(done, folder_source(pairs))).counts["error"] == 0


def test_grey_outlines_are_cut_as_the_challenge_does(pairs: Path, tmp_path: Path, folder_source: Source) -> None:
    levels = mask(pairs, "g").copy()
    levels[20, 30:80], levels[69, 30:80] = 129, 128
    write(pairs, "g", levels)
    fixed(folder_source(pairs), tmp_path / "fixed")
    assert np.array_equal(mask(tmp_path / "fixed", "g"), np.where(levels > 128, 255, 0))


def test_what_nobody_can_tell_is_left_out_and_named(pairs: Path, tmp_path: Path, folder_source: Source) -> None:
    viridis = np.where(mask(pairs, "a")[..., None] > 0, [253, 231, 37], [68, 1, 84])
    write(pairs, "a", viridis)
    (pairs / "masks" / "b.png").write_bytes(b"no image")
    Image.open(pairs / "masks" / "c.png").resize((48, 48)).save(pairs / "masks" / "c.png")
    write(pairs, "d", np.asarray(Image.open(pairs / "images" / "d.png").convert("L")))
    ramp = mask(pairs, "e") // 4
    ramp[:5, :5] = 30
    write(pairs, "e", ramp)
    (pairs / "masks" / "f.png").unlink()
    done, log = fixed(folder_source(pairs), tmp_path / "fixed")
    assert (done.copied, done.mended, done.left_out) == (6, 0, 6)
    assert {id_ for id_, row in log.items() if row["what was done"] == "left out"} == set("abcdef")
    assert sorted(path.stem for path in (tmp_path / "fixed" / "masks").iterdir()) == list("ghijkl")
    assert "3 levels up to 63" in log["e"]["what was wrong"]
    assert "has no mask" in log["f"]["what was wrong"]


def copy(root: Path, name: str, other: str) -> None:
    for kind in ("images", "masks"):
        shutil.copy(root / kind / f"{name}.png", root / kind / f"{other}.png")


def test_of_one_picture_the_first_is_kept(pairs: Path, tmp_path: Path, folder_source: Source) -> None:
    copy(pairs, "b", "c")
    copy(pairs, "d", "e")
    write(pairs, "e", np.roll(mask(pairs, "e"), 40, axis=1))
    copy(pairs, "g", "h")
    (pairs / "masks" / "g.png").write_bytes(b"no image")
    _, log = fixed(folder_source(pairs), tmp_path / "fixed")
    kept = {path.stem for path in (tmp_path / "fixed" / "images").iterdir()}
    assert kept == set("abfhijkl")  # of d and e nobody knows which mask is meant, and g has none
    assert "different masks" in log["d"]["what was wrong"]


def test_of_a_lesion_in_two_parts_the_later_is_kept(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Source
) -> None:
    for number, part in enumerate(("train", "validation", "test")):
        draw_pairs(tmp_path / "data" / part, {f"{part}{n}": 10 * number + n for n in range(3)})
    for kind in ("images", "masks"):
        shutil.copy(tmp_path / "data" / "test" / kind / "test1.png", tmp_path / "data" / "train" / kind / "train1.png")
    (tmp_path / "data" / "patients.csv").write_text("image_id,lesion_id\ntrain2,P\nvalidation2,P\ntest0,Q\n")
    source = folder_source(tmp_path / "data", groups="patients.csv")
    done, log = fixed(source, tmp_path / "fixed")
    assert sorted(log) == ["train1", "train2"]
    copied = repaired_source(done, source)
    parts = {part: [sample.id for sample in samples] for part, samples in copied.listing().subsets.items()}
    assert parts == {
        "train": ["train0"],
        "validation": ["validation0", "validation1", "validation2"],
        "test": ["test0", "test1", "test2"],
    }
    assert {sample.id: sample.group for sample in copied.samples("test")}["test0"] == "Q"


def test_of_one_name_in_two_parts_each_picture_is_treated_for_itself(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Source
) -> None:
    """Whoever numbers the images of each part has such names."""
    for number, part in enumerate(("train", "test")):
        draw_pairs(tmp_path / "data" / part, {str(n): 10 * number + n for n in range(5)}, size=96)
    clear = np.zeros((96, 96), np.uint8)
    clear[20:70, 30:80] = 255
    write(tmp_path / "data" / "train", "1", 255 - clear)
    (tmp_path / "data" / "train" / "masks" / "2.png").write_bytes(b"no image")
    done, log = fixed(folder_source(tmp_path / "data"), tmp_path / "fixed")
    for n in range(5):
        copied = mask(done.folder / "test", f"{n}_2" if n != 2 else "2")
        assert np.array_equal(copied, mask(tmp_path / "data" / "test", f"{n}"))
    assert np.array_equal(mask(done.folder / "train", "1"), clear)
    assert {path.stem for path in (done.folder / "train" / "images").iterdir()} == set("0134")
    assert done.left_out == 1
    assert log["3"] == log["3"] | {"part": "test", "what was done": "renamed to 3_2"}
    copy = repaired_source(done, folder_source(tmp_path / "data"))
    assert "id_in_two_parts" not in diagnose(copy).by_kind()


def test_of_an_archives_image_in_two_parts_the_later_is_kept(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Source
) -> None:
    """Another crop of it is not seen to be a copy."""
    for number, part in enumerate(("train", "test")):
        draw_pairs(tmp_path / "data" / part, {f"ISIC_000000{n * (1 + number)}": 10 * number + n for n in range(1, 4)})
    done, _ = fixed(folder_source(tmp_path / "data"), tmp_path / "fixed")
    kept = [path.stem for part in ("train", "test") for path in (done.folder / part / "images").iterdir()]
    assert sorted(kept) == [f"ISIC_000000{n}" for n in (1, 2, 3, 4, 6)]
    assert (done.folder / "test" / "images" / "ISIC_0000002.png").is_file()


def test_names_are_paired_and_types_told_by_contents(tmp_path: Path, folder_source: Source, pairs: Path) -> None:
    for path in sorted((pairs / "masks").iterdir()):
        path.rename(path.with_name(f"seg {path.name}"))
    Image.open(pairs / "images" / "a.png").save(pairs / "images" / "A.JPG", format="PNG")
    (pairs / "images" / "a.png").unlink()
    fixed(folder_source(pairs), tmp_path / "fixed")
    assert (tmp_path / "fixed" / "images" / "A.png").is_file()
    assert (tmp_path / "fixed" / "masks" / "A.png").is_file()


def test_a_set_that_is_wrong_as_a_whole_is_not_copied(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Source
) -> None:
    root = draw_pairs(tmp_path / "data", {f"{n:02d}": n for n in range(48)})
    contents = [path.read_bytes() for path in sorted((root / "masks").iterdir())]
    for path, content in zip(sorted((root / "masks").iterdir()), contents[7:] + contents[:7], strict=True):
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"masks that do not fit their images: no copy is written"):
        repair(diagnose(folder_source(root)), tmp_path / "fixed")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_nothing_is_left_of_a_copy_that_fails(
    pairs: Path, tmp_path: Path, folder_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space"):
        repair(diagnose(folder_source(pairs)), tmp_path / "fixed")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("data/fixed", "lies in the data"),
        ("data", "is there and not empty"),
        (".", "is there and not empty"),
        ("data/../data/x", "lies in the data"),
        ("file.txt", "is there and not empty"),
    ],
)
def test_a_target_that_could_harm_is_refused(pairs: Path, tmp_path: Path, target: str, words: str) -> None:
    (tmp_path / "file.txt").touch()
    with pytest.raises(InputError, match=words):
        check_target(tmp_path / target, {"train": {"mine": {"root": str(pairs)}}})


def test_an_empty_folder_will_do(pairs: Path, tmp_path: Path, folder_source: Source) -> None:
    (tmp_path / "fixed").mkdir()
    check_target(tmp_path / "fixed", {"root": str(pairs)})
    done, log = fixed(folder_source(pairs), tmp_path / "fixed")
    assert (done.copied, log) == (12, {})
