import shutil
import socket
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lesionseg.data.download_fetch import PartFile, Version, retrieve
from lesionseg.errors import InputError

BODY = bytes(range(256)) * 4000
"""1,024,000 bytes: more than fit into the buffers on the way."""
KEPT = 262_144
"""Bytes; a multiple of the 64 KiB that are written at once, so that all of them survive."""
Usage = namedtuple("Usage", "total used free")

pytestmark = pytest.mark.usefixtures("no_pauses")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a.zip"


@pytest.fixture
def get(server: Any, target: Path) -> Callable[[], None]:
    server.files["/a.zip"] = BODY

    def call() -> None:
        retrieve(f"{server.address}/a.zip", target, timeout=0.5)

    return call


def interrupt(server: Any, get: Callable[[], None], kept: int) -> None:
    """Leaves a part of so many bytes: the connection is cut, and the server is out of order for every other try."""
    server.cuts, server.statuses = [kept], [200, 503, 503]
    with pytest.raises(InputError, match="it resumes the download"):
        get()
    assert not server.statuses
    server.asked.clear()


def test_a_file_arrives_whole_and_alone(get: Callable[[], None], target: Path) -> None:
    get()
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


def test_a_file_that_is_there_is_not_asked_for(server: Any, get: Callable[[], None], target: Path) -> None:
    target.write_bytes(b"mine")
    get()
    assert target.read_bytes() == b"mine"
    assert not server.asked


def test_a_download_that_is_killed_leaves_only_its_part(
    server: Any, get: Callable[[], None], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.cuts, seen = [KEPT], []
    names = ["a.zip.part", "a.zip.part.json"]
    monkeypatch.setattr(
        "lesionseg.data.download_fetch.time.sleep",
        lambda seconds: seen.append(sorted(path.name for path in target.parent.iterdir())),
    )
    get()
    assert seen == [names]


def test_dropped_connections_are_continued(server: Any, get: Callable[[], None], target: Path) -> None:
    server.cuts = [KEPT, 131_072, 65_536, 131_072, 65_536]  # more often than without progress would be put up with
    get()
    assert target.read_bytes() == BODY
    assert server.asked[:3] == [None, "bytes=262144-", "bytes=393216-"]


def test_a_later_run_continues(server: Any, get: Callable[[], None], target: Path) -> None:
    interrupt(server, get, KEPT)
    assert target.with_name("a.zip.part").read_bytes() == BODY[:KEPT]
    get()
    assert server.asked == ["bytes=262144-"]
    assert target.read_bytes() == BODY
    assert list(target.parent.iterdir()) == [target]


def test_a_server_that_knows_only_dates_continues(server: Any, get: Callable[[], None], target: Path) -> None:
    server.etag, server.last_modified = None, "Wed, 21 Oct 2015 07:28:00 GMT"
    interrupt(server, get, KEPT)
    get()
    assert server.asked == ["bytes=262144-"]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_sure_mark_the_file_starts_again(
    server: Any, get: Callable[[], None], target: Path, etag: str | None
) -> None:
    server.etag = etag
    interrupt(server, get, KEPT)
    get()
    assert server.asked == [None]
    assert target.read_bytes() == BODY


def test_a_server_without_ranges_starts_again(server: Any, get: Callable[[], None], target: Path) -> None:
    interrupt(server, get, KEPT)
    server.ranges = False
    get()
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("obeys", [True, False])
def test_a_changed_file_is_not_glued_to_the_old_one(
    server: Any, get: Callable[[], None], target: Path, obeys: bool
) -> None:
    interrupt(server, get, KEPT)
    server.files["/a.zip"], server.etag, server.obeys_if_range = BODY[::-1], '"second"', obeys
    get()
    assert target.read_bytes() == BODY[::-1]


def test_a_file_that_became_shorter_is_fetched_anew(server: Any, get: Callable[[], None], target: Path) -> None:
    interrupt(server, get, KEPT)
    server.files["/a.zip"] = b"short"
    get()
    assert server.asked == ["bytes=262144-", None]  # the first is answered 416
    assert target.read_bytes() == b"short"


def test_a_part_of_another_address_is_not_continued(server: Any, get: Callable[[], None], target: Path) -> None:
    part = PartFile(target)
    part.begin(Version("http://127.0.0.1/elsewhere.zip", server.etag, None, len(BODY)))
    part.path.write_bytes(b"elsewhere")
    get()
    assert target.read_bytes() == BODY


def test_a_part_that_is_whole_already_needs_no_byte(server: Any, get: Callable[[], None], target: Path) -> None:
    part = PartFile(target)
    part.begin(Version(f"{server.address}/a.zip", server.etag, None, len(BODY)))
    part.path.write_bytes(BODY)
    get()
    assert server.asked == [f"bytes={len(BODY)}-"]
    assert target.read_bytes() == BODY


@pytest.mark.parametrize("record", [None, "", '{"url": ', '{"other": 1}', "[]"])
def test_a_part_that_nothing_is_known_about_starts_again(
    get: Callable[[], None], target: Path, record: str | None
) -> None:
    target.with_name("a.zip.part").write_bytes(b"whose?")
    if record is not None:
        target.with_name("a.zip.part.json").write_text(record)
    get()
    assert target.read_bytes() == BODY


def test_a_body_shorter_than_announced_is_no_file(server: Any, get: Callable[[], None], target: Path) -> None:
    server.ranges, server.announced = False, len(BODY) + 10
    with pytest.raises(InputError, match="could not be fetched in 3 tries"):
        get()
    assert not target.exists()


def test_a_missing_file_is_named_and_asked_for_once(server: Any, get: Callable[[], None], target: Path) -> None:
    server.files.clear()
    with pytest.raises(InputError, match=r"/a\.zip: the server answers 404 Not Found; check server="):
        get()
    assert len(server.asked) == 1
    assert not list(target.parent.iterdir())


def test_a_refusal_keeps_the_part(server: Any, get: Callable[[], None], target: Path) -> None:
    interrupt(server, get, KEPT)
    server.statuses = [403]
    with pytest.raises(InputError, match="403"):
        get()
    get()
    assert target.read_bytes() == BODY
    assert server.asked == ["bytes=262144-", "bytes=262144-"]


def test_a_busy_server_is_asked_again(server: Any, get: Callable[[], None], target: Path) -> None:
    server.statuses = [503, 429]
    get()
    assert target.read_bytes() == BODY


def test_a_silent_server_is_given_up(server: Any, get: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionseg.data.download_fetch.PAUSES", ())
    server.stalls = [1.0]
    with pytest.raises(InputError, match="timed out"):
        get()


def test_an_unreachable_server_is_named(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but nobody listens
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/a.zip"
        with pytest.raises(InputError, match=rf"{address} .*refused"):
            retrieve(address, target, timeout=1.0)


def test_an_impossible_address_is_named(target: Path) -> None:
    with pytest.raises(InputError, match=r"http://:1/a\.zip cannot be fetched"):
        retrieve("http://:1/a.zip", target, timeout=1.0)


def test_a_disk_too_small_for_the_rest_is_found_at_once(
    server: Any, get: Callable[[], None], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(server, get, KEPT)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 700_000))
    with pytest.raises(InputError, match=r"needs 761\.9 kB more.* 700\.0 kB free"):
        get()
    assert PartFile(target).size() == KEPT
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 761_856))
    get()
    assert target.read_bytes() == BODY


def test_control_c_keeps_what_has_come(
    server: Any, get: Callable[[], None], target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.cuts = [KEPT]

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lesionseg.data.download_fetch.time.sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        get()
    assert sorted(path.name for path in target.parent.iterdir()) == ["a.zip.part", "a.zip.part.json"]
    get()
    assert server.asked == [None, "bytes=262144-"]
    assert target.read_bytes() == BODY
