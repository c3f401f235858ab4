"""The disk cache: each file read once for all runs, whatever happens to runs, disks and the cache's own files."""

import errno
import json
import logging
import operator
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionseg.data import cache as cache_module
from lesionseg.data.cache import DiskCache
from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import FilePair, Resized
from lesionseg.errors import InputError

COUNT = 12
SIZE = 32
ARRAYS = ("images", "masks", "shares", "checksums")

FILL = """
import os, sys, time
from pathlib import Path
from lesionseg.data.cache import DiskCache
from lesionseg.data.pairing import pair_folders
from lesionseg.data.source import FilePair

root, folder, log, where, seconds = (*map(Path, sys.argv[1:4]), sys.argv[4], float(sys.argv[5]))
read, allocate = FilePair.read_resized, os.posix_fallocate

def note(word):
    with log.open("a") as file:
        file.write(word + chr(10))

def noted_read(sample, size):
    note(sample.id)
    if where == "reading":
        time.sleep(seconds)
    return read(sample, size)

def noted_allocate(*arguments):
    allocate(*arguments)
    if where == "allocating":
        note("allocated")
        time.sleep(seconds)

FilePair.read_resized, os.posix_fallocate = noted_read, noted_allocate
pairs = pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs
note("ready")
DiskCache(pairs, 32, folder).prepare(range(len(pairs)))
"""
"""A run of its own that fills the cache, says what it reads, and takes its time."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve pairs of noise, each of another size and share of lesion."""
    rng = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for number in range(COUNT):
        image = rng.integers(0, 256, (33 + number, 40, 3), dtype=np.uint8)
        mask = np.where(rng.random(image.shape[:2]) < 0.3 + number / 30, 255, 0).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "data" / "images" / f"{number:02d}.png")
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{number:02d}.png")
    return tmp_path / "data"


@pytest.fixture
def pairs(root: Path) -> list[FilePair]:
    return list(pair_folders([root / "images"], [root / "masks"], mask_suffix="").pairs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids in the order in which their files are read."""
    seen: list[str] = []
    read = FilePair.read_resized

    def noted(sample: FilePair, size: int) -> Resized:
        seen.append(sample.id)
        return read(sample, size)

    monkeypatch.setattr(FilePair, "read_resized", noted)
    return seen


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk of its own; only root may."""
    places: list[Path] = []

    def mounted(options: str) -> Path:
        place = tmp_path / "disk"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("mounting a disk is not allowed here")
        places.append(place)
        return place

    yield mounted
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def filled(pairs: list[FilePair], folder: Path) -> DiskCache:
    cache = DiskCache(pairs, SIZE, folder)
    cache.prepare(range(len(pairs)))
    return cache


def assert_right(cache: DiskCache, truth: list[Resized]) -> None:
    for row, expected in enumerate(truth):
        found = cache[row]
        assert np.array_equal(found.image, expected.image)
        assert np.array_equal(found.mask, expected.mask)
        assert found.lesion_share == expected.lesion_share


@pytest.fixture
def truth(pairs: list[FilePair]) -> list[Resized]:
    return [pair.read_resized(SIZE) for pair in pairs]


def no_room(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# What it holds, and when it reads


def test_rows_are_what_is_read_from_the_files(pairs: list[FilePair], folder: Path, truth: list[Resized]) -> None:
    assert_right(filled(pairs, folder), truth)


def test_it_is_filled_once_for_all_that_want_the_same(
    pairs: list[FilePair], folder: Path, truth: list[Resized], reads: list[str]
) -> None:
    filled(pairs, folder)
    assert sorted(reads) == [pair.id for pair in pairs]
    reads.clear()
    assert_right(filled(pairs, folder), truth)
    assert not reads


def test_only_rows_that_are_asked_for_are_read(pairs: list[FilePair], folder: Path, reads: list[str]) -> None:
    for rows, expected in (([3, 5], ["03", "05"]), ([5, 7], ["07"]), ([], [])):
        reads.clear()
        DiskCache(pairs, SIZE, folder).prepare(rows)
        assert sorted(reads) == expected


def test_a_row_that_was_not_prepared_is_read_and_kept_without_a_warning(
    pairs: list[FilePair], folder: Path, truth: list[Resized], reads: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    cache = DiskCache(pairs, SIZE, folder)
    cache.prepare([0])
    assert_right(cache, truth)
    reads.clear()
    assert_right(filled(pairs, folder), truth)
    assert not reads
    assert not caplog.records


def test_what_all_runs_share_cannot_be_changed_by_one(pairs: list[FilePair], folder: Path) -> None:
    row = filled(pairs, folder)[0]
    for array in (row.image, row.mask):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 1


def rewrite(path: Path) -> None:
    """Another picture of the same length at another time."""
    raw = path.read_bytes()
    path.write_bytes(raw)
    os.utime(path, ns=(1, 1))


def lengthen(path: Path) -> None:
    """Another length at the same time."""
    before = path.stat()
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(path: Path) -> None:
    """Other contents of the same size and time, as a copy that keeps times leaves them."""
    before = path.stat()
    time.sleep(0.02)  # file systems count time in steps
    path.write_bytes(bytes(before.st_size))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [rewrite, lengthen, exchange])
@pytest.mark.parametrize("kind", ["images", "masks"])
def test_a_changed_file_makes_another_cache(
    pairs: list[FilePair], root: Path, folder: Path, change: Callable[[Path], None], kind: str
) -> None:
    before = DiskCache(pairs, SIZE, folder).folder
    change(root / kind / "04.png")
    assert DiskCache(pairs, SIZE, folder).folder != before


def test_a_mask_of_equal_size_and_time_is_not_taken_from_the_old_cache(
    pairs: list[FilePair], folder: Path, truth: list[Resized]
) -> None:
    filled(pairs, folder)
    mask = pairs[3].mask_path
    before = mask.stat()
    inverted = Image.eval(Image.open(mask), lambda value: 255 - value)
    inverted.save(mask, compress_level=0)  # stored, so that both have one size
    size = mask.stat().st_size
    Image.eval(inverted, lambda value: 255 - value).save(mask, compress_level=0)
    os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert mask.stat().st_size == size
    assert np.array_equal(filled(pairs, folder)[3].mask, truth[3].mask)
    time.sleep(0.02)  # file systems count time in steps
    inverted.save(mask, compress_level=0)
    os.utime(mask, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (mask.stat().st_size, mask.stat().st_mtime_ns) == (size, before.st_mtime_ns)
    assert np.mean(filled(pairs, folder)[3].mask != truth[3].mask) > 0.9


def test_another_size_or_list_makes_another_cache_and_all_live_side_by_side(
    pairs: list[FilePair], folder: Path, truth: list[Resized], reads: list[str]
) -> None:
    for cache in (DiskCache(pairs, 40, folder), DiskCache(pairs[:5], SIZE, folder), DiskCache(pairs[::-1], 32, folder)):
        cache.prepare(range(len(cache.samples)))
    assert_right(filled(pairs, folder), truth)
    reads.clear()
    assert DiskCache(pairs, 40, folder)[0].image.shape == (40, 40, 3)
    assert_right(DiskCache(pairs[:5], SIZE, folder), truth[:5])
    assert_right(DiskCache(pairs[::-1], SIZE, folder), truth[::-1])
    assert not reads


def test_a_missing_file_is_named(pairs: list[FilePair], folder: Path) -> None:
    pairs[3].mask_path.unlink()
    with pytest.raises(InputError, match=r"masks.03\.png: cannot be read"):
        DiskCache(pairs, SIZE, folder)


def test_all_unreadable_files_are_named_and_the_others_kept(
    pairs: list[FilePair], folder: Path, reads: list[str]
) -> None:
    for number in (2, 9):
        pairs[number].image_path.write_bytes(b"no image")
    with pytest.raises(InputError) as error:
        filled(pairs, folder)
    assert "02.png" in str(error.value)
    assert "09.png" in str(error.value)
    reads.clear()
    DiskCache(pairs, SIZE, folder).prepare([row for row in range(COUNT) if row not in (2, 9)])
    assert not reads


# Other processes


def test_a_spawned_process_opens_the_same_cache_again(
    pairs: list[FilePair], folder: Path, truth: list[Resized]
) -> None:
    cache = filled(pairs, folder)
    for pair in pairs:
        pair.image_path.write_bytes(b"no image")  # whoever read it again would fail
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as processes:
        found = processes.submit(operator.getitem, cache, 4).result()
    assert np.array_equal(found.image, truth[4].image)
    assert np.array_equal(found.mask, truth[4].mask)


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(root: Path, folder: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts runs that fill the cache; none outlives the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*, where: str = "reading", seconds: float = 0.0) -> subprocess.Popen[bytes]:
        arguments = [str(root), str(folder), str(tmp_path / "log"), where, str(seconds)]
        started.append(subprocess.Popen([sys.executable, "-c", FILL, *arguments]))
        return started[-1]

    (tmp_path / "log").touch()
    yield run
    for process in started:
        process.kill()
        process.wait()


def noted(tmp_path: Path) -> list[str]:
    return [word for word in (tmp_path / "log").read_text().split() if word != "ready"]


def kill_once_it_noted(process: subprocess.Popen[bytes], tmp_path: Path, count: int) -> None:
    limit = time.monotonic() + 30
    while len(noted(tmp_path)) < count and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_two_runs_that_fill_at_once_read_each_file_once_together(
    pairs: list[FilePair], folder: Path, truth: list[Resized], start: Start, tmp_path: Path
) -> None:
    runs = [start(seconds=0.1), start(seconds=0.1)]
    assert [run.wait(timeout=60) for run in runs] == [0, 0]
    assert sorted(noted(tmp_path)) == [pair.id for pair in pairs]
    assert_right(DiskCache(pairs, SIZE, folder), truth)


def test_a_killed_run_leaves_whole_rows_and_the_next_one_reads_only_the_rest(
    pairs: list[FilePair],
    folder: Path,
    truth: list[Resized],
    reads: list[str],
    start: Start,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kill_once_it_noted(start(seconds=0.2), tmp_path, count=7)
    cache = filled(pairs, folder)
    assert 0 < len(reads) < COUNT
    assert set(reads) | set(noted(tmp_path)) == {pair.id for pair in pairs}
    assert_right(cache, truth)
    assert not caplog.records


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room on a disk")
def test_what_a_run_killed_while_it_made_the_folder_left_is_removed(
    pairs: list[FilePair], folder: Path, truth: list[Resized], start: Start, tmp_path: Path
) -> None:
    kill_once_it_noted(start(where="allocating", seconds=30), tmp_path, count=1)
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    cache = filled(pairs, folder)
    assert_right(cache, truth)
    assert [path for path in folder.iterdir() if path.is_dir()] == [cache.folder]


# Disks


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve room on a disk")
def test_a_full_disk_is_told_before_any_reading_with_room_and_remedy(
    pairs: list[FilePair], folder: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with pytest.raises(InputError, match=r"No space left .*MB and \d+ MB are free\. Give another data\.cache_dir, or"):
        filled(pairs, folder)
    assert not reads
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_a_disk_that_is_really_too_small_is_told(
    pairs: list[FilePair], mount: Callable[[str], Path], reads: list[str]
) -> None:
    disk = mount("size=32k")  # the twelve rows take 49 kB
    with pytest.raises(InputError, match=r"No space left .* and 0 MB are free"):
        filled(pairs, disk / "cache")
    assert not reads


def test_a_disk_that_fills_up_midway_keeps_the_rows_before(
    pairs: list[FilePair], folder: Path, truth: list[Resized], reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write = cache_module._write_row

    def write_five_rows(path: Path, rows_from_end: int, content: bytes) -> None:
        if COUNT - rows_from_end >= 5:
            no_room()
        write(path, rows_from_end, content)

    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "_write_row", write_five_rows)
        with pytest.raises(InputError, match=r"No space left .*MB are free.*data\.cache=memory or none"):
            filled(pairs, folder)
    reads.clear()
    cache = filled(pairs, folder)
    assert sorted(reads) == [pair.id for pair in pairs[5:]]
    assert_right(cache, truth)


def test_a_folder_that_may_not_be_written_is_told(
    pairs: list[FilePair], tmp_path: Path, mount: Callable[[str], Path]
) -> None:
    if os.name == "posix" and os.geteuid() != 0:
        place = tmp_path / "locked"
        place.mkdir(mode=0o500)
    else:
        place = mount("ro")  # root may write everywhere else
    with pytest.raises(InputError, match=r"cannot be written \((Read-only|Permission).*data\.cache_dir"):
        filled(pairs, place / "cache")


def test_a_file_in_the_folders_place_is_told(pairs: list[FilePair], folder: Path) -> None:
    folder.write_text("mine")
    with pytest.raises(InputError, match=r"cannot be written .*data\.cache_dir"):
        filled(pairs, folder)
    assert folder.read_text() == "mine"


# Damage


def cut_images(folder: Path) -> None:
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes()[:-1])


def spoil_index(folder: Path) -> None:
    (folder / "index.json").write_bytes(b"\xff\x00{")


def header(content: bytes) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "images.npy"
        path.write_bytes(content + path.read_bytes()[len(content) :])

    return spoil


def open_bracket(folder: Path) -> None:
    """One byte in the header: a bracket that is never closed."""
    path = folder / "images.npy"
    path.write_bytes(path.read_bytes().replace(b"}", b" ", 1))


DAMAGE = {
    "images cut": cut_images,
    "images empty": lambda folder: (folder / "images.npy").write_bytes(b""),
    "masks gone": lambda folder: (folder / "masks.npy").unlink(),
    "checksums gone": lambda folder: (folder / "checksums.npy").unlink(),
    "index garbage": spoil_index,
    "index gone": lambda folder: (folder / "index.json").unlink(),
    "header of zeros": header(b"\0" * 64),
    "header of text": header(b"\x93NUMPY\x01\x00v\x00what is this"),
    "one byte of the header": open_bracket,
    "everything gone": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cache_is_made_again_with_a_warning(
    pairs: list[FilePair],
    folder: Path,
    truth: list[Resized],
    reads: list[str],
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], Any],
) -> None:
    place = filled(pairs, folder).folder
    damage(place)
    reads.clear()
    assert_right(filled(pairs, folder), truth)
    assert sorted(reads) == [pair.id for pair in pairs]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"{place} is damaged: it is made again" in caplog.text
    assert [path for path in folder.iterdir() if path.is_dir()] == [place]


@pytest.mark.parametrize("damage", [cut_images, shutil.rmtree])
def test_rows_seen_before_it_was_made_again_are_not_taken_for_whole(
    pairs: list[FilePair], folder: Path, truth: list[Resized], damage: Callable[[Path], None]
) -> None:
    """The new files hold zeros until a row is read, also for the rows that this process has verified in the old ones.

    Deleting the cache between training and test is enough.
    """
    cache = filled(pairs, folder)
    assert_right(cache, truth)
    damage(cache.folder)
    cache.prepare([5])
    assert_right(cache, truth)


def test_rows_seen_before_it_was_sent_to_another_process_are_verified_there_again(
    pairs: list[FilePair], folder: Path, truth: list[Resized]
) -> None:
    """Between the two another run may have made the cache again."""
    cache = filled(pairs, folder)
    assert_right(cache, truth)
    sent = pickle.dumps(cache)
    shutil.rmtree(cache.folder)
    DiskCache(pairs, SIZE, folder).prepare([5])
    assert_right(pickle.loads(sent), truth)


def flip(place: Path, name: str, row: int) -> None:
    """Flips one bit in the middle of a row."""
    content = bytearray((place / f"{name}.npy").read_bytes())
    length = np.load(place / f"{name}.npy")[0].nbytes
    content[len(content) - (COUNT - row) * length + length // 2] ^= 1
    (place / f"{name}.npy").write_bytes(content)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("row", [0, 4, COUNT - 1])
def test_a_flipped_bit_is_noticed_read_again_and_mended(
    pairs: list[FilePair],
    folder: Path,
    truth: list[Resized],
    reads: list[str],
    caplog: pytest.LogCaptureFixture,
    name: str,
    row: int,
) -> None:
    flip(filled(pairs, folder).folder, name, row)
    reads.clear()
    assert_right(filled(pairs, folder), truth)
    assert reads == [pairs[row].id]
    assert caplog.messages == [f"The cached copy of {pairs[row].id} is damaged: it is read again."]
    caplog.clear()
    reads.clear()
    assert_right(filled(pairs, folder), truth)
    assert not reads
    assert not caplog.records


def test_a_damaged_row_whose_original_is_unreadable_by_then_names_it(pairs: list[FilePair], folder: Path) -> None:
    cache = filled(pairs, folder)
    flip(cache.folder, "images", 4)
    pairs[4].image_path.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"04\.png"):
        cache[4]
    assert cache[3].image.any()


def test_a_damaged_row_on_a_disk_that_cannot_be_written_is_no_crash(
    pairs: list[FilePair], folder: Path, truth: list[Resized], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either the row is given without being mended, or its user is told; never a bare OSError."""
    cache = filled(pairs, folder)
    flip(cache.folder, "images", 4)
    monkeypatch.setattr(cache_module, "_write_row", no_room)
    for _ in range(3):  # not only the first time
        with suppress(InputError):
            assert np.array_equal(cache[4].image, truth[4].image)


# What is remembered beside the pixels


def test_what_was_computed_is_remembered_for_other_runs(pairs: list[FilePair], folder: Path) -> None:
    assert filled(pairs, folder).remember("answer", lambda: [[1, 2, 0.5]]) == [[1, 2, 0.5]]
    assert filled(pairs, folder).remember("answer", lambda: pytest.fail("computed again")) == [[1, 2, 0.5]]
    assert filled(pairs, folder).remember("another", lambda: 3) == 3
    assert filled(pairs[:5], folder).remember("answer", lambda: 4) == 4


@pytest.mark.parametrize("content", [b"", b"[[1,", b"\xff\xfe"])
def test_a_damaged_memory_is_computed_again(pairs: list[FilePair], folder: Path, content: bytes) -> None:
    cache = filled(pairs, folder)
    (cache.folder / "answer.json").write_bytes(content)
    assert cache.remember("answer", lambda: [1]) == [1]
    assert json.loads((cache.folder / "answer.json").read_text()) == [1]


def test_a_computation_that_fails_leaves_nothing(pairs: list[FilePair], folder: Path) -> None:
    cache = filled(pairs, folder)
    before = sorted(cache.folder.iterdir())

    def fail() -> None:
        raise InputError("unreadable")

    with pytest.raises(InputError, match="unreadable"):
        cache.remember("answer", fail)
    assert sorted(cache.folder.iterdir()) == before


def test_a_disk_full_at_that_moment_is_no_crash_and_leaves_nothing(
    pairs: list[FilePair], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either the value is given without being kept, or the user is told; never a bare OSError or half a file."""
    cache = filled(pairs, folder)
    before = sorted(cache.folder.iterdir())
    monkeypatch.setattr(os, "replace", no_room)
    with suppress(InputError):
        assert cache.remember("answer", lambda: [1]) == [1]
    assert sorted(cache.folder.iterdir()) == before
