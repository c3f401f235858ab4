"""The one safe way to read a checkpoint or weights that are handed over, see SECURITY.md.

A checkpoint is a zip file around its values and tensors, as `torch.save` writes it:

    archive/data.pkl        a pickle of plain values, which names the storages
    archive/data/<number>   the bytes of a storage
    archive/version, archive/byteorder, archive/.format_version ...

A zip file can lie: entries may inflate to a thousand times their size, share a name, lie inside each other or leave the
folder, and a second directory may wait for readers that look for it elsewhere. `torch.save` writes uncompressed entries
one after the other in one folder, and ends with the directory. `torch.load` alone opens 9 of the 34 lying files of
tests/test_hostile_checkpoints.py, among them one with a wrong checksum.
"""

import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import torch
from zlib_ng import zlib_ng

from lesionseg.checkpoint.layout import check_contents
from lesionseg.checkpoint.pickle_scan import check_pickle
from lesionseg.checkpoint.safetensors import SUFFIX, read_safetensors
from lesionseg.config.old_names import current_settings
from lesionseg.errors import InputError, first_line

TORCH_EXPORT = ".pt2"
LARGEST_PICKLE = 64 * 2**20
"""Bytes; the pickle of a training on ten thousand images takes less than one million."""
LARGEST_DIRECTORY = 8 * 2**20
"""Bytes, enough for about 100,000 entries; Python reads the whole directory before it tells their number."""

# The folder is named after the file that was first written: any printable characters but slashes.
FOLDER = r"(?P<folder>(?!\.\.?/)[ -.0-\[\]-~]+)"
NAME = re.compile(FOLDER + r"/(?P<name>data\.pkl|data/[0-9]+|version|byteorder|\.[a-z_]+(/[a-z_]+)?)")

END = struct.Struct("<4s4H2LH")  # signature, 3 x disks and entries, entries, size, offset, length of the comment
END_64_LOCATOR = struct.Struct("<4sLQL")  # signature, disk, offset of the end record, disks
END_64 = struct.Struct("<4sQ2H2L4Q")  # signature, length, 2 x version, 2 x disk, 2 x entries, size, offset
LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # signature, ..., length of the name, length of the extra field


def read(path: Path) -> dict[str, Any]:
    """Reads a checkpoint (`.ckpt`) or weights (`.safetensors`) onto the CPU without running any code from the file.

    A checkpoint is compared with what `torch.save` writes before `torch.load` sees it: first the zip file with all its
    checksums, then what the pickle asks for. The contents of either kind of file are checked in the same way.

    Returns:
        The contents, see `lesionseg.checkpoint.layout`; those of weights have no state of a training.

    Raises:
        InputError: The file is missing, damaged, not of lesionseg, or holds more than plain values and tensors.
    """
    if not path.is_file():
        raise InputError(f"checkpoint={path}: there is no file {path.absolute()}")
    if path.suffix == TORCH_EXPORT:
        raise InputError(
            f"{path}: {TORCH_EXPORT} files are for PyTorch without lesionseg, which cannot open them safely; give the "
            "model as .onnx, .xml (OpenVINO), .safetensors or .ckpt"
        )
    try:
        checkpoint = read_safetensors(path) if path.suffix == SUFFIX else _read_pickled(path)
        check_contents(checkpoint)
    except InputError as error:
        raise InputError(f"{path}: cannot be opened: {error}") from error
    checkpoint["lesionseg"]["config"] = current_settings(checkpoint["lesionseg"]["config"])
    return checkpoint


def _read_pickled(path: Path) -> dict[str, Any]:
    archive = open_archive(path)
    check_pickle(archive.pickle, archive.storages)
    try:
        # mmap reads only the tensors that are used: a checkpoint also holds the optimizer's.
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load raises many types for a damaged file
        raise InputError(f"torch.load refuses it ({first_line(error)})") from error
    return checkpoint


class Archive(NamedTuple):
    """Contents of a checkpoint's zip file."""

    pickle: bytes
    """Bytes of `data.pkl`."""
    storages: Mapping[str, int]
    """Number of bytes of each storage by its name in the pickle."""


def open_archive(path: Path) -> Archive:
    """Checks a checkpoint's zip file with every byte of its entries, and takes out the pickle unread.

    Raises:
        InputError: The file is no zip file, is damaged, or is not as `torch.save` writes it.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"PK\x03\x04":
                raise InputError("it is no zip file, which torch.save has written since torch 1.6")
            content = mmap(file.fileno(), 0, access=ACCESS_READ)
            _check_end(content)
            entries = sorted(zipfile.ZipFile(file).infolist(), key=lambda entry: entry.header_offset)
        places = _places(content, entries)
    # OverflowError and ValueError: numbers in the directory that no file can have.
    except (OSError, zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error) as error:
        raise InputError(str(error)) from error
    pickle = places.get("data.pkl", range(0))
    if not 0 < len(pickle) <= LARGEST_PICKLE:
        raise InputError(f"it has no data.pkl, or one of more than {LARGEST_PICKLE} bytes")
    storages = {name[5:]: len(place) for name, place in places.items() if name.startswith("data/")}
    return Archive(content[pickle.start : pickle.stop], storages)


def _check_end(content: mmap) -> None:
    """Makes sure that the file ends with the one directory, so that every reader finds the same."""
    end = len(content) - END.size
    signature, *_, size, offset, comment = END.unpack_from(content, end)
    locator = end - END_64_LOCATOR.size
    if locator >= END_64.size and content[locator : locator + 4] == b"PK\x06\x07":
        end = locator - END_64.size
        _, _, place, _ = END_64_LOCATOR.unpack_from(content, locator)
        *_, size, offset = END_64.unpack_from(content, end)
        if place != end:
            raise InputError("its directory's end is not where it says")
    if signature != b"PK\x05\x06" or comment or offset + size != end:
        raise InputError("it does not end with its directory: it is cut off, or something was put into it")
    if size > LARGEST_DIRECTORY:
        raise InputError(f"its directory takes {size} bytes; allowed: {LARGEST_DIRECTORY}")


def _places(content: mmap, entries: Sequence[zipfile.ZipInfo]) -> dict[str, range]:
    """Finds the bytes of each entry by its name within the folder; entries must be of known names and lie apart."""
    places: dict[str, range] = {}
    folders: set[str] = set()
    free = 0
    for entry in entries:
        # As it stands in the file: ZipInfo.filename is cut at a zero byte.
        name = entry.orig_filename
        match = NAME.fullmatch(name)
        if match is None:
            raise InputError(f"it has an entry {name[:100]!r}; allowed: data.pkl, data/<number>, version ...")
        if match["name"] in places or len(folders | {match["folder"]}) > 1:
            raise InputError(f"its entries are not in one folder, or several have the name {match['name']}")
        if entry.header_offset < free or (free == 0 and entry.header_offset > 0):
            raise InputError(f"its entry {entry.filename} is inside another, or behind something that is no entry")
        place = _place(content, entry)
        folders.add(match["folder"])
        places[match["name"]] = place
        free = place.stop
    return places


def _place(content: mmap, entry: zipfile.ZipInfo) -> range:
    """Finds an entry's bytes behind its local header, where torch looks for them; they must be plain and undamaged."""
    name = entry.filename
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
        raise InputError(f"its entry {name} is compressed or encrypted; torch.save stores bytes as they are")
    signature, *_, name_length, extra_length = LOCAL_HEADER.unpack_from(content, entry.header_offset)
    name_at = entry.header_offset + LOCAL_HEADER.size
    start = name_at + name_length + extra_length
    stop = start + entry.file_size
    if signature != b"PK\x03\x04" or stop > len(content):
        raise InputError(f"its entry {name} is not where its directory says, or longer than the file")
    if content[name_at : name_at + name_length] != entry.orig_filename.encode():
        raise InputError(f"its entry {name} has another name in its directory")
    if zlib_ng.crc32(memoryview(content)[start:stop]) != entry.CRC:
        raise InputError(f"its entry {name} is damaged (its checksum does not fit); copy or download it again")
    return range(start, stop)
