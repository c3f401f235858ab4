import dataclasses
from pathlib import Path

import pytest

from lesionseg.postprocessing.run_length import Box
from lesionseg.prediction.journal import Entry, Journal
from lesionseg.prediction.measures import Measures

MEASURES = Measures(
    width=40,
    height=30,
    area_pixels=6,
    area_percent=0.5,
    box=Box(1, 2, 3, 4),
    centroid=(1.5, 2.5),
    mean_confidence=0.9,
    expected_jaccard=0.8,
    touches_border=False,
)
ENTRY = Entry(
    image="sub/ä b.jpg",
    mask="sub/ä b.png",
    model="ab" * 32,
    image_stamp=(123, 456, 789),
    mask_crc32=789,
    has_probability=False,
    has_overlay=True,
    measures=MEASURES,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def test_what_is_added_is_read_again(path: Path) -> None:
    Journal(path).add(ENTRY)
    assert Journal(path).entries == {ENTRY.mask: ENTRY}


def test_an_image_without_a_lesion_is_read_again(path: Path) -> None:
    empty = dataclasses.replace(MEASURES, box=None, centroid=None, mean_confidence=None)
    entry = dataclasses.replace(ENTRY, measures=empty)
    Journal(path).add(entry)
    assert Journal(path).entries[ENTRY.mask] == entry


def test_the_last_line_for_a_mask_counts(path: Path) -> None:
    journal = Journal(path)
    journal.add(ENTRY)
    journal.add(dataclasses.replace(ENTRY, mask_crc32=1))
    assert Journal(path).entries[ENTRY.mask].mask_crc32 == 1


@pytest.mark.parametrize("kept", range(0, 400, 13))
def test_a_line_cut_short_at_any_place_spoils_no_other(path: Path, kept: int) -> None:
    Journal(path).add(dataclasses.replace(ENTRY, mask="first.png"))
    whole = path.read_bytes()
    Journal(path).add(ENTRY)
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    Journal(path).add(dataclasses.replace(ENTRY, mask="last.png"))
    assert {"first.png", "last.png"} <= Journal(path).entries.keys()


def test_lines_of_earlier_versions_are_read_but_fit_no_photograph(path: Path) -> None:
    Journal(path).add(ENTRY)
    line = path.read_text()
    path.write_text(line.replace('"image_stamp":[123,456,789]', '"image_identity":[123,456]'))
    assert path.read_text() != line
    assert Journal(path).entries == {ENTRY.mask: dataclasses.replace(ENTRY, image_stamp=(123, 456))}


@pytest.mark.parametrize("line", ["[]", "null", "{}", '"text"', '{"measures": {}}', "\x00\xff", '{"measures": null}'])
def test_lines_of_another_kind_are_passed_over(path: Path, line: str) -> None:
    path.write_text(line)
    assert Journal(path).entries == {}
