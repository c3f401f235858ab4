import zipfile
from pathlib import Path

import pytest
import torch

from lesionseg.checkpoint.reading import open_archive
from lesionseg.errors import InputError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "some (other) name, 2.ckpt"
    torch.save({"a": torch.arange(3.0), "b": torch.arange(5), "c": torch.ones(0)}, path)
    return path


def test_the_storages_are_as_long_as_their_tensors(file: Path) -> None:
    archive = open_archive(file)
    assert archive.storages == {"0": 12, "1": 40, "2": 0}
    assert archive.pickle.startswith(b"\x80\x02")
    assert archive.pickle.endswith(b".")


def test_a_file_that_was_written_into_is_as_good_as_one_that_was_named(tmp_path: Path, file: Path) -> None:
    with (tmp_path / "file.ckpt").open("wb") as target:
        torch.save(torch.load(file), target)
    assert open_archive(tmp_path / "file.ckpt").storages == open_archive(file).storages


def test_a_file_that_was_packed_again_is_refused_if_it_is_compressed(tmp_path: Path, file: Path) -> None:
    for name, compression in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(file) as old, zipfile.ZipFile(tmp_path / name, "w", compression) as new:
            for entry in old.infolist():
                new.writestr(entry.filename, old.read(entry))
    assert open_archive(tmp_path / "stored").storages == open_archive(file).storages
    with pytest.raises(InputError, match="is compressed or encrypted"):
        open_archive(tmp_path / "deflated")


def test_a_file_that_is_not_there_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_archive(tmp_path / "nothing.ckpt")
