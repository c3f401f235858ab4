"""What is listed is what a person would expect of a file, a folder or a pattern."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from lesionseg.errors import InputError
from lesionseg.prediction.listing import list_pictures


def touch(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(input_: str | Path, leave_out: Iterable[Path] = ()) -> list[str]:
    return [str(picture.name) for picture in list_pictures(str(input_), leave_out=list(leave_out)).pictures]


# Folders


def test_a_folder_is_listed_with_all_folders_in_it(tmp_path: Path) -> None:
    touch(tmp_path, ["b.jpg", "a.png", "sub/a.jpg", "sub/deeper/c.tiff"])
    pictures = list_pictures(str(tmp_path), leave_out=[]).pictures
    assert [(str(picture.path.relative_to(tmp_path)), str(picture.name)) for picture in pictures] == [
        ("a.png", "a"),
        ("b.jpg", "b"),
        ("sub/a.jpg", "sub/a"),
        ("sub/deeper/c.tiff", "sub/deeper/c"),
    ]


def test_images_are_known_by_their_suffix_in_any_case(tmp_path: Path) -> None:
    touch(tmp_path, ["a.JPG", "b.jpeg", "c.Png", "d.bmp", "e.tif", "notes.txt", "jpg", "f.jpg.part", "g.gif", "h.JFIF"])
    assert names(tmp_path) == ["a", "b", "c", "d", "e", "g", "h"]


def test_names_keep_their_dots_spaces_and_letters(tmp_path: Path) -> None:
    touch(tmp_path, ["a.b.c.jpg", "Läsion 1.jpg", "皮肤/x [1].png"])
    assert names(tmp_path) == ["Läsion 1", "a.b.c", "皮肤/x [1]"]


def test_hidden_files_and_folders_and_superpixels_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", ".b.jpg", ".cache/c.jpg", "ISIC_1_superpixels.png", "._a.jpg"])
    assert names(tmp_path) == ["a"]


def test_results_within_the_input_are_no_input(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", "masks/a.png", "sub/b.jpg", "sub/masks/b.png", "masks2/c.jpg"])
    assert names(tmp_path, [tmp_path / "masks", tmp_path / "sub/masks"]) == ["a", "masks2/c", "sub/b"]


def test_results_are_known_by_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, ["a.jpg", "masks/a.png"])
    (tmp_path / "link").symlink_to(tmp_path / "masks")
    monkeypatch.chdir(tmp_path)
    assert names(tmp_path, [Path("masks")]) == ["a"]
    assert names(".", [Path("../") / tmp_path.name / "masks"]) == ["a"]


def test_results_may_go_to_a_folder_around_the_input(tmp_path: Path) -> None:
    touch(tmp_path, ["photos/a.jpg"])
    assert names(tmp_path / "photos", [tmp_path]) == ["a"]


def test_one_folder_for_input_and_results_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg"])
    with pytest.raises(InputError, match=r"results are written there too .* give another output=FOLDER"):
        names(tmp_path, [tmp_path / "." / "sub" / ".."])


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, ["real/a.jpg", "photos/b.jpg"])
    (tmp_path / "photos/c.jpg").symlink_to(tmp_path / "real/a.jpg")
    (tmp_path / "photos/more").symlink_to(tmp_path / "real")
    (tmp_path / "photos/broken.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "photos/itself.jpg").symlink_to(tmp_path / "photos/itself.jpg")
    assert names(tmp_path / "photos") == ["b", "c", "more/a"]


@pytest.mark.parametrize("pattern", ["", "**/*.jpg"])
def test_links_back_end_the_walk(tmp_path: Path, pattern: str) -> None:
    touch(tmp_path, ["a.jpg", "one/b.jpg", "two/c.jpg"])
    (tmp_path / "one/up").symlink_to(tmp_path)
    (tmp_path / "one/across").symlink_to(tmp_path / "two")
    (tmp_path / "two/across").symlink_to(tmp_path / "one")
    found = names(tmp_path / pattern)
    assert {"a", "one/b", "two/c", "one/across/c", "two/across/b"} == set(found)


def test_a_folder_named_like_an_image_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, ["album.jpg/a.jpg"])
    assert names(tmp_path) == ["album.jpg/a"]


# Patterns


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.jpg", ["a", "b"]),
        ("photos/**/*.jpg", ["a", "b", "one/a", "one/two/c"]),
        ("photos/**", ["a", "b", "e", "one/a", "one/two/c"]),
        ("photos/*/*.jpg", ["one/a"]),
        ("photos/**/two/*", ["one/two/c"]),
        ("photos/one/**/*.jpg", ["a", "two/c"]),
        ("photos/[ab].jpg", ["a", "b"]),
        ("photos/?.png", ["e"]),
        ("*/a.jpg", ["photos/a"]),
        ("**/a.*", ["photos/a", "photos/one/a"]),
        ("**/one/**/*", ["photos/one/a", "photos/one/two/c"]),
        ("photos/.hidden/*.jpg", ["d"]),
        ("photos/.h*/*.jpg", [".hidden/d"]),
    ],
)
def test_a_pattern_chooses_and_names_begin_where_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, expected: list[str]
) -> None:
    touch(tmp_path / "photos", ["a.jpg", "b.jpg", "e.png", "one/a.jpg", "one/two/c.jpg", ".hidden/d.jpg", "notes.txt"])
    assert names(tmp_path / pattern) == expected
    monkeypatch.chdir(tmp_path)
    assert names(pattern) == expected


def test_what_exists_under_the_very_name_is_no_pattern(tmp_path: Path) -> None:
    touch(tmp_path, ["set [1]/a.jpg", "set 1/b.jpg", "set [1]/x[1].jpg", "set [1]/x1.jpg"])
    assert names(tmp_path / "set [1]") == ["a", "x1", "x[1]"]
    assert names(tmp_path / "set [1]/*.jpg") == ["a", "x1", "x[1]"]
    assert names(tmp_path / "set [1]/x[1].jpg") == ["x[1]"]


def test_results_that_a_pattern_would_find_are_left_out(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", "masks/b.png"])
    assert names(tmp_path / "**/*", [tmp_path / "masks"]) == ["a"]


def test_a_pattern_may_choose_photographs_beside_results(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", "a_mask.png"])
    assert names(tmp_path / "*.jpg", [tmp_path]) == ["a"]


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(touch(tmp_path, ["photos/a.jpg"])))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert names("~/photos") == names("~/photos/*") == names("~/photos/a.jpg") == ["a"]


# Single files


def test_a_single_file_is_named_after_itself(tmp_path: Path) -> None:
    touch(tmp_path, ["deep/down/a.b.JPG"])
    assert names(tmp_path / "deep/down/a.b.JPG", [tmp_path / "deep/down"]) == ["a.b"]


def test_a_single_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, ["notes.txt"])
    with pytest.raises(InputError, match=r"notes\.txt: is no image; allowed: \.apng .* \.jpg .* \.webp"):
        names(tmp_path / "notes.txt")


# What is no photograph, or none that can be read


def test_nothing_is_passed_over_in_silence(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", "sub/IMG_1.HEIC", "b.nef", "notes.txt", "b.txt", "README", "a_superpixels.png", "a.CR2"])
    listed = list_pictures(str(tmp_path), leave_out=[])
    assert [str(picture.name) for picture in listed.pictures] == ["a"]
    assert list(listed.unsupported) == ["b.nef", "sub/IMG_1.HEIC"]
    assert ".nef files are not supported; develop" in listed.unsupported["b.nef"]
    assert "pillow-heif" in listed.unsupported["sub/IMG_1.HEIC"]
    assert listed.passed_over == {
        ".txt": 2,
        "no suffix": 1,
        "superpixels": 1,
        ".cr2 beside a readable picture of the same name": 1,
    }


def test_a_folder_of_pictures_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    touch(tmp_path, ["a.heic", "b.HEIF", "notes.txt"])
    with pytest.raises(InputError, match=r"(?s)no picture that can be read:.*a\.heic: .*b\.HEIF: .*pillow-heif"):
        names(tmp_path)


def test_a_single_picture_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    touch(tmp_path, ["a.heic"])
    with pytest.raises(InputError, match=r"^input=.*a\.heic: \.heic files are not supported; convert"):
        names(tmp_path / "a.heic")


# Mistakes


@pytest.mark.parametrize("input_", ["gone", "gone/*.jpg", "gone.jpg", "photos/gone", "a\0b", "x" * 5000])
def test_what_is_not_there_is_named(tmp_path: Path, input_: str) -> None:
    touch(tmp_path, ["photos/a.jpg"])
    with pytest.raises(InputError, match=r"^input=.*: there is no such file or folder.*; allowed: an image, a folder"):
        names(f"{tmp_path}/{input_}")


def test_no_input_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(touch(tmp_path, ["a.jpg"]))
    with pytest.raises(InputError, match=r"^input=: there is no such file or folder"):
        names("")


@pytest.mark.parametrize(("pattern", "count"), [("", 2), ("*.pdf", 1), ("*.jpg", 0)])
def test_no_image_among_the_files_is_told_with_what_was_looked_for(tmp_path: Path, pattern: str, count: int) -> None:
    touch(tmp_path, ["a.pdf", "notes.txt"])
    with pytest.raises(InputError, match=rf"has no image \(\.apng .*\.webp\) among {count} files; give another input"):
        names(tmp_path / pattern)


def test_images_whose_results_would_share_a_name_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", "a.png", "b.jpg", "sub/b.jpg", "sub/b.tif"])
    with pytest.raises(InputError) as error:
        names(tmp_path)
    lines = str(error.value).splitlines()
    assert "the same name; rename or take out" in lines[0]
    assert lines[1:] == [
        f"  - {tmp_path}/a.jpg and {tmp_path}/a.png",
        f"  - {tmp_path}/sub/b.jpg and {tmp_path}/sub/b.tif",
    ]
    assert names(tmp_path / "**/*.jpg") == ["a", "b", "sub/b"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the administrator may read everything")
def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path, ["a.jpg", "secret/b.jpg"])
    (tmp_path / "secret").chmod(0)
    try:
        with pytest.raises(InputError, match=r"secret: cannot be read \(Permission denied\)"):
            names(tmp_path)
        assert names(tmp_path / "*.jpg") == ["a"]
    finally:
        (tmp_path / "secret").chmod(0o700)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, ["a.jpg", "bad/b.jpg"])
    scan = os.scandir

    def failing(folder: str) -> object:
        if folder.endswith("bad"):
            raise OSError(5, "Input/output error")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(InputError, match=r"bad: cannot be read \(Input/output error\)"):
        names(tmp_path)
