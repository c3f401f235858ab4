"""The journal of what was predicted, and the table that is made from it."""

import csv
import io
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from zlib_ng import zlib_ng

from lesionseg.prediction.prediction import Measures

COLUMNS = (
    "image", "mask", "width", "height", "area_pixels", "area_percent", "left", "top", "right", "bottom", "centroid_x",
    "centroid_y", "mean_confidence", "agreement", "expected_jaccard", "touches_border", "review", "reason",
)  # fmt: skip


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
    """`file_stamp` of the photograph: another one of the same name is predicted anew."""
    mask_crc32: int
    """Checksum of the mask's file: a damaged one, or one of other origin, is predicted anew."""
    has_probability: bool
    """Whether a probability map was written."""
    has_overlay: bool
    """Whether an overlay was written."""
    measures: Measures


ENTRY = TypeAdapter(Entry)


class Journal:
    """A text file with one line of JSON for each prediction; the last line for a mask counts.

    A line is added before its mask is put in its place. A process that is killed between the two leaves a line without
    its mask, which is noticed; the other way round it would leave a mask of unknown origin. A line that was cut short
    by a killed process is passed over. The file is made with the first entry.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
        self.entries: dict[str, Entry] = {entry.mask: entry for line in lines for entry in _parsed(line)}
        """Entries by the paths of their masks."""

    def add(self, entry: Entry) -> None:
        """Writes a line; several threads may call it."""
        line = json.dumps(asdict(entry), separators=(",", ":"))
        with self._lock:
            # Starts with a line break, since a line that was cut short would swallow this one.
            with self._path.open("ab", buffering=0) as file:
                file.write(f"\n{line}\n".encode())
            self.entries[entry.mask] = entry


def _parsed(line: str) -> Iterator[Entry]:
    """Parses a line; yields nothing if it is empty, cut short or not the journal's."""
    # Journals of earlier versions know less of the photograph, so that its mask is made anew.
    line = line.replace('"image_identity":', '"image_stamp":')
    try:
        yield ENTRY.validate_json(line)
    except ValidationError:
        return


def crc32(content: bytes) -> int:
    """Computes the checksum of a file that the journal keeps."""
    return int(zlib_ng.crc32(content))


def review_reason(measures: Measures, review_below: float) -> str:
    """Returns the reason why a person should look at a mask; empty if there is none."""
    if not measures.area_pixels:
        return "no lesion found"
    return "uncertain" if measures.expected_jaccard < review_below else ""


def predictions_csv(entries: Iterable[Entry], unreadable: Mapping[str, str], *, review_below: float) -> bytes:
    """Writes the table with one row per image, sorted by image; cells that do not apply are empty.

    The rows of images that could not be read, given with the reasons by their paths, hold nothing else. A mask is to be
    reviewed if its expected Jaccard index is below `review_below`.
    """
    rows = {entry.image: _row(entry, review_below) for entry in entries}
    rows |= {image: {"image": image, "review": "yes", "reason": reason} for image, reason in unreadable.items()}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[image] for image in sorted(rows))
    return text.getvalue().encode()


def _row(entry: Entry, review_below: float) -> dict[str, object]:
    measures = entry.measures
    reason = review_reason(measures, review_below)
    centroid = measures.centroid or (None, None)
    return (asdict(measures.box) if measures.box else {}) | {
        "image": entry.image,
        "mask": entry.mask,
        "width": measures.width,
        "height": measures.height,
        "area_pixels": measures.area_pixels,
        "area_percent": _rounded(measures.area_percent, 4),
        "centroid_x": _rounded(centroid[0], 2),
        "centroid_y": _rounded(centroid[1], 2),
        "mean_confidence": _rounded(measures.mean_confidence, 4),
        "agreement": _rounded(measures.agreement, 4),
        "expected_jaccard": _rounded(measures.expected_jaccard, 4),
        "touches_border": "yes" if measures.touches_border else "no",
        "review": "yes" if reason else "no",
        "reason": reason,
    }


def _rounded(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
