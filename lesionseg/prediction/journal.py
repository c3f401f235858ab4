"""The journal: which masks are done, of which image and by which model, so that an interrupted run goes on."""

import json
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zlib_ng import zlib_ng

from lesionseg.postprocessing.run_length import Box
from lesionseg.prediction.measures import Measures


@dataclass(frozen=True)
class Entry:
    """One finished prediction."""

    image: str
    """Path of the photograph below the input, with its suffix."""
    mask: str
    """Path of the mask below the output."""
    model: str
    """SHA-256 of the model's file."""
    image_stamp: tuple[int, ...]
    """See `file_stamp`: another photograph of the same name is predicted anew."""
    mask_crc32: int
    """Of the mask's file: one that was damaged, or is another's, is predicted anew."""
    has_probability: bool
    """Whether a probability map was written, too."""
    has_overlay: bool
    measures: Measures


class Journal:
    """A text file with one line of JSON for each prediction; the last line for a mask counts.

    A line is added before its mask is put in its place. A process killed between the two leaves a line without its
    mask, which is noticed; the other way round there would be a mask that nobody knows the origin of.

    Args:
        path: Made with the first entry. A line that was cut short, the last one of a killed run, is passed over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self.entries: dict[str, Entry] = {entry.mask: entry for entry in _read(path)}
        """By the mask's path."""

    def add(self, entry: Entry) -> None:
        """Writes a line; may be called from several threads."""
        line = json.dumps(asdict(entry), separators=(",", ":"))
        with self._lock:
            # A line break in front, too: a line that was cut short would swallow this one.
            with self._path.open("ab", buffering=0) as file:
                file.write(f"\n{line}\n".encode())
            self.entries[entry.mask] = entry


def crc32(content: bytes) -> int:
    """Computes the checksum that the journal keeps of a file."""
    return int(zlib_ng.crc32(content))


def _read(path: Path) -> Iterator[Entry]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        entry = _parsed(line)
        if entry is not None:
            yield entry


def _parsed(line: str) -> Entry | None:
    """Reads a line; None where it is empty, cut short or not the journal's."""
    try:
        values: dict[str, Any] = json.loads(line)
        measured = values.pop("measures")
        box, centroid = measured.pop("box"), measured.pop("centroid")
        measures = Measures(
            **measured,
            box=Box(**box) if box else None,
            centroid=(centroid[0], centroid[1]) if centroid else None,
        )
        # Files of earlier versions know less of the photograph: the mask is theirs, and is made anew.
        stamp = values.pop("image_stamp", None) or values.pop("image_identity")
        return Entry(**values, image_stamp=tuple(map(int, stamp)), measures=measures)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None
