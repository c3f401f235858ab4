"""Takes a `.pt2` file of `torch.export` apart without `torch.export.load`.

That function was made for one's own files: it unpickles what the archive says is pickled, gives strings of the program
to `sympify` and, when the program is run, its guards to `exec`. So the zip is opened here with nothing but `zipfile`,
`json` and `numpy`; whatever an export of lesionseg does not write is refused.
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lesionseg.errors import InputError
from lesionseg.exporting.embedded_facts import DIGESTS_KEY, EXPORT_AGAIN, KEY, LONGEST_TEXT

PROGRAM = "models/model.json"
WEIGHTS = "data/weights/"
WEIGHTS_CONFIG = f"{WEIGHTS}model_weights_config.json"
METADATA = f"extra/{KEY}.json"
DIGESTS = f"extra/{DIGESTS_KEY}.txt"
SAMPLE_INPUTS = "data/sample_inputs/model.pt"
"""A pickle, which an export of lesionseg leaves empty."""
CONSTANTS_CONFIG = "data/constants/model_constants_config.json"
REQUIRED = frozenset({PROGRAM, WEIGHTS_CONFIG, METADATA, "byteorder", "archive_format", "archive_version"})
OTHERS = frozenset({DIGESTS, SAMPLE_INPUTS, CONSTANTS_CONFIG, ".data/version", ".data/serialization_id"})
WEIGHT = re.compile(re.escape(WEIGHTS) + r"weight_\d{1,6}")

LONGEST_PROGRAM = 64 * 2**20
"""Bytes of JSON. The deepest U-Net here has 2 million."""
MOST_ENTRIES = 20_000
DTYPES: Mapping[Any, np.dtype[Any]] = {7: np.dtype("<f4"), 5: np.dtype("<i8")}
"""Of weights, by torch's numbers (`torch._export.serde.schema.ScalarType`): float32, and int64 as counters have it."""
LARGEST_SIDE = 2**24
MOST_DIMENSIONS = 6

Array = NDArray[Any]


class UnexpectedError(Exception):
    """Says what a file has that no export writes."""


@dataclass(frozen=True)
class Archive:
    """What a `.pt2` file holds; nothing of it has been run."""

    program: Mapping[str, Any]
    """The program as JSON has it."""
    weights: Mapping[str, Array]
    """By the names that the program uses."""
    metadata: str | None
    digests: str | None


def read_archive(contents: bytes, path: Path) -> Archive:
    """Reads programs and weights.

    Raises:
        InputError: It is no zip, damaged, or holds anything that an export of lesionseg does not write; says what.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(contents)) as archive:
            entries = _checked_entries(archive, len(contents))
            return _read(archive, entries)
    except (UnexpectedError, zipfile.BadZipFile, EOFError, KeyError, ValueError, TypeError, RecursionError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
        raise InputError(f"{path}: not a .pt2 file as lesionseg writes it ({reason}); {EXPORT_AGAIN}") from error
    except (NotImplementedError, OSError, RuntimeError) as error:  # zipfile's words for encryption and the like
        raise InputError(f"{path}: not a readable .pt2 file ({error}); {EXPORT_AGAIN}") from error


def _checked_entries(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """Returns the entries by their names below the archive's one folder."""
    entries = archive.infolist()
    if not 0 < len(entries) <= MOST_ENTRIES:
        raise UnexpectedError(f"{len(entries)} entries")
    if sum(entry.file_size for entry in entries) > size:
        raise UnexpectedError("its entries are larger than the file")
    folder = entries[0].filename.partition("/")[0] + "/"
    named: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename.removeprefix(folder)
        if name in named or not (name in REQUIRED or name in OTHERS or WEIGHT.fullmatch(name)):
            raise UnexpectedError(f"it holds {entry.filename[:200]!r}")
        if entry.compress_type != zipfile.ZIP_STORED:
            raise UnexpectedError(f"{name} is compressed")
        named[name] = entry
    return named


def _read(archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> Archive:
    if SAMPLE_INPUTS in entries and entries[SAMPLE_INPUTS].file_size:
        raise UnexpectedError("it holds pickled sample inputs")
    if archive.read(entries["byteorder"]) != b"little":
        raise UnexpectedError("its bytes are not in little-endian order")
    if CONSTANTS_CONFIG in entries and _json(archive, entries[CONSTANTS_CONFIG]) != {"config": {}}:
        raise UnexpectedError("it holds constants, which may be pickled")
    config = _json(archive, entries[WEIGHTS_CONFIG])["config"]
    return Archive(
        program=_json(archive, entries[PROGRAM]),
        weights=dict(_weights(archive, entries, config)),
        metadata=_text(archive, entries.get(METADATA)),
        digests=_text(archive, entries.get(DIGESTS)),
    )


def _text(archive: zipfile.ZipFile, entry: zipfile.ZipInfo | None) -> str | None:
    if entry is not None and entry.file_size > LONGEST_TEXT:
        raise UnexpectedError(f"its metadata have {entry.file_size} bytes")
    return None if entry is None else archive.read(entry).decode()


def _json(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    if entry.file_size > LONGEST_PROGRAM:
        raise UnexpectedError(f"{entry.filename} has {entry.file_size} bytes")
    return json.loads(archive.read(entry))


def _weights(
    archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], config: Mapping[str, Any]
) -> Iterator[tuple[str, Array]]:
    """Reads each weight; several may share an entry, which is then read once."""
    flat: dict[str, Array] = {}
    for name, payload in config.items():
        if payload["use_pickle"] is not False:
            raise UnexpectedError(f"the weight {name[:200]!r} is pickled")
        meta = payload["tensor_meta"]
        if meta["dtype"] not in DTYPES:
            raise UnexpectedError(f"the weight {name[:200]!r} is of type number {str(meta['dtype'])[:20]}")
        dtype, shape = DTYPES[meta["dtype"]], _shape(meta)
        key = str(payload["path_name"])
        if key not in flat:
            # A copy, since what numpy reads from bytes cannot be written to, which torch warns of.
            flat[key] = np.frombuffer(bytearray(archive.read(entries[WEIGHTS + key])), np.uint8)
        yield name, flat[key].view(dtype).reshape(shape)


def _shape(meta: Mapping[str, Any]) -> list[int]:
    """Returns a weight's shape, which is dense and in the usual order, as an export writes it."""
    sizes = [_whole(size["as_int"]) for size in meta["sizes"]]
    strides = [_whole(stride["as_int"]) for stride in meta["strides"]]
    dense = [int(np.prod(sizes[axis + 1 :], dtype=np.int64)) for axis in range(len(sizes))]
    if len(sizes) > MOST_DIMENSIONS or meta["storage_offset"]["as_int"] != 0:
        raise UnexpectedError(f"a weight has {len(sizes)} dimensions, or starts inside of another")
    if [stride for stride, size in zip(strides, sizes, strict=True) if size > 1] != [
        stride for stride, size in zip(dense, sizes, strict=True) if size > 1
    ]:
        raise UnexpectedError(f"a weight of shape {sizes} has the strides {strides}")
    return sizes


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_SIDE:
        raise UnexpectedError(f"a weight has the size {str(value)[:20]}; allowed: 0 to {LARGEST_SIDE}")
    return value
