"""The zip file around a checkpoint's values and tensors, as `torch.save` writes it.

    archive/data.pkl        a pickle of plain values, which names the storages
    archive/data/<number>   the bytes of a storage
    archive/version, archive/byteorder, archive/.format_version ...

A zip file can lie: entries may inflate to a thousand times their size, share a name, lie inside each other or leave the
folder, and a second directory may wait for readers that look for it elsewhere. `torch.save` writes uncompressed entries
one after the other in one folder, and ends with the directory; `torch.load` checks none of that.
"""

import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from mmap import ACCESS_READ, mmap
from pathlib import Path

from zlib_ng import zlib_ng

from lesionseg.errors import InputError

LARGEST_PICKLE = 64 * 2**20
"""Bytes; the pickle of a training on ten thousand images takes less than one million."""
LARGEST_DIRECTORY = 8 * 2**20
"""Bytes, enough for about 100,000 entries; Python reads the whole directory before it tells their number."""

# The folder is named after the file that was first written: any printable characters but slashes.
FOLDER = r"(?P<folder>(?!\.\.?/)[ -.0-\[\]-~]+)"
NAME = re.compile(FOLDER + r"/(data\.pkl|data/[0-9]+|version|byteorder|\.[a-z_]+(/[a-z_]+)?)")

END = struct.Struct("<4s4H2LH")  # signature, 3 x disks and entries, entries, size, offset, length of the comment
END_64_LOCATOR = struct.Struct("<4sLQL")  # signature, disk, offset of the end record, disks
END_64 = struct.Struct("<4sQ2H2L4Q")  # signature, length, 2 x version, 2 x disk, 2 x entries, size, offset
LOCAL_HEADER = struct.Struct("<4s5H3L2H")  # signature, ..., length of the name, length of the extra field


@dataclass(frozen=True)
class Archive:
    """Contents of a checkpoint's zip file.

    Attributes:
        pickle: Bytes of `data.pkl`.
        storages: Number of bytes of each storage by its name in the pickle.
    """

    pickle: bytes
    storages: Mapping[str, int]


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
    # OverflowError and ValueError: numbers in the directory that no file can have.
    except (OSError, zipfile.BadZipFile, NotImplementedError, OverflowError, ValueError, struct.error) as error:
        raise InputError(str(error)) from error
    names = _names(entries)
    places = dict(zip(names, _places(content, entries), strict=True))
    if "data.pkl" not in places or len(places["data.pkl"]) > LARGEST_PICKLE:
        raise InputError(f"it has no data.pkl, or one of more than {LARGEST_PICKLE} bytes")
    storages = {name[5:]: len(place) for name, place in places.items() if name.startswith("data/")}
    return Archive(content[_slice(places["data.pkl"])], storages)


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


def _names(entries: list[zipfile.ZipInfo]) -> list[str]:
    """Checks the entries' names and removes the folder that all are in."""
    # As it stands in the file: ZipInfo.filename is cut at a zero byte.
    matches = [(entry.orig_filename, NAME.fullmatch(entry.orig_filename)) for entry in entries]
    strange = [name for name, match in matches if match is None]
    if strange:
        raise InputError(f"it has an entry {strange[0][:100]!r}; allowed: data.pkl, data/<number>, version ...")
    if len({match["folder"] for _, match in matches if match}) != 1:
        raise InputError("its entries are not in one folder")
    names = [name.partition("/")[2] for name, _ in matches]
    if len(set(names)) < len(names):
        raise InputError("it has several entries of one name")
    return names


def _places(content: mmap, entries: list[zipfile.ZipInfo]) -> Iterator[range]:
    """Finds the bytes of each entry, which must be uncompressed, apart from the others and undamaged."""
    free = 0
    for entry in entries:
        name = entry.filename
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size or entry.flag_bits & 1:
            raise InputError(f"its entry {name} is compressed or encrypted; torch.save stores bytes as they are")
        place = _place(content, entry)
        if entry.header_offset < free or (free == 0 and entry.header_offset > 0):
            raise InputError(f"its entry {name} is inside another, or behind something that is no entry")
        free = place.stop
        if zlib_ng.crc32(memoryview(content)[_slice(place)]) != entry.CRC:
            raise InputError(f"its entry {name} is damaged (its checksum does not fit); copy or download it again")
        yield place


def _place(content: mmap, entry: zipfile.ZipInfo) -> range:
    """Finds an entry's bytes behind its local header, where torch looks for them."""
    header = content[entry.header_offset : entry.header_offset + LOCAL_HEADER.size]
    if len(header) < LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
        raise InputError(f"its entry {entry.filename} is not where its directory says")
    *_, name_length, extra_length = LOCAL_HEADER.unpack(header)
    name_at = entry.header_offset + LOCAL_HEADER.size
    start = name_at + name_length + extra_length
    if content[name_at : name_at + name_length] != entry.orig_filename.encode():
        raise InputError(f"its entry {entry.filename} has another name in its directory")
    if start + entry.file_size > len(content):
        raise InputError(f"its entry {entry.filename} is longer than the file")
    return range(start, start + entry.file_size)


def _slice(place: range) -> slice:
    return slice(place.start, place.stop)
