"""The whole path: a small copy of a challenge on a server, and what a user has in the end."""

import io
import shlex
import shutil
import stat
import sys
import zipfile
from collections import namedtuple
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
import pytest
from filelock import FileLock

from lesionseg.config.command_line import literal_words, override, value_of
from lesionseg.config.schema import CONF, register_schemas
from lesionseg.data import download_archives as unpacking
from lesionseg.data.download_archives import unpack
from lesionseg.data.published import Isic2016, Isic2018
from lesionseg.download import download
from lesionseg.errors import InputError

pytestmark = pytest.mark.usefixtures("no_pauses")

# Written out, not taken from the code: these are the publisher's own addresses.
ISIC2018 = {
    "ISIC2018_Task1-2_Training_Input": ["ISIC_0000000.jpg", "ISIC_0000001.jpg", "ATTRIBUTION.txt"],
    "ISIC2018_Task1_Training_GroundTruth": ["ISIC_0000000_segmentation.png", "ISIC_0000001_segmentation.png"],
    "ISIC2018_Task1-2_Validation_Input": ["ISIC_0012255.jpg"],
    "ISIC2018_Task1_Validation_GroundTruth": ["ISIC_0012255_segmentation.png"],
    "ISIC2018_Task1-2_Test_Input": ["ISIC_0012169.jpg"],
    "ISIC2018_Task1_Test_GroundTruth": ["ISIC_0012169_segmentation.png"],
}
ISIC2016 = {
    "ISBI2016_ISIC_Part1_Training_Data": ["ISIC_0000000.jpg"],
    "ISBI2016_ISIC_Part1_Training_GroundTruth": ["ISIC_0000000_Segmentation.png"],
    "ISBI2016_ISIC_Part1_Test_Data": ["ISIC_0000003.jpg"],
    "ISBI2016_ISIC_Part1_Test_GroundTruth": ["ISIC_0000003_Segmentation.png"],
}
COUNTS = {"train": 2, "validation": 1, "test": 1}
Run = Callable[..., dict[str, int]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "new" / "isic"


@pytest.fixture
def run(server: Any, root: Path, zipped: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Downloads from a server that holds both challenges."""
    monkeypatch.setattr(Isic2018, "OFFICIAL_COUNTS", COUNTS)
    monkeypatch.setattr(Isic2016, "OFFICIAL_COUNTS", {"train": 1, "test": 1})
    for year, folders in ((2018, ISIC2018), (2016, ISIC2016)):
        for folder, names in folders.items():
            content = zipped({f"{folder}/{name}": name.encode() for name in names})
            server.files[f"/{year}/{folder}.zip"] = content

    def call(*overrides: str, data: str = "isic2018") -> dict[str, int]:
        register_schemas()
        given: Sequence[str] = (f"data={data}", f"data.root='{root}'", f"server={server.address}/", *overrides)
        with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
            return download(hydra.compose("download", overrides=list(given)))

    return call


def visible(root: Path) -> set[str]:
    return {path.name for path in root.iterdir() if not path.name.startswith(".")}


def test_every_folder_is_there_in_the_end(run: Run, root: Path) -> None:
    assert run() == COUNTS
    assert visible(root) == set(ISIC2018)
    for folder, names in ISIC2018.items():
        assert {path.name for path in (root / folder).iterdir()} == set(names)


def test_a_challenge_without_validation_part(run: Run, root: Path) -> None:
    assert run(data="isic2016") == {"train": 1, "test": 1}
    assert visible(root) == set(ISIC2016)


def test_the_next_commands_are_printed(run: Run, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    printed = capsys.readouterr().out
    assert f"Complete in {root}: train 2, validation 1, test 1 pairs" in printed
    assert f"python -m lesionseg.train data=isic2018 data.root={root}" in printed
    assert f"python -m lesionseg.check_data data=isic2018 data.root={root}" in printed


@pytest.mark.parametrize(
    "value", ["data/isic", "my data", "Läsionen 痣", "it's", "a,b={c}", "C:\\data\\", "back\\'slash", "[x]", "12", "#1"]
)
def test_a_printed_choice_can_be_copied_whatever_the_folder(value: str) -> None:
    (word,) = shlex.split(override("data.root", value))
    assert value_of(*literal_words([word])) == value


def test_a_second_run_fetches_nothing(run: Run, server: Any, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run()
    server.asked.clear()
    capsys.readouterr()
    assert run() == COUNTS
    assert not server.asked
    assert capsys.readouterr().out.count("there already, skipped") == 6


def test_only_the_missing_folder_is_fetched(run: Run, server: Any, root: Path) -> None:
    run()
    server.asked.clear()
    shutil.rmtree(root / "ISIC2018_Task1-2_Test_Input")
    (root / "ISIC2018_Task1-2_Training_Input" / "mine.txt").write_text("kept")
    assert run() == COUNTS
    assert len(server.asked) == 1
    assert (root / "ISIC2018_Task1-2_Training_Input" / "mine.txt").is_file()


def test_archives_are_kept_where_wished(run: Run, server: Any, root: Path) -> None:
    run("keep_archives=true")
    assert {path.name for path in root.glob("*.zip")} == {f"{folder}.zip" for folder in ISIC2018}
    server.asked.clear()
    shutil.rmtree(root / "ISIC2018_Task1-2_Test_Input")
    run("keep_archives=true")
    assert not server.asked


def test_a_damaged_archive_comes_again_with_the_next_run(run: Run, server: Any, root: Path) -> None:
    path = "/2018/ISIC2018_Task1_Training_GroundTruth.zip"
    whole = server.files[path]
    server.files[path] = whole.replace(b"ISIC_0000001_segmentation.png", b"ISIC_0000001_segmentatiom.png", 1)
    with pytest.raises(InputError, match="damaged"):
        run()
    assert visible(root) == {"ISIC2018_Task1-2_Training_Input"}
    server.files[path] = whole
    assert run() == COUNTS


def test_a_wrong_number_of_pairs_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Isic2018, "OFFICIAL_COUNTS", {"train": 2594, "validation": 1, "test": 1000})
    with pytest.raises(InputError) as caught:
        run()
    assert "train: found 2 pairs, expected 2594" in str(caught.value)
    assert "test: found 1 pairs, expected 1000" in str(caught.value)
    assert "validation" not in str(caught.value)


def test_an_image_without_mask_is_named(run: Run, server: Any, zipped: Any) -> None:
    server.files["/2018/ISIC2018_Task1_Test_GroundTruth.zip"] = zipped({"LICENSE.txt": b""})
    with pytest.raises(InputError, match=r"ISIC_0012169\.jpg has no mask"):
        run()


def test_a_missing_package_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lesionseg.data.download_fetch", raising=False)
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(InputError, match=r"pip install 'lesionseg\[download\]'"):
        run()


def test_two_processes_do_not_write_to_one_folder(run: Run, root: Path) -> None:
    root.mkdir(parents=True)
    with (
        FileLock(root / ".lesionseg_download.lock", is_singleton=False),
        pytest.raises(InputError, match="Another process"),
    ):
        run()


def test_a_root_that_is_a_file_is_named(run: Run, root: Path) -> None:
    root.parent.mkdir()
    root.write_text("no folder")
    with pytest.raises(InputError, match=f"{root} cannot be read or written"):
        run()


def test_a_full_disk_is_named_and_nothing_is_lost(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    with monkeypatch.context() as patch:
        patch.setattr("lesionseg.data.download_archives.unpack", full)
        with pytest.raises(InputError, match="No space left on device"):
            run()
    assert visible(root) == {"ISIC2018_Task1-2_Training_Input.zip"}
    assert run() == COUNTS


def test_control_c_says_how_to_go_on(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(file: Path, folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lesionseg.data.download_archives.unpack", stop)
    with pytest.raises(KeyboardInterrupt):
        run()
    assert "run the same command again" in capsys.readouterr().out


MISTAKES = {
    "by request only": (["data=ph2"], "Request PH2 from its authors"),
    "behind terms": (["data=ham10000"], "10.7910/DVN/DBW86T"),
    "the user's own": (["data=folder"], "has no archives to download"),
    "drawn, not downloaded": (["data=synthetic"], "It needs no files"),
    "several sources": (["data=combined"], "download each of them by itself"),
    "no server": (["data=isic2018", "server=ftp://example.org"], "server is ftp://example.org; allowed"),
    "no time": (["data=isic2018", "timeout=0"], "timeout is 0.0; allowed: above 0"),
    "a time without an end": (["data=isic2018", "timeout=inf"], "timeout is inf; allowed: at most 86400"),
    "no root": (["data=isic2018", "data.root=null"], "data.root is None; allowed: a folder"),
    "a refused setting": (["data=isic2018", "data.fold=99"], "data.fold is 99"),
    "no data": ([], "data is not given"),
    "no source": (["data=isic2018", "data._target_=os.nothing"], "data._target_ is os.nothing"),
    "another kind of thing": (["data=isic2018", "data._target_=pathlib.Path"], "is no data source"),
}


@pytest.mark.parametrize(("overrides", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_before_anything_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    register_schemas()
    with hydra.initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        cfg = hydra.compose("download", overrides=overrides)
    with pytest.raises(InputError) as caught:
        download(cfg)
    assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


# Unpacking

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
