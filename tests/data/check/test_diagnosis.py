"""Every kind of fault, planted into a clean set, is found; the clean set gives no alarm."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageEnhance

from lesionseg.data.check.diagnosis import diagnose
from lesionseg.data.check.findings import KINDS
from lesionseg.data.folder import Folder
from lesionseg.data.source import Source

Plant = Callable[[Path], None]


def image(root: Path, name: str = "train03") -> Path:
    return root / name[:-2] / "images" / f"{name}.jpg"


def mask(root: Path, name: str = "train03") -> Path:
    return root / name[:-2] / "masks" / f"{name}.png"


def change(path: Path, change: Callable[[Image.Image], Image.Image]) -> None:
    """Replaces a picture by a changed one."""
    with Image.open(path) as picture:
        picture.load()
    change(picture).save(path)


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def write_mask(root: Path, levels: np.ndarray, name: str = "train03") -> None:
    Image.fromarray(levels.astype(np.uint8)).save(mask(root, name))


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def copy_pair(root: Path, source: str, target: str) -> None:
    shutil.copy(image(root, source), image(root, target))
    shutil.copy(mask(root, source), mask(root, target))


def shuffle_masks(root: Path) -> None:
    """As pairing by position in an unsorted listing does."""
    masks = sorted((root / "train" / "masks").iterdir()) + sorted((root / "validation" / "masks").iterdir())
    contents = [path.read_bytes() for path in masks]
    order = np.random.default_rng(0).permutation(len(masks))
    for path, index in zip(masks, order, strict=True):
        path.write_bytes(contents[index])


def recolour(root: Path, source: str, target: str) -> None:
    """The same lesion in another light, a little cropped, with its own mask."""
    picture = Image.open(image(root, source)).crop((3, 2, 92, 94)).resize((96, 96))
    ImageEnhance.Color(ImageEnhance.Brightness(picture).enhance(1.15)).enhance(0.7).save(image(root, target))
    Image.open(mask(root, source)).crop((3, 2, 92, 94)).resize((96, 96), 0).save(mask(root, target))


def scatter(root: Path) -> None:
    dots = np.zeros((96, 96))
    dots[4::9, 4::9] = 255
    write_mask(root, dots)


def swap_levels(root: Path) -> None:
    name = next(f"train{n:02d}" for n in range(40) if not touches_edge(mask(root, f"train{n:02d}")))
    write_mask(root, 255 - pixels(mask(root, name)), name)


def touches_edge(path: Path) -> bool:
    lesion = pixels(path)
    return bool(lesion[[0, -1]].any() or lesion[:, [0, -1]].any())


def grow_lesions(root: Path) -> None:
    """Zooms into every test image and its mask."""
    for path in [*(root / "validation").rglob("*.*"), *(root / "test").rglob("*.*")]:
        change(path, lambda p: p.resize((192, 192), 0).crop((48, 48, 144, 144)))
    for part in ("validation", "test"):  # more than FEWEST_TO_COMPARE
        for number in range(12, 40):
            for folder, suffix in (("images", "jpg"), ("masks", "png")):
                original = root / "train" / folder / f"train{number:02d}.{suffix}"
                target = root / part / folder / f"{part}{number:02d}.{suffix}"
                with Image.open(original) as picture:
                    turned = picture.rotate(37 if part == "test" else 74, resample=0, fillcolor=None)
                turned.resize((192, 192), 0).crop((48, 48, 144, 144)).save(target)


def rename(root: Path, **names: str) -> None:
    for old, new in names.items():
        for path in (image(root, old), mask(root, old)):
            path.rename(path.with_stem(new))


def group_table(root: Path) -> None:
    (root / "groups.csv").write_text("image_id,lesion_id\ntrain03,HAM_1\nvalidation04,HAM_1\ntrain05,HAM_2\n")


def save_turned(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as picture:
        picture.load()
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def lay_on_side(root: Path) -> None:
    change(image(root), lambda p: p.crop((0, 0, 96, 70)))
    change(mask(root), lambda p: p.crop((0, 0, 96, 70)).transpose(Image.Transpose.ROTATE_90))


def as_png(root: Path, mode: str) -> None:
    """Stores train03 in another mode."""
    with Image.open(image(root)) as picture:
        picture.convert(mode).save(image(root).with_suffix(".png"))
    image(root).unlink()


def as_deep_png(root: Path) -> None:
    with Image.open(image(root)) as picture:
        Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257).save(image(root).with_suffix(".png"))
    image(root).unlink()


def as_misnamed(root: Path) -> None:
    with Image.open(image(root)) as picture:
        picture.load()
    picture.save(image(root), format="PNG")


def as_jpeg_mask(root: Path) -> None:
    with Image.open(mask(root)) as picture:
        picture.save(mask(root).with_suffix(".jpg"), quality=75)
    mask(root).unlink()


def softened(root: Path) -> None:
    change(mask(root), lambda p: p.resize((48, 48), Image.Resampling.BILINEAR).resize((96, 96)))


def coloured(root: Path) -> None:
    lesion = pixels(mask(root))
    Image.fromarray(np.dstack([lesion, lesion, np.zeros_like(lesion)])).save(mask(root))


def photograph(root: Path) -> None:
    with Image.open(image(root)) as picture:
        picture.convert("L").save(mask(root))


def stretch(root: Path) -> None:
    change(image(root), lambda p: p.resize((384, 96)))
    change(mask(root), lambda p: p.resize((384, 96), 0))


def shrink(root: Path) -> None:
    change(image(root), lambda p: p.resize((24, 24)))
    change(mask(root), lambda p: p.resize((24, 24), 0))


def keep_few(root: Path) -> None:
    for number in range(5, 12):
        image(root, f"test{number:02d}").unlink()
        mask(root, f"test{number:02d}").unlink()


def other_truth(root: Path) -> None:
    copy_pair(root, "train03", "train05")
    write_mask(root, np.roll(pixels(mask(root)), 40, axis=1), "train05")


def repeat_id(root: Path) -> None:
    for folder, suffix in (("images", "jpg"), ("masks", "png")):
        shutil.move(root / "test" / folder / f"test03.{suffix}", root / "test" / folder / f"train03.{suffix}")


def in_other_colours(root: Path) -> None:
    """Exchanges red and green, and embeds sRGB's profile with those two exchanged: it looks as before."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    place = {name: srgb.index(name) for name in (b"rXYZ", b"gXYZ")}
    exchanged = bytearray(srgb)
    exchanged[place[b"rXYZ"]] = ord("g")
    exchanged[place[b"gXYZ"]] = ord("r")
    with Image.open(image(root)) as picture:
        red, green, blue = picture.split()
    Image.merge("RGB", (green, red, blue)).save(image(root), quality=95, icc_profile=bytes(exchanged))


def with_border(levels: np.ndarray) -> np.ndarray:
    """Numbers skin 0 and lesion 1, and marks a border between them as 255."""
    grown = np.maximum.reduce([np.roll(levels, shift, axis) for shift in (-2, 2) for axis in (0, 1)])
    return np.where(levels > 0, 1, np.where(grown > 0, 255, 0))


PLANTS: dict[str, Plant] = {
    "image_without_mask": lambda root: mask(root).unlink(),
    "mask_without_image": lambda root: image(root).unlink(),
    "unused_picture": lambda root: (root / "train" / "a.heic").write_bytes(b"") and None,
    "images_of_one_name": lambda root: Image.open(image(root)).save(image(root).with_suffix(".png")),
    "masks_of_one_name": lambda root: Image.open(mask(root)).save(mask(root).with_suffix(".bmp")),
    "unreadable_image": lambda root: image(root).write_text("<html>404 Not Found</html>") and None,
    "truncated_image": lambda root: cut(image(root)),
    "empty_image_file": lambda root: image(root).write_bytes(b"") and None,
    "tiny_image": shrink,
    "blank_image": lambda root: change(image(root), lambda p: Image.new("RGB", p.size, (180, 140, 130))),
    "grey_image": lambda root: change(image(root), lambda p: p.convert("L")),
    "elongated_image": stretch,
    "deep_image": as_deep_png,
    "cmyk_image": lambda root: change(image(root), lambda p: p.convert("CMYK")),
    "colour_profile": in_other_colours,
    "transparent_image": lambda root: as_png(root, "RGBA"),
    "turned_by_exif": lambda root: save_turned(image(root), 6),
    "misnamed_image": as_misnamed,
    "unreadable_mask": lambda root: mask(root).write_text("none") and None,
    "truncated_mask": lambda root: cut(mask(root)),
    "empty_mask_file": lambda root: mask(root).write_bytes(b"") and None,
    "mask_of_other_size": lambda root: change(mask(root), lambda p: p.resize((90, 80), 0)),
    "turned_mask": lay_on_side,
    "jpeg_mask": as_jpeg_mask,
    "grey_mask": softened,
    "dark_mask": lambda root: write_mask(root, pixels(mask(root)) // 5),
    "class_mask": lambda root: write_mask(root, with_border(pixels(mask(root)))),
    "photograph_as_mask": photograph,
    "inverted_mask": swap_levels,
    "coloured_mask": coloured,
    "empty_mask": lambda root: write_mask(root, np.zeros((96, 96))),
    "full_mask": lambda root: write_mask(root, np.full((96, 96), 255)),
    "speck_mask": lambda root: write_mask(root, np.pad([[255] * 2] * 2, ((40, 54), (40, 54)))),
    "scattered_mask": scatter,
    "repeated_mask": lambda root: shutil.copy(mask(root, "train05"), mask(root)) and None,
    "pairs_do_not_fit": shuffle_masks,
    "id_in_two_parts": repeat_id,
    "copy_in_other_part": lambda root: copy_pair(root, "train03", "test04"),
    "near_copy_in_other_part": lambda root: recolour(root, "train03", "validation04"),
    "group_in_two_parts": group_table,
    "archive_image_in_two_parts": lambda root: rename(
        root, train05="ISIC_0000001", validation04="ISIC_0000001_downsampled"
    ),
    "archive_image_twice_in_part": lambda root: rename(
        root, train05="ISIC_0000001", train06="ISIC_0000001_downsampled"
    ),
    "image_without_group": lambda root: (root / "groups.csv").write_text("image_id,lesion_id\ntrain00,a\n") and None,
    "copy_in_part": lambda root: copy_pair(root, "train03", "train05"),
    "near_copy_in_part": lambda root: recolour(root, "train03", "train05"),
    "other_truth": other_truth,
    "lesion_size_shift": grow_lesions,
    "small_part": keep_few,
}
"""A fault of each kind that can be planted into one folder; the others have tests of their own below."""

COMPANIONS = {
    "group_in_two_parts": {"image_without_group"},
    "deep_image": {"grey_image"},  # there is no 16-bit colour that Pillow writes
    "other_truth": {"copy_in_part"},
    "turned_by_exif": set(),
    "lesion_size_shift": {
        "near_copy_in_other_part",
        "copy_in_other_part",
        "inverted_mask",
        "full_mask",
        "repeated_mask",
    },
    "pairs_do_not_fit": {"lesion_size_shift"},
}
"""What comes along with a fault and is true as well."""

OWN_TESTS = {
    "no_pairs",
    "masks_named_otherwise",
    "missing_official_pairs",
    "unexpected_pairs",
    "copy_in_other_source",
    "changed_file",
}


def kinds(source: Source) -> set[str]:
    return {finding.name for finding in diagnose(source).findings}


NEAR = {"near_copy_in_other_part", "near_copy_in_part"}
"""Faults that only the comparison of similar pictures finds."""


def test_a_clean_set_gives_no_alarm(clean_set: Path, folder_source: Callable[..., Source]) -> None:
    assert diagnose(folder_source(clean_set)).findings == []


@pytest.mark.parametrize("field", ["letterbox", "circle"])
def test_black_frames_give_no_alarm(field: str, planted: Path, folder_source: Callable[..., Source]) -> None:
    """Frames that are alike are no copies, and do not outweigh how clearly a mask divides the skin."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    seen = np.abs(y) < 0.7 if field == "letterbox" else np.hypot(x, y) < 0.8
    for path in sorted(planted.glob("*/images/*.jpg")):
        framed = np.asarray(Image.open(path)) * seen[..., None].astype(np.uint8)
        Image.fromarray(framed).save(path, quality=92)
        place = planted / path.parent.parent.name / "masks" / f"{path.stem}.png"
        Image.fromarray(np.asarray(Image.open(place)) * seen.astype(np.uint8)).save(place)
    assert kinds(folder_source(planted)) <= {"empty_mask", "full_mask"}


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_fault_is_found_and_nothing_else(
    name: str, planted: Path, folder_source: Callable[..., Source], request: pytest.FixtureRequest
) -> None:
    if name not in NEAR:
        request.getfixturevalue("equal_pictures_only")
    PLANTS[name](planted)
    groups = {"groups": "groups.csv"} if (planted / "groups.csv").exists() else {}
    found = kinds(folder_source(planted, **groups))
    assert name in found
    assert found - {name} <= COMPANIONS.get(name, set())


def test_every_kind_has_a_planted_fault() -> None:
    assert set(PLANTS) | OWN_TESTS == set(KINDS)
    assert len(KINDS) >= 25


def test_no_pair_at_all_is_an_error(isic2017_root: Path, compose) -> None:  # type: ignore[no-untyped-def]
    """Official folders without a file in them."""
    from hydra.utils import instantiate

    assert kinds(instantiate(compose(["data=isic2017", f"data.root={isic2017_root}"]).data)) == {"no_pairs"}


def test_masks_named_otherwise_are_answered_with_the_setting(
    tmp_path: Path, draw_pairs: Callable[..., Path], folder_source: Callable[..., Source]
) -> None:
    draw_pairs(tmp_path, {name: seed for seed, name in enumerate("abc")})
    for name in "bc":
        (tmp_path / "masks" / f"{name}.png").rename(tmp_path / "masks" / f"{name}_mask.png")
    first, *_ = diagnose(folder_source(tmp_path, mask_suffix="")).findings
    assert first.name == "masks_named_otherwise"
    assert "data.mask_suffix=null" in first.text


@pytest.mark.parametrize(("published", "name"), [(41, "missing_official_pairs"), (39, "unexpected_pairs")])
@pytest.mark.usefixtures("equal_pictures_only")
def test_another_number_of_pairs_than_published_is_found(
    published: int, name: str, clean_set: Path, folder_source: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Folder, "OFFICIAL_COUNTS", {"train": published})
    assert kinds(folder_source(clean_set)) == {name}


@pytest.mark.usefixtures("equal_pictures_only")
def test_a_picture_in_two_sources_is_found(planted: Path, tmp_path: Path, compose) -> None:  # type: ignore[no-untyped-def]
    from hydra.utils import instantiate

    other = Path(shutil.copytree(planted, tmp_path / "other"))
    for number in range(1, 40):
        for path in (image(other, f"train{number:02d}"), mask(other, f"train{number:02d}")):
            path.unlink()
    for part in ("validation", "test"):
        for path in (other / part).rglob("*.*"):
            path.rename(path.with_stem(f"other{path.stem}"))
            change(path.with_stem(f"other{path.stem}"), lambda p: p.rotate(15))
    overrides = ["data=combined", "data.test.ph2=null", "+data@data.train.one=folder", "+data@data.train.two=folder"]
    cfg = compose(
        [*overrides, "data.train.isic2017=null", f"data.train.one.root={planted}", f"data.train.two.root={other}"]
    )
    findings = diagnose(instantiate(cfg.data)).findings
    across = [finding for finding in findings if finding.name == "copy_in_other_source"]
    assert ("one/train00", "two/train00") in [finding.ids for finding in across]


@pytest.mark.usefixtures("equal_pictures_only")
def test_the_worst_comes_first(planted: Path, folder_source: Callable[..., Source]) -> None:
    write_mask(planted, np.zeros((96, 96)), "train05")
    as_misnamed(planted)
    cut(image(planted, "train07"))
    severities = [finding.kind.severity for finding in diagnose(folder_source(planted)).findings]
    assert severities == ["error", "warning", "note"]


@pytest.mark.usefixtures("equal_pictures_only")
def test_a_manifest_says_which_parts_leak(planted: Path, tmp_path: Path, folder_source: Callable[..., Source]) -> None:
    copy_pair(planted, "train03", "train05")
    manifest = tmp_path / "split.json"
    manifest.write_text('{"parts": {"train": ["train03", "train04"], "validation": ["train05"]}}')
    findings = diagnose(folder_source(planted, split=str(manifest))).findings
    assert {"copy_in_other_part"} <= {finding.name for finding in findings}
    assert len(diagnose(folder_source(planted, split=str(manifest))).examinations) == 3


@pytest.mark.usefixtures("equal_pictures_only")
def test_files_that_are_others_than_a_manifests_are_found(
    planted: Path, tmp_path: Path, folder_source: Callable[..., Source]
) -> None:
    named = {"train": ["train03", "train04"], "validation": ["train05"]}
    digests = {
        id_: " ".join(hashlib.sha256(kind(planted, id_).read_bytes()).hexdigest()[:16] for kind in (image, mask))
        for id_ in ("train03", "train04", "train05")
    }
    manifest = tmp_path / "split.json"
    manifest.write_text(json.dumps({"parts": named, "files": digests}))
    source = folder_source(planted, split=str(manifest))
    assert "changed_file" not in kinds(source)
    write_mask(planted, 255 - pixels(mask(planted, "train03")), "train03")
    found = [finding for finding in diagnose(source).findings if finding.name == "changed_file"]
    assert [finding.ids for finding in found] == [("train03",)]
    assert "(mask)" in found[0].text
