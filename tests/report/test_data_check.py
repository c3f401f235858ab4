"""The doctor's page is self-contained, escaped and complete, and its tables show what users wrote."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.check.diagnosis import Diagnosis
from lesionseg.data.check.examination import examine
from lesionseg.data.check.findings import Finding
from lesionseg.data.masks import TRUTH
from lesionseg.data.source import FilePair
from lesionseg.report.data_check import MOST_SHOWN, TILE, draw_sample, page, print_diagnosis, subset_rows


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory: pytest.TempPathFactory, draw_pairs: Callable[..., Path]) -> Diagnosis:
    root = draw_pairs(tmp_path_factory.mktemp("data"), {"a": 0, "b": 1})
    (root / "images" / "a.png").write_text("no image")
    pairs = [FilePair(name, root / "images" / f"{name}.png", root / "masks" / f"{name}.png") for name in "ab"]
    unreadable = Finding("unreadable_image", ("a",), "a: cannot be read")
    empty = [Finding("empty_mask", ("b",), f"no pixel of {number} <is> lesion") for number in range(MOST_SHOWN + 3)]
    return Diagnosis([examine(pair, "train") for pair in pairs], [unreadable, *empty], ["2 pairs in [data]"])


@pytest.fixture(scope="module")
def html(diagnosis: Diagnosis) -> str:
    return page(diagnosis, "<Set>", {"root": "a & b"})


def test_nothing_is_fetched_from_anywhere(html: str) -> None:
    assert set(re.findall(r'(?:src|href)="([a-z]+:|#)', html)) == {"data:", "#"}
    assert "<script" not in html
    assert "url(" not in html


def test_no_width_of_the_screen_hides_what_to_do(html: str) -> None:
    style = html[: html.index("</style>")]
    hidden = re.findall(r"([^{}]+)\{[^{}]*display:\s*none", style)
    assert not any("advice" in selector for selector in hidden)
    assert html.count('<td class="advice">') == html.count("<section id=") == 2


def test_what_users_write_is_escaped(html: str) -> None:
    assert "<Set>" not in html
    assert "&lt;Set&gt;" in html
    assert "a &amp; b" in html
    assert "&lt;is&gt;" in html


def test_every_kind_has_a_section_and_says_how_many_are_left_out(html: str) -> None:
    assert 'id="unreadable_image"' in html
    assert 'id="empty_mask"' in html
    assert "3 more in check.json" in html


def test_of_one_name_in_two_parts_the_right_picture_is_shown(diagnosis: Diagnosis) -> None:
    (sample,) = [one.sample for one in diagnosis.examinations if one.id == "b"]
    both = [examine(sample, "train"), examine(sample, "test")]
    shown = page(Diagnosis(both, [Finding("empty_mask", ("b",), "b: empty", "train")], []), "", {})
    assert "b (train)" in shown
    assert "b (test)" not in shown
    shown = page(Diagnosis(both, [Finding("id_in_two_parts", ("b",), "b: twice")], []), "", {})
    assert "b (train)" in shown
    assert "b (test)" in shown


def test_an_image_that_cannot_be_shown_is_replaced_by_its_mask(html: str) -> None:
    section = html[html.index('id="unreadable_image"') : html.index('id="empty_mask"')]
    assert "data:image/jpeg" in section


def test_parts_are_described_by_what_can_be_read(diagnosis: Diagnosis) -> None:
    (row,) = subset_rows(diagnosis)
    shares = [np.mean(np.asarray(Image.open(one.sample.mask_path)) > 0) for one in diagnosis.examinations]  # type: ignore[attr-defined]
    assert (row["part"], row["pairs"], row["smallest"], row["largest"]) == ("train", 2, "64 x 64", "64 x 64")
    assert row["median_lesion"] == pytest.approx(np.mean(shares), abs=1e-6)


def test_brackets_in_names_are_shown_on_the_terminal(diagnosis: Diagnosis, capsys: pytest.CaptureFixture[str]) -> None:
    print_diagnosis(Diagnosis([], [Finding("empty_mask", ("[/b]", "a [1]"), "")], diagnosis.layout))
    printed = " ".join(capsys.readouterr().out.split())
    assert "[/b] = a [1]" in printed
    assert "2 pairs in [data]" in printed
    assert "0 errors, 1 warning, 0 notes: nothing that would make results wrong" in printed


def test_a_sample_is_drawn_with_its_outline_in_its_own_proportions(tmp_path: Path) -> None:
    Image.new("RGB", (480, 240), (200, 150, 150)).save(tmp_path / "a.png")
    lesion = np.zeros((240, 480), np.uint8)
    lesion[60:180, 120:360] = 255
    Image.fromarray(lesion).save(tmp_path / "m.png")
    drawn = draw_sample(FilePair("a", tmp_path / "a.png", tmp_path / "m.png"))
    assert drawn is not None
    assert drawn.shape == (TILE // 2, TILE, 3)
    assert (drawn[30, 120] == TRUTH).all()
    assert not (drawn[60, 120] == TRUTH).all()


def test_a_sample_without_readable_files_is_not_drawn(tmp_path: Path) -> None:
    assert draw_sample(FilePair("a", tmp_path / "a.png", tmp_path / "m.png")) is None
