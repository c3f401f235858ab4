import io
import shutil
import stat
import zipfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesionseg.data import download_archives as unpacking
from lesionseg.data.download_archives import unpack
from lesionseg.errors import InputError

Usage = namedtuple("Usage", "total used free")
Tree = Callable[[Path], dict[str, str]]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "Data.zip"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "Data"


LAYOUTS = {
    "no top folder": {"a.jpg": b"A", "inner/b.jpg": b"B"},
    "a top folder of the name": {"Data/a.jpg": b"A", "Data/inner/b.jpg": b"B"},
    "a folder of the name in one of the name": {"Data/Data/a.jpg": b"A", "Data/Data/inner/b.jpg": b"B"},
    "a lone folder around it": {"export/Data/a.jpg": b"A", "export/Data/inner/b.jpg": b"B"},
    "a lone folder of another name": {"other/a.jpg": b"A", "other/inner/b.jpg": b"B"},
    "made on macOS": {"Data/a.jpg": b"A", "Data/inner/b.jpg": b"B", "__MACOSX/Data/._a.jpg": b"x", ".DS_Store": b"x"},
    "made on Windows": {"Data\\a.jpg": b"A", "Data\\inner\\b.jpg": b"B"},
}


@pytest.mark.parametrize("members", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_the_files_come_to_lie_in_the_folder(
    archive: Path, folder: Path, zipped: Any, tree: Tree, members: dict[str, bytes]
) -> None:
    archive.write_bytes(zipped(members))
    unpack(archive, folder)
    assert tree(folder) == {"a.jpg": "A", "inner/b.jpg": "B"}
    assert sorted(archive.parent.iterdir()) == [folder, archive]


def test_names_keep_their_letters(archive: Path, folder: Path, zipped: Any, tree: Tree) -> None:
    archive.write_bytes(zipped({"Läsion/naevus ñ 痣.jpg": "é".encode()}))
    unpack(archive, folder)
    assert tree(folder) == {"naevus ñ 痣.jpg": "é"}


@pytest.mark.parametrize("name", ["../x", "Data/../../x", "/abs", "C:\\x", "C:x", "..\\x", "\\\\host\\share\\x"])
def test_a_member_that_would_leave_the_folder_is_refused_by_name(
    archive: Path, folder: Path, zipped: Any, name: str
) -> None:
    archive.write_bytes(zipped({"Data/a.jpg": b"A", name: b"evil"}))
    with pytest.raises(InputError, match="nothing of it was unpacked") as caught:
        unpack(archive, folder)
    assert repr(name) in str(caught.value)
    assert list(archive.parent.iterdir()) == [archive]


@pytest.mark.parametrize(("kind", "word"), [(stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "no ordinary file")])
def test_a_link_and_a_device_are_refused_by_name(archive: Path, folder: Path, kind: int, word: str) -> None:
    member = zipfile.ZipInfo("Data/link.jpg")
    member.create_system, member.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(member, "/etc/passwd")
    with pytest.raises(InputError, match=rf"'Data/link\.jpg' is {'a ' if 'link' in word else ''}{word}"):
        unpack(archive, folder)
    assert not folder.exists()


def test_a_bomb_is_refused_unopened(archive: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "BOMB_SIZE", 10**6)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros.jpg", bytes(2 * 10**6))  # deflates to a thousandth
    with pytest.raises(InputError, match=r"kB would become 2.0 MB"):
        unpack(archive, folder)
    assert not folder.exists()


def test_a_small_archive_of_black_pictures_is_no_bomb(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("zeros.png", bytes(2 * 10**6))
    unpack(archive, folder)
    assert (folder / "zeros.png").stat().st_size == 2 * 10**6


def test_a_disk_too_small_keeps_the_archive(
    archive: Path, folder: Path, zipped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write_bytes(zipped({"a.jpg": bytes(5000)}))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**6, 10**6, 4000))
    with pytest.raises(InputError, match=r"needs 5.0 kB to unpack.* 4.0 kB free"):
        unpack(archive, folder)
    assert list(archive.parent.iterdir()) == [archive]


def flipped(content: bytes) -> bytes:
    place = content.index(b"pixels")
    return content[:place] + b"P" + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped byte": flipped,
    "a missing end": lambda content: content[:-30],
    "a page of text": lambda content: b"<html>Please log in</html>",
    "nothing": lambda content: b"",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_archive_is_deleted(
    archive: Path, folder: Path, zipped: Any, damage: Callable[[bytes], bytes]
) -> None:
    archive.write_bytes(damage(zipped({"Data/a.jpg": b"A", "Data/b.jpg": b"pixels"})))
    with pytest.raises(InputError, match=r"Data\.zip is damaged .*run the same command again"):
        unpack(archive, folder)
    assert not list(archive.parent.iterdir())


def test_damaged_compressed_bytes_are_found_too(archive: Path, folder: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.jpg", bytes(range(256)) * 100)
    content = bytearray(stream.getvalue())
    content[100:110] = bytes(10)
    archive.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        unpack(archive, folder)
    assert not list(archive.parent.iterdir())


def test_an_archive_without_a_file_is_damaged(archive: Path, folder: Path, zipped: Any) -> None:
    archive.write_bytes(zipped({"Data/": b""}))
    with pytest.raises(InputError, match="holds no file"):
        unpack(archive, folder)


def test_what_a_killed_run_left_is_swept(archive: Path, folder: Path, zipped: Any, tree: Tree) -> None:
    leftover = archive.parent / ".Data.unpacking"
    leftover.mkdir()
    (leftover / "half.jpg").write_bytes(b"half")
    archive.write_bytes(zipped({"a.jpg": b"A"}))
    unpack(archive, folder)
    assert tree(folder) == {"a.jpg": "A"}


def test_an_interruption_leaves_no_half_folder(
    archive: Path, folder: Path, zipped: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write_bytes(zipped({"a.jpg": b"A", "b.jpg": b"B"}))
    copy = shutil.copyfileobj

    def stop(packed: Any, file: Any) -> None:
        if file.name.endswith("b.jpg"):
            raise KeyboardInterrupt
        copy(packed, file)

    monkeypatch.setattr(shutil, "copyfileobj", stop)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, folder)
    assert list(archive.parent.iterdir()) == [archive]
