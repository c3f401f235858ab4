"""Pictures of one patient are one group, as far as a table says."""

import logging
from pathlib import Path

import pytest

from lesionseg.data.groups import with_groups
from lesionseg.data.sample import FilePair
from lesionseg.data.source import Listing, Part
from lesionseg.errors import InputError


def listing(train: str, test: str = "") -> Listing:
    parts: dict[Part, str] = {"train": train, "validation": "", "test": test}
    samples = {part: [FilePair(id_, Path(id_), Path(id_)) for id_ in ids.split()] for part, ids in parts.items()}
    return Listing(samples, official=True)


def grouped(folder: Path, rows: str, images: Listing) -> Listing:
    path = folder / "patients.csv"
    path.write_text(f"image,patient\n{rows}\n")
    return with_groups(images, path, id_column="image", group_column="patient")


def groups(listed: Listing) -> dict[str, str | None]:
    return {sample.id: sample.group for sample in listed.samples()}


def test_a_table_groups_the_images_of_all_parts(tmp_path: Path) -> None:
    listed = grouped(tmp_path, "1,p\n2.jpg,q\nx,p", listing("001 002", "x"))
    assert groups(listed) == {"001": "p", "002": "q", "x": "p"}
    assert [sample.id for sample in listed.parts["test"]] == ["x"]
    assert listed.ungrouped == []


def test_images_of_which_it_says_nothing_are_in_no_group_and_listed(tmp_path: Path) -> None:
    listed = grouped(tmp_path, "a,p\nb,\nd,unknown\ne,unknown", listing("a b c d", "e"))
    assert groups(listed) == {"a": "p", "b": None, "c": None, "d": None, "e": None}
    assert listed.ungrouped == ["b", "c", "d", "e"]


def test_a_part_of_which_it_says_nothing_is_no_error(tmp_path: Path) -> None:
    assert grouped(tmp_path, "a,p", listing("a", "x y")).ungrouped == ["x", "y"]


def test_a_table_that_names_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no row's image is one of the 2 images; the table has A-1; the images are a1"):
        grouped(tmp_path, "A-1,p", listing("a1 a2"))


def test_a_table_that_names_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="its column patient is empty for all 2 images"):
        grouped(tmp_path, "a,\nb,?", listing("a b"))


def test_where_there_are_no_images_any_table_does(tmp_path: Path) -> None:
    """What is wrong then, the listing's own faults say."""
    assert groups(grouped(tmp_path, "a,p", listing(""))) == {}


# In the sources


def test_a_folders_table_that_matches_nothing_ends_the_run(folder_source, draw_pairs, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    root = draw_pairs(tmp_path, {"a": 0, "b": 1})
    (root / "patients.csv").write_text("image_id,lesion_id\nimage a,p\nimage b,p\n")
    source = folder_source(root, groups="patients.csv")
    for check in (source.require, source.listing):
        with pytest.raises(InputError, match="the table has image a, image b; the images are a, b"):
            check()


def test_half_a_table_is_warned_of_when_the_images_are_divided(  # type: ignore[no-untyped-def]
    folder_source, draw_pairs, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from lesionseg.data.datamodule import LesionDataModule

    root = draw_pairs(tmp_path / "data", {name: number for number, name in enumerate("abcdefgh")})
    (root / "patients.csv").write_text("image_id,lesion_id\na,p\nb,p\nc,q\n")
    source = folder_source(root, groups="patients.csv", cache="memory", validation_share=0.25, test_share=0.25)
    LesionDataModule(source, image_size=32, batch_size=1, num_workers=0, seed=0, augment=None)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "says nothing of 5 of 8 images (d, e, f, ...): each counts as a lesion of its own" in warnings[0]
