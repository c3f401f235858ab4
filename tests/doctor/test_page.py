"""The page: self-contained, escaped, and complete."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionseg.data.source import Source
from lesionseg.doctor.diagnosis import diagnose
from lesionseg.doctor.page import MOST_SHOWN, TILE, draw_sample, write_page
from lesionseg.drawing import TRUTH


@pytest.fixture
def page(planted: Path, folder_source: Callable[..., Source], tmp_path: Path) -> str:
    (planted / "train" / "images" / "train03.jpg").write_text("no image")
    for number in range(MOST_SHOWN + 3):
        Image.new("L", (96, 96)).save(planted / "train" / "masks" / f"train{number + 5:02d}.png")
    write_page(diagnose(folder_source(planted)), tmp_path / "check.html", title="<Set>", facts={"root": "a & b"})
    return (tmp_path / "check.html").read_text(encoding="utf-8")


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    assert set(re.findall(r'(?:src|href)="([a-z]+:|#)', page)) == {"data:", "#"}
    assert "<script" not in page
    assert "url(" not in page


def test_no_width_of_the_screen_hides_what_to_do(page: str) -> None:
    style = page[: page.index("</style>")]  # behind it are megabytes of pictures
    hidden = re.findall(r"([^{}]+)\{[^{}]*display:\s*none", style)
    assert not any("advice" in selector for selector in hidden)
    assert page.count('<td class="advice">') == page.count("<section id=") > 0


def test_what_users_write_is_escaped(page: str) -> None:
    assert "<Set>" not in page
    assert "&lt;Set&gt;" in page
    assert "a &amp; b" in page


def test_every_kind_has_a_section_and_says_how_many_are_left_out(page: str) -> None:
    assert 'id="unreadable_image"' in page
    assert 'id="empty_mask"' in page
    assert "3 more in check.json" in page


def test_what_cannot_be_shown_says_so_or_shows_the_mask(page: str) -> None:
    section = page[page.index('id="unreadable_image"') : page.index('id="empty_mask"')]
    assert "data:image/jpeg" in section


def test_of_one_name_in_two_parts_the_right_picture_is_shown(
    planted: Path, folder_source: Callable[..., Source], tmp_path: Path
) -> None:
    for kind, suffix in (("images", ".jpg"), ("masks", ".png")):
        source = planted / "test" / kind / f"test03{suffix}"
        source.rename(source.with_name(f"train03{suffix}"))
    Image.new("L", (96, 96)).save(planted / "train" / "masks" / "train03.png")
    write_page(diagnose(folder_source(planted)), tmp_path / "check.html", title="", facts={})
    page = (tmp_path / "check.html").read_text(encoding="utf-8")
    section = page[page.index('id="empty_mask"') :]
    assert "train03 (train)" in section.partition("</section>")[0]
    assert "train03 (test)" not in section.partition("</section>")[0]


def test_a_sample_is_drawn_with_its_outline_in_its_own_proportions(tmp_path: Path) -> None:
    from lesionseg.data.sample import FilePair

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
    from lesionseg.data.sample import FilePair

    assert draw_sample(FilePair("a", tmp_path / "a.png", tmp_path / "m.png")) is None
